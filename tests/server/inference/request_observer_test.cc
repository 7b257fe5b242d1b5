// SPDX-License-Identifier: Apache-2.0

#include "server/inference/request_observer.h"

#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""h;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""us;
using testing::MatchesRegex;

constexpr char kTraceparent[] = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-00";

TEST(RequestLogPolicyTest, EachRuleChoosesByItself) {
  const absl::StatusCode ok = absl::StatusCode::kOk;
  const absl::StatusCode failed = absl::StatusCode::kInternal;
  EXPECT_FALSE(RequestLogPolicy{}.logs_any());
  EXPECT_FALSE(IsLogged({}, failed, 1h, 0));
  EXPECT_TRUE(IsLogged({.sample = 0.5}, ok, 1us, 0.49));
  EXPECT_FALSE(IsLogged({.sample = 0.5}, ok, 1us, 0.5));
  EXPECT_TRUE(IsLogged({.sample = 1}, ok, 1us, 0.999));
  EXPECT_TRUE(IsLogged({.logs_errors = true}, failed, 1us, 0.9));
  EXPECT_FALSE(IsLogged({.logs_errors = true}, ok, 1us, 0.9));
  EXPECT_TRUE(IsLogged({.slow = 2ms}, ok, 3ms, 0.9));
  EXPECT_FALSE(IsLogged({.slow = 2ms}, ok, 2ms, 0.9));
}

struct Line {
  std::string id;
  std::string trace_id;
  std::string model;
  std::string error;
  bool is_routed = true;
};

// What a request of `origin` that was refused is told as.
Line Refused(const RequestOrigin& origin, const std::string& model = "none",
             const std::string& error = "no such model") {
  std::vector<Line> lines;
  const RequestObserver observer(
      {.policy = {.sample = 1}, .log = [&](const RequestReport& report) {
         lines.push_back({std::string(report.request_id), std::string(report.trace_id),
                          std::string(report.model), std::string(report.error), report.is_routed});
       }});
  InferenceRequest request;
  request.model_name = model;
  request.record = observer.Begin(origin);
  request.record->Ended(request, absl::NotFoundError(error), {.total = 1ms});
  EXPECT_EQ(lines.size(), 1U);
  return lines.empty() ? Line{} : lines[0];
}

TEST(RequestObserverTest, IdIsTheMessagesElseTheHeadersElseMadeUp) {
  EXPECT_EQ(Refused({.id = "m", .header_id = "h"}).id, "m");
  EXPECT_EQ(Refused({.id = "", .header_id = "h"}).id, "h");
  const std::string first = Refused({}).id;
  EXPECT_THAT(first, MatchesRegex("octet-[0-9a-f]{16}-[0-9a-f]+"));
  EXPECT_NE(Refused({}).id, first);
}

TEST(RequestObserverTest, WhatStrangersSayIsBoundedAndValid) {
  const std::string id = Refused({.id = std::string(10'000, '\xFF')}).id;
  EXPECT_LE(id.size(), 3U * 128 + 3);
  EXPECT_EQ(Refused({}, "m", std::string(10'000, 'e')).error.size(), 512U);
}

TEST(RequestObserverTest, TraceOfTheCallerIsToldThoughNothingIsTraced) {
  EXPECT_EQ(Refused({.traceparent = kTraceparent}).trace_id, "0af7651916cd43dd8448eb211c80319c");
  EXPECT_EQ(Refused({.traceparent = "00-nonsense"}).trace_id, "");
}

TEST(RequestObserverTest, ModelThatWasAskedForIsNotRouted) {
  const Line line = Refused({}, "asked");
  EXPECT_EQ(line.model, "asked");
  EXPECT_FALSE(line.is_routed);
}

TEST(RequestObserverTest, SpansGoToTheTracer) {
  Tracer::Options options;
  options.endpoint = {"127.0.0.1", "1", "/"};
  options.flush = 10ms;
  Tracer tracer(options);
  const RequestObserver observer({.policy = {}, .log = nullptr, .tracer = &tracer});
  InferenceRequest request;
  for (const char* const traceparent : {"", kTraceparent}) {  // which is not sampled
    request.record = observer.Begin({.traceparent = traceparent});
    request.record->Ended(request, absl::OkStatus(), {.total = 1ms, .batch_rows = 1});
  }
  tracer.Stop();
  EXPECT_EQ(tracer.counts().dropped + tracer.counts().failed, 6U);
}

}  // namespace
}  // namespace octet
