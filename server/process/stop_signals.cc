// SPDX-License-Identifier: Apache-2.0

#include "server/process/stop_signals.h"

#include <pthread.h>
#include <unistd.h>

namespace octet {
namespace {

void EndAtOnce(int /*signal*/) { _exit(1); }

}  // namespace

StopSignals::StopSignals() {
  sigemptyset(&set_);
  sigaddset(&set_, SIGTERM);
  sigaddset(&set_, SIGINT);
  pthread_sigmask(SIG_BLOCK, &set_, nullptr);
  struct sigaction ignore = {};
  ignore.sa_handler = SIG_IGN;
  sigaction(SIGPIPE, &ignore, nullptr);  // a reader of the log that went away ends no server
}

bool StopSignals::HasCome() const {
  sigset_t pending;
  sigemptyset(&pending);
  sigpending(&pending);
  return sigismember(&pending, SIGTERM) == 1 || sigismember(&pending, SIGINT) == 1;
}

void StopSignals::Wait() const {
  int signal = 0;
  sigwait(&set_, &signal);
  // A handler of our own: the first process of a container is spared the default action.
  struct sigaction end = {};
  end.sa_handler = EndAtOnce;
  sigaction(SIGTERM, &end, nullptr);
  sigaction(SIGINT, &end, nullptr);
  pthread_sigmask(SIG_UNBLOCK, &set_, nullptr);
}

}  // namespace octet
