// SPDX-License-Identifier: Apache-2.0

#include "server/process/stop_signals.h"

#include <chrono>
#include <csignal>
#include <unistd.h>

#include "gtest/gtest.h"

namespace octet {
namespace {

// Each runs in a process of its own: signals belong to the whole process.
TEST(StopSignalsDeathTest, FirstSignalIsWaitedForAndTheSecondEnds) {
  EXPECT_EXIT(
      {
        StopSignals stop;
        if (stop.HasCome()) _exit(10);
        if (stop.WaitUntil(std::chrono::steady_clock::now())) _exit(12);
        kill(getpid(), SIGTERM);
        if (!stop.WaitUntil(std::chrono::steady_clock::now() + std::chrono::hours(1))) _exit(11);
        kill(getpid(), SIGINT);
        while (true) pause();
      },
      testing::ExitedWithCode(1), "");
}

TEST(StopSignalsDeathTest, SecondSignalEndsAThreadThatNeverWaits) {
  EXPECT_EXIT(
      {
        const StopSignals stop;
        kill(getpid(), SIGTERM);
        while (!stop.HasCome()) {
        }
        kill(getpid(), SIGTERM);
        while (true) {
        }
      },
      testing::ExitedWithCode(1), "");
}

TEST(StopSignalsDeathTest, EndsWithoutASignal) {
  EXPECT_EXIT(
      {
        { const StopSignals stop; }
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

TEST(StopSignalsDeathTest, ClosedPipeEndsNothing) {
  EXPECT_EXIT(
      {
        const StopSignals stop;
        kill(getpid(), SIGPIPE);
        _exit(0);
      },
      testing::ExitedWithCode(0), "");
}

}  // namespace
}  // namespace octet
