// SPDX-License-Identifier: Apache-2.0
#include "exposition/security/web_policy.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <filesystem>
#include <fstream>
#include <thread>

#include "exposition/snapshot_exchange.h"
#include "fake_source.h"
#include "http_client.h"

namespace plimsoll {
namespace {

using testing::sample_snapshot;
namespace fs = std::filesystem;

/// A directory of its own that is gone afterwards.
struct Folder {
    Folder() {
        std::string name = (fs::temp_directory_path() / "plimsoll-web-XXXXXX").string();
        REQUIRE(mkdtemp(name.data()) != nullptr);
        path = name;
    }
    ~Folder() { fs::remove_all(path); }
    Folder(const Folder&) = delete;
    Folder& operator=(const Folder&) = delete;

    std::string write(const std::string& name, const std::string& text) const {
        std::ofstream(path / name) << text;
        return (path / name).string();
    }
    fs::path path;
};

std::string with_header(const std::string& value) {
    return "http_server_config: {headers: {X-XSS-Protection: '" + value + "'}}\n";
}

constexpr const char* kAlice =  // its password is U*U
    "basic_auth_users: {alice: $2b$05$CCCCCCCCCCCCCCCCCCCCC.E5YPO9kmyuRGyh0XouQYb4YMJKvyOeW}\n";
constexpr const char* kLogin = "Authorization: Basic YWxpY2U6VSpV\r\n";

}  // namespace

TEST_CASE("A file that changes is read again when it has come to rest, once") {
    const Folder folder;
    const std::string path = folder.write("web.yml", with_header("0"));
    PolicyWatch watch;
    watch.reset(path, load_policy(path).files);
    CHECK_FALSE(watch.poll());
    folder.write("web.yml", with_header("11"));
    CHECK_FALSE(watch.poll());  // it may still be written
    folder.write("web.yml", with_header("111"));
    CHECK_FALSE(watch.poll());
    const auto loaded = watch.poll();
    REQUIRE(loaded);
    REQUIRE(loaded->policy);
    CHECK((*loaded->policy)->headers == "X-XSS-Protection: 111\r\n");
    CHECK_FALSE(watch.poll());
    CHECK_FALSE(watch.poll());
}

TEST_CASE("A file that is replaced, through links or by removal, has changed") {
    const Folder folder;
    fs::create_directories(folder.path / "v1");
    fs::create_directories(folder.path / "v2");
    folder.write("v1/web.yml", with_header("0"));
    folder.write("v2/web.yml", with_header("1"));
    fs::create_directory_symlink("v1", folder.path / "data");
    const std::string path = (folder.path / "data/web.yml").string();
    PolicyWatch watch;
    watch.reset(path, load_policy(path).files);
    fs::create_directory_symlink("v2", folder.path / "new");
    fs::rename(folder.path / "new", folder.path / "data");
    CHECK_FALSE(watch.poll());
    const auto loaded = watch.poll();
    REQUIRE((loaded && loaded->policy));
    CHECK((*loaded->policy)->headers == "X-XSS-Protection: 1\r\n");
    fs::remove(folder.path / "data");
    CHECK_FALSE(watch.poll());
    const auto gone = watch.poll();
    REQUIRE(gone);
    CHECK(gone->policy.error() == ConfigErrors{path + ": cannot be read: No such file or directory"});
    CHECK_FALSE(watch.poll());
}

TEST_CASE("The files that a configuration names are watched, too, also those that are missing") {
    const Folder folder;
    const std::string path =
        folder.write("web.yml", "tls_server_config: {cert_file: c.pem, key_file: k.pem}\n");
    auto loaded = load_policy(path);
    CHECK(loaded.policy.error() == ConfigErrors{path + ": " + (folder.path / "c.pem").string() +
                                                ": cannot be read: No such file or directory"});
    PolicyWatch watch;
    watch.reset(path, loaded.files);
    folder.write("c.pem", "no certificate\n");
    CHECK_FALSE(watch.poll());
    const auto again = watch.poll();
    REQUIRE(again);
    CHECK(again->policy.error() ==
          ConfigErrors{path + ": " + (folder.path / "c.pem").string() + ": no certificate in PEM form"});
}

TEST_CASE("Who may read what is secret is looked at") {
    const Folder folder;
    const std::string path = folder.write("web.yml", kAlice);
    fs::permissions(path, fs::perms(0600));
    const std::string no_tls = path + ": passwords without TLS can be read on their way";
    CHECK((*load_policy(path).policy)->warnings == std::vector<std::string>{no_tls});
    fs::permissions(path, fs::perms(0644));
    CHECK((*load_policy(path).policy)->warnings ==
          std::vector<std::string>{path + ": everybody on this host may read the hashes of the passwords",
                                   no_tls});
}

TEST_CASE("Thirty-two scrapers go on while passwords, headers and addresses change") {
    const Folder folder;
    const std::string path = folder.write("web.yml", kAlice + with_header("1"));
    testing::FakeSource source;
    constexpr int kScrapers = 32, kChanges = 40;
    std::atomic<bool> stop{false};
    std::atomic<int> answered{0}, wrong{0};
    std::atomic<std::uint16_t> port{0};
    const auto serve = [&](const PolicyPtr& policy) {
        auto web = WebServer::start({"127.0.0.1:0"}, source, {}, policy);
        REQUIRE(web);
        port = (*web)->ports().at(0);
        return std::move(*web);
    };
    auto web = serve(*load_policy(path).policy);
    std::vector<std::thread> scrapers;
    for (int i = 0; i < kScrapers; ++i) {
        scrapers.emplace_back([&, i] {
            const int wanted = i % 4 == 0 ? 401 : 200;
            while (!stop) {
                const std::uint16_t asked = port;
                try {
                    const auto reply = testing::get(asked, "/metrics", i % 4 == 0 ? "" : kLogin);
                    answered += reply.status == wanted ? 1 : 0;
                    // 0: the server has moved; 503: eight are being checked for the first time
                    wrong += reply.status != wanted && reply.status != 0 && reply.status != 503 ? 1 : 0;
                } catch (const std::runtime_error&) {  // nobody listens there
                    wrong += asked == port ? 1 : 0;
                }
            }
        });
    }
    for (int change = 0; change < kChanges; ++change) {
        const int before = answered;
        folder.write("web.yml", kAlice + with_header(std::to_string(change)));
        const auto policy = *load_policy(path).policy;
        if (change % 10 == 9) {
            web = serve(policy);  // the former one ends with scrapes under way
        } else {
            web->adopt(policy);
        }
        const auto end = std::chrono::steady_clock::now() + std::chrono::seconds(20);
        while (answered < before + kScrapers && std::chrono::steady_clock::now() < end) {
            std::this_thread::yield();
        }
        CHECK(answered >= before + kScrapers);
    }
    const auto reply = testing::get(port, "/metrics", kLogin);
    stop = true;
    for (auto& scraper : scrapers) {
        scraper.join();
    }
    CHECK(reply.headers.at("x-xss-protection") == std::to_string(kChanges - 1));
    CHECK(wrong == 0);
}

}  // namespace plimsoll
