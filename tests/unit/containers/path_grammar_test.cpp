// SPDX-License-Identifier: Apache-2.0
#include "containers/path_grammar.h"

#include <catch2/catch.hpp>
#include <random>
#include <string>
#include <vector>

#include "fixture.h"

using namespace plimsoll;
using container_test::id_of;

namespace {

const std::string kId = id_of('a');
const std::string kOther = id_of('b');
const std::string kUid = "12345678-1234-1234-1234-123456789abc";
const std::string kUidInSlice = "12345678_1234_1234_1234_123456789abc";
const std::string kStaticUid = "0123456789abcdef0123456789abcdef";  // of a static pod: a hash
const std::string kUser = "/user.slice/user-1000.slice/user@1000.service";

struct Known {
    std::string path;
    Runtime runtime;
    std::string id;
    std::string pod_uid = "";
};

std::vector<Known> docker_forms() {
    return {
        {"/docker/" + kId, Runtime::docker, kId},
        {"/system.slice/docker-" + kId + ".scope", Runtime::docker, kId},
        {"/my.slice/my-own.slice/docker-" + kId + ".scope", Runtime::docker, kId},
        {"/system.slice:docker:" + kId, Runtime::docker, kId},
        {kUser + "/user.slice/docker-" + kId + ".scope", Runtime::docker, kId},
        {"/docker/" + kOther + "/docker/" + kId, Runtime::docker, kId},
        {"/lxc.payload.l1/system.slice/docker-" + kId + ".scope", Runtime::docker, kId},
    };
}

std::vector<Known> containerd_forms() {
    return {
        {"/system.slice/nerdctl-" + kId + ".scope", Runtime::containerd, kId},
        {kUser + "/user.slice/nerdctl-" + kId + ".scope", Runtime::containerd, kId},
        {"/system.slice/cri-containerd-" + kId + ".scope", Runtime::containerd, kId},
    };
}

std::vector<Known> podman_and_crio_forms() {
    return {
        {"/libpod_parent/libpod-" + kId, Runtime::podman, kId},
        {"/libpod_parent/" + kOther + "/libpod-" + kId, Runtime::podman, kId},
        {"/machine.slice/libpod-" + kId + ".scope", Runtime::podman, kId},
        {"/machine.slice/machine-libpod_pod_" + kOther + ".slice/libpod-" + kId + ".scope", Runtime::podman,
         kId},
        {kUser + "/user.slice/libpod-" + kId + ".scope", Runtime::podman, kId},
        {"/system.slice/foo.service/libpod-payload-" + kId, Runtime::podman, kId},
        {"/system.slice/crio-" + kId + ".scope", Runtime::crio, kId},
        {"/crio-" + kId, Runtime::crio, kId},
    };
}

std::vector<Known> kubernetes_forms() {
    const auto slice = "kubepods-burstable-pod" + kUidInSlice + ".slice";
    const auto nested = "/kubepods.slice/kubepods-burstable.slice/" + slice;
    const auto kind =
        "/docker/" + kOther + "/kubelet.slice/kubelet-kubepods.slice/kubelet-kubepods-besteffort.slice/";
    return {
        {"/kubepods/burstable/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {"/kubepods/besteffort/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {"/kubepods/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {"/kubepods/pod" + kStaticUid + "/" + kId, Runtime::kubernetes, kId, kStaticUid},
        {"/kubepods/burstable/pod" + kUid + "/crio-" + kId, Runtime::crio, kId, kUid},
        {"/kubelet/kubepods/burstable/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {"/system.slice/kubelet.service/kubepods/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {nested + "/cri-containerd-" + kId + ".scope", Runtime::containerd, kId, kUid},
        {nested + "/crio-" + kId + ".scope", Runtime::crio, kId, kUid},
        {nested + "/docker-" + kId + ".scope", Runtime::docker, kId, kUid},
        {"/kubepods.slice/kubepods-pod" + kUidInSlice + ".slice/cri-containerd-" + kId + ".scope",
         Runtime::containerd, kId, kUid},
        {"/kubepods.slice/kubepods\\x2dbesteffort\\x2dpod" + kUidInSlice + ".slice/crio-" + kId + ".scope",
         Runtime::crio, kId, kUid},
        {kind + "kubelet-kubepods-besteffort-pod" + kUidInSlice + ".slice/cri-containerd-" + kId + ".scope",
         Runtime::containerd, kId, kUid},
        {"/docker/" + kOther + "/kubelet/kubepods/pod" + kUid + "/" + kId, Runtime::kubernetes, kId, kUid},
        {"/" + slice + ":cri-containerd:" + kId, Runtime::containerd, kId, kUid},
        {"/system.slice/containerd.service/" + slice + ":cri-containerd:" + kId, Runtime::containerd, kId,
         kUid},
        {"/kubepods/pod" + kUid + "/" + kOther + "/docker/" + kId, Runtime::docker, kId},
    };
}

std::vector<Known> machine_and_service_forms() {
    return {
        {"/lxc.payload.web", Runtime::lxc, "web"},
        {"/lxc.payload/web", Runtime::lxc, "web"},
        {"/lxc/web", Runtime::lxc, "web"},
        {"/lxc/lxc", Runtime::lxc, "lxc"},
        {"/lxc.payload.a/lxc.payload.b", Runtime::lxc, "b"},
        {"/machine.slice/systemd-nspawn@deb.service", Runtime::nspawn, "deb"},
        {"/machine.slice/systemd-nspawn@my\\x2ddeb.service", Runtime::nspawn, "my-deb"},
        {"/machine.slice/machine-my\\x2ddeb.scope", Runtime::nspawn, "my-deb"},
        {"/system.slice/nginx.service", Runtime::systemd, "nginx.service"},
        {"/system.slice/system-getty.slice/getty@tty1.service", Runtime::systemd, "getty@tty1.service"},
        {"/a.slice/a-b.slice/x.service", Runtime::systemd, "x.service"},
        {"/x.service", Runtime::systemd, "x.service"},
        {"/system.slice/_cpu.service", Runtime::systemd, "cpu.service"},
        {"/system.slice/a\\x2db.service", Runtime::systemd, "a\\x2db.service"},
        {kUser, Runtime::systemd, "user@1000.service"},
        {kUser + "/app.slice/foo.service", Runtime::systemd, "foo.service"},
        {kUser + "/dbus.service", Runtime::systemd, "dbus.service"},
        {"/payload/system.slice/x.service", Runtime::systemd, "x.service"},
    };
}

void check_all(const std::vector<Known>& forms) {
    for (const auto& known : forms) {
        INFO(known.path);
        const auto match = match_path(known.path);
        REQUIRE(match);
        CHECK(to_string(match->runtime) == to_string(known.runtime));
        CHECK(match->id == known.id);
        CHECK(match->pod_uid == known.pod_uid);
        CHECK(match->exact);
        CHECK_FALSE(match->candidate);
        CHECK(match->length == known.path.size());

        for (const auto* below :
             {"/foo", "/container", "/init.scope", "/system.slice", "/system.slice/x.slice/y"}) {
            const auto inside = match_path(known.path + below);
            REQUIRE(inside);
            const bool own =
                known.runtime == Runtime::systemd && inside->candidate;  // below a user's manager
            CHECK((own || (!inside->exact && inside->id == known.id && inside->length == known.path.size())));
        }
    }
}

bool none(const std::string& path) {
    const auto match = match_path(path);
    return !match || match->candidate || !match->exact;
}

}  // namespace

TEST_CASE("Docker's containers are recognised with both cgroup drivers") {
    check_all(docker_forms());
}
TEST_CASE("containerd's containers are recognised") {
    check_all(containerd_forms());
}
TEST_CASE("Podman's and CRI-O's containers are recognised") {
    check_all(podman_and_crio_forms());
}
TEST_CASE("containers of pods are recognised with both drivers in all classes") {
    check_all(kubernetes_forms());
}
TEST_CASE("machines and services are recognised") {
    check_all(machine_and_service_forms());
}

TEST_CASE("slices, scopes, pods, monitors and helpers are not containers") {
    for (const auto& path : std::vector<std::string>{
             "/",
             "",
             "/system.slice",
             "/init.scope",
             "/user.slice/user-1000.slice/session-3.scope",
             kUser + "/init.scope",
             kUser + "/app.slice/app-x.scope",
             "/machine.slice/libpod-conmon-" + kId + ".scope",
             kUser + "/user.slice/libpod-conmon-" + kId + ".scope",
             "/system.slice/crio-conmon-" + kId + ".scope",
             "/system.slice/foo.service/supervisor",
             "/lxc.monitor.web",
             "/lxc.monitor/web",
             "/lxc.pivot",
             "/lxc",
             "/docker",
             "/docker/buildkit",
             "/kubepods/burstable",
             "/kubepods/pod" + kUid,
             "/kubepods.slice/kubepods-pod" + kUidInSlice + ".slice",
             "/libpod_parent/" + kOther,
             "/machine.slice/machine-qemu\\x2d1\\x2dvm.scope",
             "/docker-" + kId + ".service.d",
             "/docker/" + std::string(63, 'a'),
             "/docker/" + std::string(64, 'g'),
             "/system.slice/docker-xyz.scope",
             "/.service",
             "/foo/x.service",
             "/system.slice/foo.service/x.service",
             "/system.slice/foo.service/payload/system.slice/x.service",
         }) {
        INFO(path);
        CHECK(none(path));
    }
}

TEST_CASE("the services of a systemd inside a container belong to the container") {
    for (const auto& outer :
         {"/docker/" + kId, std::string("/lxc.payload.l1"), "/machine.slice/libpod-" + kId + ".scope",
          std::string("/machine.slice/systemd-nspawn@deb.service/payload"),
          std::string("/machine.slice/machine-deb.scope/payload")}) {
        const auto match = match_path(outer + "/system.slice/x.service");
        INFO(outer);
        REQUIRE(match);
        CHECK(match->runtime != Runtime::systemd);
        CHECK_FALSE(match->exact);
        CHECK(outer.substr(0, match->length) == outer.substr(0, outer.find("/payload")));
    }
}

TEST_CASE("what only a runtime's file can confirm is a candidate") {
    for (const auto& path : {std::string("/default/c2"), "/default/" + kId, "/my/own/parent/" + kId,
                             "/" + kId, std::string("/a/b/c3"), "/system.slice/foo.service/" + kId}) {
        INFO(path);
        const auto match = match_path(path);
        REQUIRE(match);
        CHECK(match->candidate);
        CHECK(match->exact);
    }
    INFO("inside a container anyone may make such a directory");
    CHECK_FALSE(match_path("/docker/" + kId + "/" + kOther)->candidate);
    CHECK_FALSE(match_path("/docker/" + kId + "/default/c2")->exact);
    CHECK_FALSE(match_path("/default/.."));
}

TEST_CASE("the user whose manager holds a container is known") {
    CHECK(match_path(kUser + "/user.slice/libpod-" + kId + ".scope")->user == "1000");
    CHECK(match_path("/machine.slice/libpod-" + kId + ".scope")->user.empty());
    CHECK(match_path("/docker/" + kOther + kUser + "/user.slice/libpod-" + kId + ".scope")->user.empty());
    CHECK(
        match_path("/user.slice/user-x.slice/user@x.service/a.slice/libpod-" + kId + ".scope")->user.empty());
}

TEST_CASE("escapes are undone and what is no escape stays") {
    CHECK(unescape_unit("a\\x2db\\x5f") == "a-b_");
    CHECK(unescape_unit("\\x2") == "\\x2");
    CHECK(unescape_unit("\\xzz\\") == "\\xzz\\");
    CHECK(unescape_unit("\\x-1\\x+1") == "\\x-1\\x+1");
    CHECK(unescape_unit(std::string("\\x00", 4)) == std::string(1, '\0'));
}

TEST_CASE("the grammar is total on hostile paths") {
    std::string deep;
    for (int i = 0; i < 100; ++i) {
        deep += "/" + std::string(255, static_cast<char>('a' + i % 26));
    }
    CHECK(match_path(deep)->candidate);
    CHECK(match_path(deep + "/docker/" + kId)->id == kId);
    CHECK(match_path("/system.slice/a\nb\"\xff.service")->name == "a\nb\"\xff.service");
    CHECK(match_path("//docker///" + kId + "//")->id == kId);
    CHECK_FALSE(match_path("///"));

    const std::vector<std::string> parts{
        "/",       "docker", "-",        kId,   ".scope",   ".service",        ".slice",   "lxc",  "pod",
        kUid,      ":",      "kubepods", "\\x", "2d",       "user@",           "user-",    "1000", "crio-",
        "libpod-", "\n",     "\xc3",     "..",  "machine-", "systemd-nspawn@", ".payload."};
    std::mt19937 random(7);
    for (int round = 0; round < 20'000; ++round) {
        std::string path;
        for (auto n = random() % 24; n > 0; --n) {
            path += parts[random() % parts.size()];
        }
        const auto match = match_path(path);
        INFO(path);
        CHECK((!match || (match->length <= path.size() && match->length > 0 && !match->id.empty())));
    }
}
