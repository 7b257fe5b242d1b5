// SPDX-License-Identifier: Apache-2.0

#include "server/process/log_sink.h"

#include <atomic>
#include <csignal>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono::steady_clock;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

struct Pipe {
  Pipe() { EXPECT_EQ(pipe(ends), 0); }
  ~Pipe() { close(ends[0]); }
  std::string ReadAll() const {
    close(ends[1]);
    std::string text;
    char buffer[4096];
    for (ssize_t n = 0; (n = read(ends[0], buffer, sizeof(buffer))) > 0;) {
      text.append(buffer, static_cast<std::size_t>(n));
    }
    return text;
  }
  int ends[2] = {};
};

TEST(LogSinkTest, LinesOfEachThreadArriveInTheirOrder) {
  const Pipe pipe;
  std::string text;
  std::thread reader([&] {
    char buffer[4096];
    while (true) {
      const ssize_t n = read(pipe.ends[0], buffer, sizeof(buffer));
      text.append(buffer, static_cast<std::size_t>(n));
      if (text.find("the end") != std::string::npos) return;
    }
  });
  {
    LogSink sink({.fd = pipe.ends[1], .max_lines = 1 << 14, .flush = 30s});
    std::vector<std::thread> threads;
    for (const char name : {'a', 'b', 'c'}) {
      threads.emplace_back([&sink, name] {
        for (int i = 0; i < 500; ++i) sink.Write(absl::StrCat(std::string(1, name), i, "\n"));
      });
    }
    for (std::thread& thread : threads) thread.join();
    sink.Write("the end\n");
    EXPECT_EQ(sink.dropped(), 0U);
  }
  reader.join();
  close(pipe.ends[1]);
  for (const char name : {'a', 'b', 'c'}) {
    std::size_t at = 0;
    for (int i = 0; i < 500; ++i) {
      at = text.find(absl::StrCat(std::string(1, name), i, "\n"), at);
      ASSERT_NE(at, std::string::npos) << name << i;
    }
  }
}

TEST(LogSinkTest, ReaderThatDoesNotReadHoldsUpNobody) {
  const Pipe pipe;
  const auto begun = steady_clock::now();
  std::uint64_t dropped = 0;
  {
    LogSink sink({.fd = pipe.ends[1], .max_lines = 64, .flush = 100ms});
    for (int i = 0; i < 100'000; ++i) sink.Write(std::string(100, 'x') + "\n");
    dropped = sink.dropped();
  }
  EXPECT_LT(steady_clock::now() - begun, 20s);
  EXPECT_GT(dropped, 50'000U);
  // Whole lines, as far as they go.
  const std::string text = pipe.ReadAll();
  EXPECT_LE(text.size(), (64U << 10) + 101);
}

TEST(LogSinkTest, TellsHowManyWereDroppedOnceThereIsRoom) {
  const Pipe pipe;
  std::atomic<std::uint64_t> told = 0;
  LogSink sink({.fd = pipe.ends[1], .max_lines = 64, .describe_dropped = [&](std::uint64_t n) {
                  told += n;
                  return absl::StrCat("dropped ", n, "\n");
                }});
  for (int i = 0; i < 5'000; ++i) sink.Write(std::string(100, 'x') + "\n");
  EXPECT_GT(sink.dropped(), 0U);
  std::string text;
  char buffer[4096];
  while (text.find("dropped ") == std::string::npos || told != sink.dropped()) {
    const ssize_t n = read(pipe.ends[0], buffer, sizeof(buffer));
    ASSERT_GT(n, 0);
    text.append(buffer, static_cast<std::size_t>(n));
  }
  EXPECT_EQ(told.load(), sink.dropped());
}

TEST(LogSinkTest, ReaderThatIsGoneEndsNothing) {
  Pipe pipe;
  close(pipe.ends[0]);
  pipe.ends[0] = dup(0);
  signal(SIGPIPE, SIG_IGN);
  LogSink sink({.fd = pipe.ends[1]});
  for (int i = 0; i < 100; ++i) sink.Write("x\n");
}

}  // namespace
}  // namespace octet
