// SPDX-License-Identifier: Apache-2.0

#include "server/process/stop_signals.h"

#include <pthread.h>
#include <unistd.h>

namespace octet {

StopSignals::StopSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);  // a reader of the log that went away ends no server
  // Where files may only be so large, a client's shared memory included, a write fails.
  sigaction(SIGXFSZ, &ignore, nullptr);
  thread_ = std::thread([this] { Take(); });
  pthread_setname_np(thread_.native_handle(), "signals");
}

StopSignals::~StopSignals() {
  ends_ = true;
  // NOLINTNEXTLINE(bugprone-bad-signal-to-kill-thread): the thread waits for it
  pthread_kill(thread_.native_handle(), SIGTERM);
  thread_.join();
}

bool StopSignals::WaitUntil(std::chrono::steady_clock::time_point until) {
  MutexLock lock(mutex_);
  while (!has_come_ && std::chrono::steady_clock::now() < until) changed_.WaitUntil(mutex_, until);
  return has_come_;
}

void StopSignals::Take() {
  while (true) {
    int signal = 0;
    sigwait(&set_, &signal);
    if (ends_) return;
    if (has_come_.exchange(true)) _exit(1);
    MutexLock lock(mutex_);
    changed_.NotifyAll();
  }
}

}  // namespace octet
