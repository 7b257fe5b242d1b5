// SPDX-License-Identifier: Apache-2.0
// Notices what changes in the store: told by the kernel where it tells, and by looking.

#pragma once

#include <chrono>
#include <functional>
#include <map>
#include <string>
#include <thread>
#include <vector>

#include "absl/status/status.h"

#include "server/repository/store_listing.h"

namespace octet {

// Thread safety: Start, Stop and the destructor from one thread.
class StoreWatcher {
 public:
  struct Options {
    std::string path;
    // How often it looks, whatever the kernel says: network file systems tell nothing.
    std::chrono::nanoseconds poll = std::chrono::seconds(1);
  };
  // `on_listing` is called on the watching thread, first with what there is, and then after each
  // change. While the folder cannot be listed nothing is known to have changed.
  StoreWatcher(Options options, std::function<void(std::vector<StoredModel>)> on_listing);
  // Stops.
  ~StoreWatcher();
  StoreWatcher(const StoreWatcher&) = delete;
  StoreWatcher& operator=(const StoreWatcher&) = delete;

  // Starts the thread `watch`.
  void Start();
  // Returns when the thread has ended, which is soon.
  void Stop();

 private:
  void Watch();
  // Lists, and tells of it if it is another. Returns whether a folder is watched that was not.
  bool Look();
  // Has the kernel tell of the folders of the last listing. Returns as Look.
  bool WatchFolders();
  // Waits for the kernel to tell of something, for `poll` to pass, or for the end, of which it
  // returns whether it has come.
  bool WaitForChange();
  // Whether the end comes within `time`.
  bool EndsWithin(std::chrono::milliseconds time) const;

  const Options options_;
  const std::function<void(std::vector<StoredModel>)> on_listing_;
  int events_ = -1;  // of inotify; -1: looking must do
  int end_ = -1;     // readable once it is to stop
  std::thread thread_;

  // Of the thread.
  std::vector<StoredModel> listing_;
  bool has_listing_ = false;
  absl::Status status_;                 // of the last try to list
  std::map<std::string, int> watches_;  // folders to descriptors
  bool can_watch_ = true;
};

}  // namespace octet
