// SPDX-License-Identifier: Apache-2.0
#include "exposition/pages.h"

#include <atomic>
#include <catch2/catch.hpp>
#include <thread>

#include "gunzip.h"
#include "sample_snapshot.h"

namespace plimsoll {
namespace {

std::shared_ptr<const Snapshot> fresh() {
    return std::make_shared<const Snapshot>(testing::sample_snapshot());
}

}  // namespace

TEST_CASE("Scrapes of one snapshot share a page, per format and encoding") {
    Pages pages;
    const auto snapshot = fresh();
    const auto text = pages.page(snapshot, TextFormat::prometheus, false);
    CHECK(text->body() == testing::golden_text());
    CHECK(pages.page(snapshot, TextFormat::prometheus, false) == text);
    const auto open = pages.page(snapshot, TextFormat::openmetrics, false);
    CHECK(open->body() == testing::golden_openmetrics());
    const auto packed = pages.page(snapshot, TextFormat::prometheus, true);
    CHECK(packed->body() != text->body());
    CHECK(testing::gunzip(packed->body(), text->body().size()) == text->body());
    CHECK(packed->text.bytes == text->body().size());
    CHECK(packed->text.series == text->text.series);
}

TEST_CASE("A page of many pieces is the same packed") {
    Snapshot big = testing::sample_snapshot();
    FamilySamples& family = big.families.front();
    const Sample sample = family.samples.front();
    family.samples.insert(family.samples.end(), 20'000, sample);
    const auto snapshot = std::make_shared<const Snapshot>(std::move(big));
    Pages pages;
    const auto text = pages.page(snapshot, TextFormat::prometheus, false);
    const auto packed = pages.page(snapshot, TextFormat::prometheus, true);
    REQUIRE(text->body().size() > 500'000);
    CHECK(testing::gunzip(packed->body(), text->body().size()) == text->body());
}

TEST_CASE("Another snapshot has another page, and a page lives as long as its readers") {
    Pages pages;
    const auto first = pages.page(fresh(), TextFormat::prometheus, false);
    const auto empty = pages.page(std::make_shared<const Snapshot>(), TextFormat::openmetrics, false);
    CHECK(empty->body() == "# EOF\n");
    CHECK(pages.page(fresh(), TextFormat::prometheus, false) != first);
    CHECK(first->body() == testing::golden_text());
}

TEST_CASE("One scrape at a time always uses the same buffer, when it is packed") {
    Pages pages;
    const Page* first = pages.page(fresh(), TextFormat::prometheus, true).get();
    for (int i = 0; i < 5; ++i) {
        CHECK(pages.page(fresh(), TextFormat::prometheus, false).get() != first);
        CHECK(pages.page(fresh(), TextFormat::prometheus, true).get() == first);
    }
}

TEST_CASE("A page as text is gone with its last reader") {
    Pages pages;
    const auto snapshot = fresh();
    auto page = pages.page(snapshot, TextFormat::prometheus, false);
    const std::weak_ptr<const Page> seen = page;
    CHECK(pages.page(snapshot, TextFormat::prometheus, false) == page);
    page.reset();
    CHECK(seen.expired());
    CHECK(pages.page(snapshot, TextFormat::prometheus, false)->body() == testing::golden_text());
}

TEST_CASE("Threads that scrape several snapshots in several formats get the right page each") {
    Pages pages;
    std::atomic<int> wrong{0};
    std::vector<std::thread> threads;
    const auto shared = fresh();
    for (int i = 0; i < 6; ++i) {
        threads.emplace_back([&, i] {
            for (int k = 0; k < 100; ++k) {
                const bool open = (i + k) % 2 == 0;
                const auto page =
                    pages.page(k % 3 == 0 ? fresh() : shared,
                               open ? TextFormat::openmetrics : TextFormat::prometheus, k % 5 == 0);
                const std::string& golden = open ? testing::golden_openmetrics() : testing::golden_text();
                const bool right = page->gzip ? page->text.bytes == golden.size() : page->body() == golden;
                wrong += right ? 0 : 1;
            }
        });
    }
    for (std::thread& thread : threads) {
        thread.join();
    }
    CHECK(wrong == 0);
}

}  // namespace plimsoll
