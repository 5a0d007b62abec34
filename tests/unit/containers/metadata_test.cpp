// SPDX-License-Identifier: Apache-2.0
#include "containers/metadata.h"

#include <sys/stat.h>

#include <catch2/catch.hpp>
#include <filesystem>

#include "containers/metadata_file.h"
#include "fixture.h"

using namespace plimsoll;
using container_test::Directory;
using container_test::id_of;

namespace {

const std::string kId = id_of('a');

/// The four runtimes' roots below one directory, and a container that is described from there.
struct Host {
    Directory files;
    Container container;

    Finding describe(const std::string& cgroup) {
        Config::Containers::Roots roots;
        roots.docker = {files.path("none"), files.path("docker")};
        roots.containerd = {files.path("containerd")};
        roots.podman = {files.path("storage"), files.path("run-storage")};
        roots.crio = roots.podman;
        container = {};
        const auto match = match_path(cgroup);
        REQUIRE(match);
        return Metadata(roots, files.path("passwd")).describe(*match, cgroup, container);
    }
    void docker_file(const std::string& text) {
        files.write("docker/containers/" + kId + "/config.v2.json", text);
    }
    void bundle(const std::string& ctr_namespace, const std::string& id, const std::string& text) {
        files.write("containerd/io.containerd.runtime.v2.task/" + ctr_namespace + "/" + id + "/config.json",
                    text);
    }
};

}  // namespace

TEST_CASE("Docker's own file gives name, image and labels") {
    Host host;
    host.docker_file(R"({"Name":"/web","Config":{"Image":"nginx:1","Labels":{"team":"blue","odd":7}}})");
    CHECK(host.describe("/docker/" + kId) == Finding::container);
    CHECK(host.container.cgroup == "/docker/" + kId);
    CHECK(host.container.runtime == Runtime::docker);
    CHECK(host.container.id == kId);
    CHECK(host.container.name == "web");
    CHECK(host.container.image == "nginx:1");
    CHECK(host.container.labels == std::map<std::string, std::string>{{"team", "blue"}});
}

TEST_CASE("a container of a pod that Docker runs has the pod's names, and the pod's sandbox is a helper") {
    Host host;
    host.docker_file(R"({"Name":"/k8s_app_p","Config":{"Labels":{"io.kubernetes.pod.name":"p",
        "io.kubernetes.pod.namespace":"prod","io.kubernetes.container.name":"app","io.kubernetes.pod.uid":"u-1"}}})");
    CHECK(host.describe("/kubepods/pod12345678-aa/" + kId) == Finding::container);
    CHECK(host.container.runtime == Runtime::docker);
    CHECK(host.container.pod == "p");
    CHECK(host.container.pod_namespace == "prod");
    CHECK(host.container.pod_container == "app");
    CHECK(host.container.pod_uid == "u-1");
    host.docker_file(R"({"Name":"/x","Config":{"Labels":{"io.kubernetes.container.name":"POD"}}})");
    CHECK(host.describe("/kubepods/pod12345678-aa/" + kId) == Finding::helper);
    host.docker_file(R"({"Name":"/x","Config":{"Labels":{"io.kubernetes.docker.type":"podsandbox"}}})");
    CHECK(host.describe("/kubepods/pod12345678-aa/" + kId) == Finding::helper);
}

TEST_CASE("containerd's bundle confirms what ctr started, by the cgroup that it names") {
    Host host;
    host.bundle("default", "c2", R"({"linux":{"cgroupsPath":"/default/c2"}})");
    CHECK(host.describe("/default/c2") == Finding::container);
    CHECK(host.container.runtime == Runtime::containerd);
    CHECK(host.container.name == "c2");
    CHECK(host.describe("/other/c2") == Finding::nothing);
    CHECK(host.describe("/default/c3") == Finding::nothing);
    host.bundle("default", "c5", R"({"linux":{"cgroupsPath":"/of/its/own/c5"}})");
    CHECK(host.describe("/of/its/own/c5") == Finding::container);
}

TEST_CASE("CRI annotations name the container and its pod, and tell the sandbox") {
    Host host;
    const std::string scope =
        "/kubepods.slice/kubepods-pod12345678_aa.slice/cri-containerd-" + kId + ".scope";
    host.bundle("k8s.io", kId, R"({"annotations":{"io.kubernetes.cri.container-type":"container",
        "io.kubernetes.cri.container-name":"app","io.kubernetes.cri.sandbox-name":"p",
        "io.kubernetes.cri.sandbox-namespace":"prod","io.kubernetes.cri.image-name":"nginx:1"}})");
    for (const auto& path : {scope, "/kubepods/pod12345678-aa/" + kId}) {
        CHECK(host.describe(path) == Finding::container);
        CHECK(host.container.runtime == Runtime::containerd);
        CHECK(host.container.name == "app");
        CHECK(host.container.image == "nginx:1");
        CHECK(host.container.pod == "p");
        CHECK(host.container.pod_namespace == "prod");
        CHECK(host.container.pod_container == "app");
        CHECK(host.container.pod_uid == "12345678-aa");
    }
    host.bundle("k8s.io", kId, R"({"annotations":{"io.kubernetes.cri.container-type":"sandbox"}})");
    CHECK(host.describe(scope) == Finding::helper);
}

TEST_CASE("nerdctl's annotation is the name, and a bundle of Docker's namespace is Docker's") {
    Host host;
    host.bundle("default", kId, R"({"annotations":{"nerdctl/name":"web"}})");
    CHECK(host.describe("/system.slice/nerdctl-" + kId + ".scope") == Finding::container);
    CHECK(host.container.name == "web");
    Host other;
    other.bundle("moby", kId, R"({"linux":{"cgroupsPath":"/custom/)" + kId + R"("}})");
    CHECK(other.describe("/custom/" + kId) == Finding::container);
    CHECK(other.container.runtime == Runtime::docker);
    CHECK(other.container.name.empty());
    other.docker_file(R"({"Name":"/web"})");
    CHECK(other.describe("/custom/" + kId) == Finding::container);
    CHECK(other.container.name == "web");
}

TEST_CASE("Podman's list gives name and image for every storage driver") {
    for (const std::string driver : {"overlay", "vfs"}) {
        Host host;
        host.files.write("storage/" + driver + "-containers/containers.json",
                         R"([7,{"id":3},{"id":")" + kId + R"(","names":["web"],
            "metadata":"{\"image-name\":\"localhost/bb:1\",\"name\":\"web\"}"}])");
        CHECK(host.describe("/machine.slice/libpod-" + kId + ".scope") == Finding::container);
        CHECK(host.container.runtime == Runtime::podman);
        CHECK(host.container.name == "web");
        CHECK(host.container.image == "localhost/bb:1");
    }
}

TEST_CASE("a name in Podman's list that is too long for a name is none") {
    for (const std::size_t length : {1024U, 1025U}) {
        Host host;
        host.files.write("storage/overlay-containers/containers.json",
                         R"([{"id":")" + kId + R"(","names":[")" + std::string(length, 'x') + R"("]}])");
        CHECK(host.describe("/machine.slice/libpod-" + kId + ".scope") == Finding::container);
        CHECK(host.container.name.size() == (length == 1024 ? length : 0));
    }
}

TEST_CASE("Podman's infra containers are helpers, but not whatever is called alike") {
    Host host;
    const auto list = [&](const std::string& image) {
        host.files.write("storage/overlay-containers/containers.json",
                         R"([{"id":")" + kId +
                             R"(","names":["0123456789ab-infra"],"metadata":"{\"image-name\":\")" + image +
                             R"(\"}"}])");
    };
    list("localhost/podman-pause:4.3.1-0");
    CHECK(host.describe("/machine.slice/libpod-" + kId + ".scope") == Finding::helper);
    list("localhost/custom:latest");
    CHECK(host.describe("/libpod_parent/0123456789ab" + std::string(52, '0') + "/libpod-" + kId) ==
          Finding::helper);
    CHECK(host.describe("/libpod_parent/libpod-" + kId) == Finding::container);
}

TEST_CASE("a rootless container's storage is found in its user's home") {
    Host host;
    host.files.write("passwd", "root:x:0:0::/root:/bin/sh\nbroken\nann:x:1000:1000::" +
                                   host.files.path("ann") + ":/bin/sh\n");
    host.files.write("ann/.local/share/containers/storage/overlay-containers/containers.json",
                     R"([{"id":")" + kId + R"(","names":["mine"]}])");
    const std::string below = "/user.slice/libpod-" + kId + ".scope";
    CHECK(host.describe("/user.slice/user-1000.slice/user@1000.service" + below) == Finding::container);
    CHECK(host.container.name == "mine");
    CHECK(host.describe("/user.slice/user-1001.slice/user@1001.service" + below) == Finding::nothing);
}

TEST_CASE("CRI-O's annotations name container, pod, image and labels") {
    Host host;
    const auto annotate = [&](const std::string& type) {
        host.files.write("run-storage/overlay-containers/" + kId + "/userdata/config.json",
                         R"({"annotations":{"io.kubernetes.cri-o.ContainerType":")" + type + R"(",
            "io.kubernetes.container.name":"app","io.kubernetes.pod.name":"p","io.kubernetes.pod.namespace":"prod",
            "io.kubernetes.pod.uid":"u-1","io.kubernetes.cri-o.ImageName":"quay.io/x:1",
            "io.kubernetes.cri-o.Labels":"{\"tier\":\"db\"}"}})");
    };
    annotate("container");
    for (const auto& path : {"/kubepods.slice/kubepods-pod12345678_aa.slice/crio-" + kId + ".scope",
                             "/kubepods/pod12345678-aa/" + kId}) {
        CHECK(host.describe(path) == Finding::container);
        CHECK(host.container.runtime == Runtime::crio);
        CHECK(host.container.name == "app");
        CHECK(host.container.image == "quay.io/x:1");
        CHECK(host.container.pod == "p");
        CHECK(host.container.pod_namespace == "prod");
        CHECK(host.container.pod_uid == "u-1");
        CHECK(host.container.labels.at("tier") == "db");
    }
    annotate("sandbox");
    CHECK(host.describe("/crio-" + kId) == Finding::helper);
}

TEST_CASE("machines and services need no file") {
    Host host;
    CHECK(host.describe("/lxc.payload.l1") == Finding::container);
    CHECK(host.container.name == "l1");
    CHECK(host.describe("/system.slice/nginx.service") == Finding::container);
    CHECK(host.container.name == "nginx.service");
    CHECK(host.container.id == "nginx.service");
}

TEST_CASE("missing and garbled files leave a container that is known by id") {
    Host host;
    const std::string deep(100'000, '[');
    for (const std::string& text :
         {std::string(), std::string("{"), std::string("null"), std::string("[]"), deep,
          std::string("\xff\xfe{}"), std::string("{\"Name\":\"\xff\"}"), std::string("1e999")}) {
        host.docker_file(text);
        CHECK(host.describe("/docker/" + kId) == Finding::nothing);
        CHECK(host.container.id == kId);
        CHECK(host.container.runtime == Runtime::docker);
    }
    for (const char* text : {"{}", R"({"Name":7,"Config":[]})", R"({"Config":{"Image":{},"Labels":"x"}})"}) {
        host.docker_file(text);
        CHECK(host.describe("/docker/" + kId) == Finding::container);
        CHECK(host.container.name.empty());
        CHECK(host.container.image.empty());
    }
    host.files.write("storage/overlay-containers/containers.json", R"({"id":[[]]})");
    CHECK(host.describe("/libpod-" + kId) == Finding::nothing);
}

TEST_CASE("only regular files of a sensible size are read") {
    const Directory files;
    files.write("good", "x");
    CHECK(read_bounded_file(files.path("good")) == "x");
    files.write("big", std::string((4u << 20) + 1, ' '));
    CHECK_FALSE(read_bounded_file(files.path("big")));
    REQUIRE(mkfifo(files.path("fifo").c_str(), 0600) == 0);
    CHECK_FALSE(read_bounded_file(files.path("fifo")));
    CHECK_FALSE(read_bounded_file(files.path()));
    CHECK_FALSE(read_bounded_file("/dev/zero"));
    std::filesystem::create_symlink(files.path("good"), files.path("link"));
    CHECK(read_bounded_file(files.path("link")) == "x");
}

TEST_CASE("JSON is accepted 64 deep, not deeper, and brackets in strings do not count") {
    CHECK(parse_bounded_json(std::string(64, '[') + std::string(64, ']')));
    CHECK_FALSE(parse_bounded_json(std::string(65, '[') + std::string(65, ']')));
    CHECK(parse_bounded_json("[\"" + std::string(1000, '[') + "\\\"[\"]"));
}

TEST_CASE("strings and labels beyond their limits are left out") {
    const std::string edge(1024, 'x');
    auto value = nlohmann::json{{"edge", edge}, {"over", edge + "x"}, {"number", 1}};
    CHECK(string_member(&value, "edge") == edge);
    CHECK(string_member(&value, "over").empty());
    CHECK(string_member(&value, "number").empty());
    CHECK(string_member(nullptr, "edge").empty());
    for (int i = 0; i < 300; ++i) {
        value["label" + std::to_string(i)] = "v";
    }
    std::map<std::string, std::string> labels;
    add_labels(labels, &value);
    CHECK(labels.size() == 256);
}

TEST_CASE("a changed list of the storage is read again") {
    const Directory files;
    StorageIndex index;
    const auto file = files.path("containers.json");
    CHECK(index.find(file, kId) == nullptr);
    files.write("containers.json", R"([{"id":")" + kId + R"(","names":["one"]}])");
    REQUIRE(index.find(file, kId));
    CHECK(index.find(file, kId)->name == "one");
    files.write("containers.json", R"([{"id":")" + kId + R"(","names":["second"]}])");
    REQUIRE(index.find(file, kId));
    CHECK(index.find(file, kId)->name == "second");
    std::filesystem::remove(file);
    CHECK(index.find(file, kId) == nullptr);
}
