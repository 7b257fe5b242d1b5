// SPDX-License-Identifier: Apache-2.0

#include "server/repository/store_watcher.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstddef>
#include <cstring>
#include <poll.h>
#include <pthread.h>
#include <set>
#include <sys/eventfd.h>
#include <sys/inotify.h>
#include <unistd.h>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/strings/match.h"
#include "spdlog/spdlog.h"

namespace octet {
namespace {

using std::chrono::milliseconds;

// Files come in crowds: one look for all that come within so long.
constexpr milliseconds kCrowd{20};
constexpr std::uint32_t kChanges =
    IN_CLOSE_WRITE | IN_CREATE | IN_DELETE | IN_MOVED_FROM | IN_MOVED_TO | IN_ATTRIB | IN_ONLYDIR;
// New folders may have new ones in them before they are watched; polling finds the rest.
constexpr int kMostLooksAtOnce = 4;

int ToPollTime(std::chrono::nanoseconds time) {
  const auto whole = std::chrono::ceil<milliseconds>(time).count();
  return static_cast<int>(std::clamp<std::int64_t>(whole, 1, 3'600'000));
}

// The folders in which something of a listing may change.
std::set<std::string> FoldersOf(const std::string& root, const std::vector<StoredModel>& listing) {
  std::set<std::string> folders = {root};
  for (const StoredModel& model : listing) {
    if (!IsModelName(model.name)) continue;
    folders.insert(root + "/" + model.name);
    for (const StoredVersion& version : model.versions) {
      if (!absl::EndsWith(version.path, ".octet")) folders.insert(version.path);
    }
  }
  return folders;
}

}  // namespace

StoreWatcher::StoreWatcher(Options options,
                           std::function<void(std::vector<StoredModel>)> on_listing)
    : options_(std::move(options)), on_listing_(std::move(on_listing)) {}

StoreWatcher::~StoreWatcher() { Stop(); }

void StoreWatcher::Start() {
  events_ = inotify_init1(IN_NONBLOCK | IN_CLOEXEC);
  end_ = eventfd(0, EFD_CLOEXEC);
  thread_ = std::thread([this] {
    pthread_setname_np(pthread_self(), "watch");
    Watch();
  });
}

void StoreWatcher::Stop() {
  if (!thread_.joinable()) return;
  const std::uint64_t one = 1;
  static_cast<void>(write(end_, &one, sizeof(one)));
  thread_.join();
  if (events_ >= 0) close(events_);
  if (end_ >= 0) close(end_);
  events_ = end_ = -1;
}

void StoreWatcher::Watch() {
  do {
    for (int i = 0; i < kMostLooksAtOnce && Look(); ++i) {
    }
  } while (!WaitForChange());
}

bool StoreWatcher::Look() {
  absl::StatusOr<std::vector<StoredModel>> listing = ListStore(options_.path);
  if (!listing.ok()) {
    if (status_ != listing.status()) {
      spdlog::warn("the model repository cannot be looked at, nothing is loaded or unloaded: {}",
                   std::string(listing.status().message()));
    }
    status_ = listing.status();
    return false;
  }
  status_ = absl::OkStatus();
  if (!has_listing_ || *listing != listing_) {
    has_listing_ = true;
    listing_ = *listing;
    on_listing_(*std::move(listing));
  }
  return WatchFolders();
}

bool StoreWatcher::WatchFolders() {
  if (events_ < 0 || !can_watch_) return false;
  const std::set<std::string> folders = FoldersOf(options_.path, listing_);
  bool has_new = false;
  for (const std::string& folder : folders) {
    const int watch = inotify_add_watch(events_, folder.c_str(), kChanges);
    if (watch < 0 && errno == ENOSPC) {
      can_watch_ = false;
      spdlog::warn(
          "the kernel watches no more folders for this user (fs.inotify.max_user_watches): the "
          "model repository is looked at every {} ms",
          std::chrono::duration_cast<milliseconds>(options_.poll).count());
    }
    if (watch < 0) continue;
    const auto [known, is_new] = watches_.try_emplace(folder, watch);
    has_new = has_new || is_new || known->second != watch;
    if (known->second == watch) continue;
    inotify_rm_watch(events_, known->second);  // another folder has come in its place
    known->second = watch;
  }
  std::erase_if(watches_, [&](const auto& entry) {
    if (folders.contains(entry.first)) return false;
    inotify_rm_watch(events_, entry.second);
    return true;
  });
  return has_new;
}

bool StoreWatcher::EndsWithin(milliseconds time) const {
  pollfd end = {.fd = end_, .events = POLLIN, .revents = 0};
  return poll(&end, 1, static_cast<int>(time.count())) > 0;
}

bool StoreWatcher::WaitForChange() {
  // A negative descriptor is passed over.
  std::array<pollfd, 2> waited = {{{.fd = end_, .events = POLLIN, .revents = 0},
                                   {.fd = events_, .events = POLLIN, .revents = 0}}};
  const int count = poll(waited.data(), waited.size(), ToPollTime(options_.poll));
  if (waited[0].revents != 0) return true;
  if (count <= 0 || waited[1].revents == 0) return false;
  if (EndsWithin(kCrowd)) return true;
  alignas(inotify_event) std::array<char, 4096> ignored{};
  while (read(events_, ignored.data(), ignored.size()) > 0) {
  }
  return false;
}

}  // namespace octet
