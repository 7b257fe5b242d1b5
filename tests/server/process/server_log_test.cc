// SPDX-License-Identifier: Apache-2.0

#include "server/process/server_log.h"

#include <string>
#include <sys/mman.h>
#include <unistd.h>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"
#include "spdlog/spdlog.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;
using testing::ElementsAre;
using testing::EndsWith;
using testing::HasSubstr;

// What `say` has the log write.
template <typename Say>
std::vector<std::string> LinesOf(ServerLog::Options options, Say say) {
  const int fd = memfd_create("log", 0);
  options.fd = fd;
  {
    ServerLog log(options);
    say(log);
  }
  std::string text(static_cast<std::size_t>(lseek(fd, 0, SEEK_END)), '\0');
  EXPECT_EQ(pread(fd, text.data(), text.size(), 0), static_cast<ssize_t>(text.size()));
  close(fd);
  return absl::StrSplit(text, '\n', absl::SkipEmpty());
}

TEST(ServerLogTest, TakesWhatIsSaidThroughSpdlogFromItsLevelOn) {
  const auto say = [](ServerLog&) {
    spdlog::debug("a");
    spdlog::info("b");
    spdlog::warn("c");
    spdlog::error("d\nforged");
    spdlog::critical("e");
  };
  EXPECT_THAT(
      LinesOf({.level = LogLevel::kWarn}, say),
      ElementsAre(EndsWith("Z warn c"), EndsWith("Z error d\\nforged"), EndsWith("Z critical e")));
  EXPECT_EQ(LinesOf({.level = LogLevel::kDebug}, say).size(), 5U);
  EXPECT_THAT(LinesOf({.format = LogFormat::kJson, .level = LogLevel::kError}, say)[0],
              HasSubstr(R"("level":"error","message":"d\nforged"})"));
}

TEST(ServerLogTest, ALibrarysLinesAreLimitedByTheirSourceAndEscaped) {
  const auto lines = LinesOf({}, [](ServerLog& log) {
    for (int i = 0; i < 100; ++i) {
      log.LogLibrary(LogLevel::kWarn, "gRPC", "x.cc:1", absl::StrCat("made up\n", i));
    }
    log.LogLibrary(LogLevel::kError, "gRPC", "x.cc:2", "another");
    log.LogLibrary(LogLevel::kDebug, "gRPC", "x.cc:3", "not asked for");
  });
  // Where a window of time ends in between, twice as many.
  EXPECT_GE(lines.size(), RepeatLimit::kMostInWindow + 1);
  EXPECT_LE(lines.size(), 2 * RepeatLimit::kMostInWindow + 1);
  EXPECT_THAT(lines.front(), EndsWith("Z warn gRPC: made up\\n0 source=x.cc:1"));
  EXPECT_THAT(lines.back(), EndsWith("Z error gRPC: another source=x.cc:2"));
}

TEST(ServerLogTest, RequestHasItsFields) {
  const auto lines = LinesOf({.format = LogFormat::kJson}, [](ServerLog& log) {
    log.LogRequest(
        {.request_id = "r\"1",
         .trace_id = "0af7651916cd43dd8448eb211c80319c",
         .method = "ModelInfer",
         .model = "digits",
         .version = "3",
         .is_routed = true,
         .error = "",
         .times = {.queue = 10us, .quantize = 2us, .compute = 30us, .total = 50us, .rows = 4}});
    log.LogRequest({.request_id = "r2",
                    .trace_id = "",
                    .method = "ModelInfer",
                    .model = "none",
                    .version = "",
                    .code = absl::StatusCode::kNotFound,
                    .error = "no such model\n",
                    .times = {.total = 5us}});
  });
  ASSERT_EQ(lines.size(), 2U);
  EXPECT_THAT(lines[0],
              EndsWith(R"("level":"info","message":"request","request_id":"r\"1",)"
                       R"("trace_id":"0af7651916cd43dd8448eb211c80319c","method":"ModelInfer",)"
                       R"("model":"digits","version":"3","code":"OK","rows":4,"queue_us":10.0,)"
                       R"("compute_us":32.0,"total_us":50.0})"));
  EXPECT_THAT(lines[1],
              EndsWith(R"("level":"warn","message":"request","request_id":"r2",)"
                       R"("method":"ModelInfer","model":"none","version":"","code":"NOT_FOUND",)"
                       R"("rows":1,"total_us":5.0,"error":"no such model\n"})"));
}

TEST(ServerLogTest, ErrorsOfManyUnknownNamesAreOneKind) {
  std::uint64_t suppressed = 0;
  const auto lines = LinesOf({}, [&](ServerLog& log) {
    for (int i = 0; i < 1000; ++i) {
      const std::string name = absl::StrCat("made-up-", i);
      log.LogRequest({.request_id = name,
                      .trace_id = "",
                      .method = "ModelInfer",
                      .model = name,
                      .version = "",
                      .code = absl::StatusCode::kNotFound,
                      .error = ""});
    }
    suppressed = log.counts().suppressed;
  });
  EXPECT_LE(lines.size(), 2 * RepeatLimit::kMostInWindow);  // a window may have ended meanwhile
  EXPECT_EQ(lines.size() + suppressed, 1000U);
}

TEST(ServerLogTest, LevelsAreWords) {
  EXPECT_EQ(ParseLogLevel("warn"), LogLevel::kWarn);
  EXPECT_EQ(ParseLogLevel("warning"), std::nullopt);
  EXPECT_STREQ(LogLevelName(LogLevel::kDebug), "debug");
}

}  // namespace
}  // namespace octet
