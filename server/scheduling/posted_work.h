// SPDX-License-Identifier: Apache-2.0
// Work that other threads hand to the workers, among the events of another source.
//
// A front end with a thread of its own reads a request's bytes there, and posts the rest: decoding,
// running and encoding are a worker's.

#pragma once

#include <cstddef>
#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"

#include "models/base/mutex.h"
#include "server/scheduling/event_source.h"

namespace octet {

// Thread safety: Post and Wake from any thread; Poll by one thread at a time.
class PostedWork final : public EventSource {
 public:
  // Called once, by the worker that polls; `worker` is its index.
  using Task = std::function<void(std::size_t worker)>;

  // `events` is borrowed. What is posted and its events take turns, where there are both.
  explicit PostedWork(EventSource& events) : events_(events) {}
  PostedWork(const PostedWork&) = delete;
  PostedWork& operator=(const PostedWork&) = delete;

  // Returns false, and calls nothing, once `events` has been shut down. Who posts bounds how much:
  // nothing here does.
  [[nodiscard]] bool Post(Task task) ABSL_LOCKS_EXCLUDED(mutex_);

  // Says kShutDown when `events` does; what was posted is done by then.
  Polled Poll(std::size_t worker, TimePoint until) override ABSL_LOCKS_EXCLUDED(mutex_);
  void Wake() override { events_.Wake(); }

 private:
  // An empty function: there is none.
  Task Take() ABSL_LOCKS_EXCLUDED(mutex_);
  // Nobody posts any more; does what was posted.
  Polled End(std::size_t worker) ABSL_LOCKS_EXCLUDED(mutex_);

  EventSource& events_;
  bool is_its_turn_ = false;  // of `events_`; only Poll touches it

  Mutex mutex_;
  std::deque<Task> tasks_ ABSL_GUARDED_BY(mutex_);
  bool is_shut_down_ ABSL_GUARDED_BY(mutex_) = false;
};

}  // namespace octet
