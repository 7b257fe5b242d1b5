// SPDX-License-Identifier: Apache-2.0
#include "server/repository/store_watcher.h"

#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "models/base/mutex.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

namespace fs = std::filesystem;
using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

class StoreWatcherTest : public ::testing::Test {
 protected:
  // Starts a watcher and waits for its first listing.
  void Watch(std::chrono::nanoseconds poll) {
    watcher_ =
        std::make_unique<StoreWatcher>(StoreWatcher::Options{.path = root_ / "", .poll = poll},
                                       [this](std::vector<StoredModel> listing) {
                                         MutexLock lock(mutex_);
                                         listing_ = std::move(listing);
                                         ++num_listings_;
                                         changed_.NotifyAll();
                                       });
    watcher_->Start();
    ASSERT_TRUE(Await([](const auto&) { return true; }));
  }
  bool Await(const std::function<bool(const std::vector<StoredModel>&)>& is_right) {
    const auto until = std::chrono::steady_clock::now() + 60s;
    MutexLock lock(mutex_);
    while (num_listings_ == 0 || !is_right(listing_)) {
      if (std::chrono::steady_clock::now() >= until) return false;
      changed_.WaitUntil(mutex_, until);
    }
    return true;
  }
  bool AwaitVersions(std::size_t count) {
    return Await([count](const std::vector<StoredModel>& listing) {
      std::size_t found = 0;
      for (const StoredModel& model : listing) found += model.versions.size();
      return found == count;
    });
  }
  std::string Fingerprint() {
    MutexLock lock(mutex_);
    return listing_.at(0).versions.at(0).fingerprint;
  }
  void ChangeEverything() {
    fs::create_directories(root_ / "m/1");
    ASSERT_TRUE(AwaitVersions(1));
    const std::string empty = Fingerprint();
    testing::WriteWhole(root_ / "m/1/manifest.json", "a");
    ASSERT_TRUE(Await([&](const auto& all) { return all[0].versions[0].fingerprint != empty; }));
    const std::string first = Fingerprint();
    testing::WriteWhole(root_ / "m/1/manifest.json", "bb");
    ASSERT_TRUE(Await([&](const auto& all) { return all[0].versions[0].fingerprint != first; }));
    testing::WriteWhole(root_ / "m/2.octet", "c");
    ASSERT_TRUE(AwaitVersions(2));
    fs::rename(root_ / "m", root_ / ".m");
    ASSERT_TRUE(AwaitVersions(0));
    fs::create_directories(root_ / "m/3");
    ASSERT_TRUE(AwaitVersions(1));
    fs::remove_all(root_ / "m");
    ASSERT_TRUE(AwaitVersions(0));
  }

  testing::TemporaryDirectory root_;
  Mutex mutex_;
  CondVar changed_;
  std::vector<StoredModel> listing_ ABSL_GUARDED_BY(mutex_);
  int num_listings_ ABSL_GUARDED_BY(mutex_) = 0;
  std::unique_ptr<StoreWatcher> watcher_;
};

TEST_F(StoreWatcherTest, TheKernelTellsOfChanges) {
  Watch(1h);
  ChangeEverything();
}

TEST_F(StoreWatcherTest, LookingFindsWhatTheKernelDoesNotTell) {
  // A linked folder's own changes come by its parent, which is not watched.
  fs::create_directories(root_ / ".data/a/1");
  fs::create_directories(root_ / ".data/b/1");
  fs::create_directory_symlink("a", root_ / ".data/now");
  fs::create_directory_symlink(".data/now", root_ / "m");
  testing::WriteWhole(root_ / ".data/b/1/manifest.json", "b");
  Watch(10ms);
  const std::string before = Fingerprint();
  fs::create_directory_symlink("b", root_ / ".data/new");
  fs::rename(root_ / ".data/new", root_ / ".data/now");
  EXPECT_TRUE(Await([&](const auto& all) { return all[0].versions[0].fingerprint != before; }));
}

TEST_F(StoreWatcherTest, ItEndsAtOnce) {
  Watch(1h);
  const auto start = std::chrono::steady_clock::now();
  watcher_->Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - start, 30s);
}

}  // namespace
}  // namespace octet
