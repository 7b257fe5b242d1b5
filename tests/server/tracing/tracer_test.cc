// SPDX-License-Identifier: Apache-2.0

#include "server/tracing/tracer.h"

#include <set>
#include <string>
#include <thread>

#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;

// Nobody listens there.
Tracer::Options Nowhere() {
  Tracer::Options options;
  options.endpoint = {"127.0.0.1", "1", "/v1/traces"};
  options.flush = 50ms;
  return options;
}

TraceContext Caller(bool is_sampled) {
  TraceContext caller;
  caller.trace_id.fill(7);
  caller.span_id.fill(8);
  caller.is_sampled = is_sampled;
  return caller;
}

TEST(TracerTest, CallerDecidesWhateverTheShare) {
  for (const double sample : {0.0, 1.0}) {
    Tracer::Options options = Nowhere();
    options.sample = sample;
    const Tracer tracer(options);
    EXPECT_FALSE(tracer.Begin(Caller(false)).has_value());
    const auto begun = tracer.Begin(Caller(true));
    ASSERT_TRUE(begun.has_value());
    EXPECT_EQ(begun->trace_id, Caller(true).trace_id);
    EXPECT_NE(begun->span_id, Caller(true).span_id);
  }
}

TEST(TracerTest, OthersAreSampledByTheShare) {
  for (const double sample : {0.0, 0.25, 1.0}) {
    Tracer::Options options = Nowhere();
    options.sample = sample;
    const Tracer tracer(options);
    std::set<TraceId> ids;
    for (int i = 0; i < 4000; ++i) {
      if (const auto begun = tracer.Begin(std::nullopt)) ids.insert(begun->trace_id);
    }
    EXPECT_NEAR(static_cast<double>(ids.size()), 4000 * sample, sample == 0.25 ? 200 : 0);
  }
}

TEST(TracerTest, OldestMakeWayAndAreCounted) {
  Tracer::Options options = Nowhere();
  options.max_requests = 16;
  options.interval = 3600s;  // nothing is taken out while it counts
  Tracer tracer(options);
  for (int i = 0; i < 100; ++i) tracer.End({.request_id = "r"});
  // The thread may have taken those of its first look.
  EXPECT_GE(tracer.counts().dropped, 60U);
  tracer.Stop();
  const Tracer::Counts counts = tracer.counts();
  EXPECT_EQ(counts.dropped + counts.failed, 100U);
  EXPECT_EQ(counts.exported, 0U);
}

TEST(TracerTest, StopsInTimeAndKeepsNothingAfterwards) {
  Tracer tracer(Nowhere());
  for (int i = 0; i < 10; ++i) tracer.End({});
  const auto begun = std::chrono::steady_clock::now();
  tracer.Stop();
  EXPECT_LT(std::chrono::steady_clock::now() - begun, 5s);
  tracer.End({});
  const Tracer::Counts counts = tracer.counts();
  EXPECT_EQ(counts.dropped + counts.failed, 11U);
}

TEST(TracerTest, ManyThreadsEndSpans) {
  Tracer::Options options = Nowhere();
  options.max_requests = 64;
  Tracer tracer(options);
  std::vector<std::thread> threads;
  for (int t = 0; t < 3; ++t) {
    threads.emplace_back([&tracer] {
      for (int i = 0; i < 2000; ++i) tracer.End({.model = "a name beyond the small buffer's size"});
    });
  }
  for (std::thread& thread : threads) thread.join();
  tracer.Stop();
  const Tracer::Counts counts = tracer.counts();
  EXPECT_EQ(counts.dropped + counts.failed, 6000U);
}

}  // namespace
}  // namespace octet
