// SPDX-License-Identifier: Apache-2.0

#include "server/process/log_sink.h"

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <climits>
#include <poll.h>
#include <pthread.h>
#include <thread>
#include <unistd.h>
#include <utility>

#include "absl/strings/string_view.h"

#include "models/base/bounded_ring.h"

namespace octet {

using std::chrono::steady_clock;

struct LogSink::State {
  explicit State(Options given) : options(std::move(given)), lines(options.max_lines) {}

  // Whether nobody wants it to go on: the flush is over.
  [[nodiscard]] bool IsOver() const {
    return ends.load() && steady_clock::now().time_since_epoch().count() >= give_up_at.load();
  }

  // Writes as much as fits whenever the descriptor has room, so that the end is seen meanwhile.
  void WriteWhole(absl::string_view rest) {
    constexpr int kLook = 100;  // milliseconds
    while (!rest.empty()) {
      pollfd ready = {.fd = options.fd, .events = POLLOUT, .revents = 0};
      if (poll(&ready, 1, kLook) == 0) {
        if (IsOver()) return;
        continue;
      }
      // A pipe that is ready takes so many bytes without waiting.
      const ssize_t written =
          write(options.fd, rest.data(), std::min<std::size_t>(rest.size(), PIPE_BUF));
      if (written < 0 && (errno == EINTR || errno == EAGAIN)) continue;
      if (written <= 0) return;  // the reader is gone
      rest.remove_prefix(static_cast<std::size_t>(written));
    }
  }

  const Options options;
  BoundedRing<std::string> lines;
  std::atomic<std::uint32_t> wake{0};
  std::atomic<std::uint64_t> dropped{0};
  std::atomic<bool> ends{false};
  std::atomic<steady_clock::rep> give_up_at{0};
  std::atomic<std::uint32_t> has_ended{0};
};

LogSink::LogSink(Options options) : state_(std::make_shared<State>(std::move(options))) {
  std::thread thread([state = state_] { Run(*state); });
  pthread_setname_np(thread.native_handle(), "log");
  thread.detach();
}

LogSink::~LogSink() {
  const steady_clock::time_point until = steady_clock::now() + state_->options.flush;
  state_->give_up_at = until.time_since_epoch().count();
  state_->ends = true;
  ++state_->wake;
  state_->wake.notify_one();
  constexpr std::chrono::milliseconds kLook{1};
  constexpr std::chrono::milliseconds kGrace{300};  // to notice, and to end
  while (state_->has_ended == 0 && steady_clock::now() < until + kGrace) {
    std::this_thread::sleep_for(kLook);
  }
}

void LogSink::Write(std::string line) {
  if (!state_->lines.TryPush(line)) {
    state_->dropped.fetch_add(1, std::memory_order_relaxed);
    return;
  }
  state_->wake.fetch_add(1);
  state_->wake.notify_one();
}

std::uint64_t LogSink::dropped() const { return state_->dropped.load(std::memory_order_relaxed); }

void LogSink::Run(State& state) {
  std::uint64_t told = 0;
  while (true) {
    const std::uint32_t seen = state.wake.load();
    if (const std::optional<std::string> line = state.lines.TryPop()) {
      if (!state.IsOver()) state.WriteWhole(*line);
      continue;
    }
    // Once there is room again, so that this line does not push another out.
    if (const std::uint64_t dropped = state.dropped.load(); dropped > told && !state.IsOver()) {
      if (state.options.describe_dropped) {
        state.WriteWhole(state.options.describe_dropped(dropped - told));
      }
      told = dropped;
      continue;
    }
    if (state.ends) break;
    state.wake.wait(seen);
  }
  state.has_ended = 1;
}

}  // namespace octet
