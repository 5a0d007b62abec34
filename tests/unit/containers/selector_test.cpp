// SPDX-License-Identifier: Apache-2.0
#include "containers/selector.h"

#include <catch2/catch.hpp>
#include <filesystem>

#include "fixture.h"

using namespace plimsoll;
using container_test::Directory;
using container_test::id_of;

namespace {

const std::string kId = id_of('a');
const std::string kDocker = "/docker/" + kId;
const std::string kPod = "/kubepods/pod12345678-aa/" + kId;

/// A configuration whose runtimes keep their files in a directory of this test.
struct Host {
    Directory files;
    Config::Containers config;

    Host() {
        config.roots.docker = {files.path("docker")};
        config.roots.containerd = {files.path("containerd")};
        config.roots.podman = {files.path("storage")};
        config.roots.crio = {files.path("storage")};
    }
    void docker_file(const std::string& text) {
        files.write("docker/containers/" + kId + "/config.v2.json", text);
    }
    void bundle(const std::string& below, const std::string& text) {
        files.write("containerd/io.containerd.runtime.v2.task/" + below + "/config.json", text);
    }
    std::optional<Container> select(const std::string& path) const {
        return Selector(config, files.path("passwd")).select(path);
    }
};

ContainerRule named(const std::string& name) {
    ContainerRule rule;
    rule.name = name;
    return rule;
}

}  // namespace

TEST_CASE("a discovered container says which rule selected it, also without any file") {
    const Host host;
    const auto container = host.select(kDocker);
    REQUIRE(container);
    CHECK(container->cgroup == kDocker);
    CHECK(container->id == kId);
    CHECK(container->rule == "discover docker");
    CHECK(container->name.empty());
}

TEST_CASE("only the directory that is the container is selected") {
    const Host host;
    CHECK_FALSE(host.select("/"));
    CHECK_FALSE(host.select("/docker"));
    CHECK_FALSE(host.select(kDocker + "/inner"));
    CHECK_FALSE(host.select(kDocker + "/system.slice/x.service"));
}

TEST_CASE("what is not on the discover list is not selected") {
    Host host;
    host.config.discover = {Runtime::podman};
    CHECK_FALSE(host.select(kDocker));
    CHECK(host.select("/libpod-" + kId));
    CHECK_FALSE(host.select("/system.slice/nginx.service"));
}

TEST_CASE("a container of a pod is discovered by kubernetes or by its runtime") {
    Host host;
    CHECK(host.select(kPod)->runtime == Runtime::kubernetes);
    host.bundle("k8s.io/" + kId, R"({"annotations":{"io.kubernetes.cri.container-name":"app"}})");
    host.config.discover = {Runtime::kubernetes};
    CHECK(host.select(kPod)->rule == "discover kubernetes");
    CHECK(host.select(kPod)->runtime == Runtime::containerd);
    CHECK_FALSE(host.select(kDocker));
    host.config.discover = {Runtime::containerd};
    CHECK(host.select(kPod)->rule == "discover containerd");
    host.config.discover = {Runtime::docker};
    CHECK_FALSE(host.select(kPod));
}

TEST_CASE("sandboxes are not selected") {
    Host host;
    host.bundle("k8s.io/" + kId, R"({"annotations":{"io.kubernetes.cri.container-type":"sandbox"}})");
    CHECK_FALSE(host.select(kPod));
}

TEST_CASE("a candidate is selected when a file confirms it, with all that runs inside") {
    Host host;
    CHECK_FALSE(host.select("/default/c2"));
    CHECK(host.select("/default/c2/system.slice/x.service"));
    host.bundle("default/c2", R"({"linux":{"cgroupsPath":"/default/c2"}})");
    CHECK(host.select("/default/c2")->rule == "discover containerd");
    CHECK_FALSE(host.select("/default/c2/system.slice/x.service"));
    CHECK_FALSE(host.select("/default/c2/user.slice/user-0.slice/user@0.service/app.slice/x.service"));
}

TEST_CASE("include keeps what any of its rules matches, and names the rule") {
    Host host;
    host.docker_file(R"({"Name":"/web-1","Config":{"Image":"docker.io/nginx:1","Labels":{"team":"blue"}}})");
    host.config.include = {named("db-*"), named("web-*")};
    CHECK(host.select(kDocker)->rule == "include[1]");
    CHECK_FALSE(host.select("/system.slice/nginx.service"));
    host.config.include = {named("db-*")};
    CHECK_FALSE(host.select(kDocker));
}

TEST_CASE("all given parts of a rule must match") {
    Host host;
    host.docker_file(
        R"({"Name":"/web","Config":{"Image":"docker.io/library/nginx:1","Labels":{"team":"blue"}}})");
    ContainerRule rule;
    rule.name = "w?b";
    rule.image = "docker.io/*:1";
    rule.runtime = "dock*";
    rule.cgroup = "/docker/*";
    rule.labels = {{"team", "b*"}};
    const auto selected = [&](const ContainerRule& changed) {
        host.config.include = {changed};
        return host.select(kDocker).has_value();
    };
    CHECK(selected(rule));
    for (auto* part : {&rule.name, &rule.image, &rule.runtime, &rule.cgroup}) {
        const auto kept = std::exchange(*part, "other");
        CHECK_FALSE(selected(rule));
        *part = kept;
    }
    rule.labels = {{"team", "red"}};
    CHECK_FALSE(selected(rule));
    rule.labels = {{"absent", "*"}};
    CHECK_FALSE(selected(rule));
}

TEST_CASE("exclude wins over include, and kubernetes in a rule means any container of a pod") {
    Host host;
    host.config.include = {named("*")};
    CHECK(host.select(kPod));
    host.bundle("k8s.io/" + kId, "{}");
    ContainerRule pods;
    pods.runtime = "kubernetes";
    host.config.exclude = {pods};
    CHECK_FALSE(host.select(kPod));
    CHECK(host.select("/libpod-" + kId));
}

TEST_CASE("a rule for cgroups wins over all else") {
    Host host;
    host.config.cgroups = {{"/batch/*", std::nullopt}, {"/docker/**", "dockers"}};
    host.config.exclude = {named("*")};
    const auto job = host.select("/batch/job-1");
    REQUIRE(job);
    CHECK(job->runtime == Runtime::cgroup);
    CHECK(job->name == "job-1");
    CHECK(job->rule == "cgroups[0]");
    CHECK_FALSE(host.select("/batch/job-1/step"));
    CHECK(host.select(kDocker)->name == "dockers");
    CHECK(host.select(kDocker)->rule == "cgroups[1]");
    CHECK_FALSE(host.select("/system.slice/nginx.service"));
}

TEST_CASE("refresh sees a rename and a file that comes late, and forgets nothing when files go") {
    Host host;
    const Selector selector(host.config);
    auto container = *selector.select(kDocker);
    CHECK_FALSE(selector.refresh(container));
    host.docker_file(R"({"Name":"/web"})");
    CHECK(selector.refresh(container));
    CHECK(container.name == "web");
    CHECK_FALSE(selector.refresh(container));
    host.docker_file(R"({"Name":"/web2"})");
    CHECK(selector.refresh(container));
    CHECK(container.name == "web2");
    CHECK(container.rule == "discover docker");
    std::filesystem::remove_all(host.files.path("docker"));
    CHECK_FALSE(selector.refresh(container));
    CHECK(container.name == "web2");
}

TEST_CASE("names from the outside are taken as they are") {
    Host host;
    host.config.include = {named("*")};
    const std::string unit = "/system.slice/a\nb\"\xff" + std::string(230, 'x') + ".service";
    REQUIRE(host.select(unit));
    CHECK(host.select(unit)->cgroup == unit);
    std::string deep;
    for (int i = 0; i < 100; ++i) {
        deep += "/" + std::string(255, 'd');
    }
    CHECK_FALSE(host.select(deep));
    CHECK(host.select(deep + kDocker));
}

TEST_CASE("a path that does not begin with a slash is looked at once, not for ever") {
    const Host host;
    const Selector selector(host.config, "");
    CHECK(selector.select("a.service"));
    CHECK_FALSE(selector.select("a"));
    CHECK(selector.container_around("a.service/b") == "a.service");
    CHECK_FALSE(selector.container_around("a"));
}
