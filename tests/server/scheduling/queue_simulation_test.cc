// SPDX-License-Identifier: Apache-2.0
// The queue's rules against a batcher that waits a fixed time for more requests, first in, first
// out, on simulated workers: a batch of n rows takes kPerBatch + n * kPerRow. Prints what each does
// with the same arrivals.

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <deque>
#include <memory>
#include <random>
#include <vector>

#include "gtest/gtest.h"

#include "server/scheduling/queue_policy.h"
#include "server/scheduling/request_queue.h"
#include "tests/support/fake_requests.h"

namespace octet {
namespace {

using std::chrono::duration_cast;
using std::chrono::microseconds;
using std::chrono::milliseconds;
using std::chrono::nanoseconds;

constexpr std::size_t kWorkers = 2;
constexpr std::int64_t kMaxRows = 16;
constexpr nanoseconds kPerBatch = milliseconds(2);
constexpr nanoseconds kPerRow = microseconds(250);
// What all workers do with full batches.
constexpr double kCapacity =
    kWorkers * kMaxRows / ((2e-3) + kMaxRows * 250e-6);  // requests a second
constexpr nanoseconds kDeadline = milliseconds(60);
constexpr nanoseconds kDelay = milliseconds(5);  // of the batcher that waits

nanoseconds TimeOf(std::int64_t rows) { return kPerBatch + rows * kPerRow; }

struct Results {
  std::vector<double> milliseconds;  // of those answered in time
  std::size_t sent = 0;
  [[nodiscard]] double Percentile(double share) const {
    std::vector<double> sorted = milliseconds;
    std::sort(sorted.begin(), sorted.end());
    return sorted.empty()
               ? 0
               : sorted[static_cast<std::size_t>(share * static_cast<double>(sorted.size() - 1))];
  }
  [[nodiscard]] double answered() const {
    return static_cast<double>(milliseconds.size()) / static_cast<double>(sent);
  }
};

// When each request comes.
std::vector<TimePoint> Poisson(double rate, std::size_t count) {
  std::mt19937_64 random(1);  // NOLINT(cert-msc51-cpp): the same ones each time
  std::exponential_distribution<double> gap(rate);
  std::vector<TimePoint> arrivals;
  double now = 0;
  for (std::size_t i = 0; i < count; ++i) {
    now += gap(random);
    arrivals.emplace_back(duration_cast<nanoseconds>(std::chrono::duration<double>(now)));
  }
  return arrivals;
}

// Gaps of a Pareto distribution (1.5): long silences, and bursts.
std::vector<TimePoint> HeavyTailed(double rate, std::size_t count) {
  std::mt19937_64 random(2);  // NOLINT(cert-msc51-cpp)
  std::uniform_real_distribution<double> uniform(0, 1);
  constexpr double kShape = 1.5;
  const double least = (kShape - 1) / kShape / rate;
  std::vector<TimePoint> arrivals;
  double now = 0;
  for (std::size_t i = 0; i < count; ++i) {
    now += least / std::pow(1 - uniform(random), 1 / kShape);
    arrivals.emplace_back(duration_cast<nanoseconds>(std::chrono::duration<double>(now)));
  }
  return arrivals;
}

void Answer(TimePoint arrival, TimePoint done, Results& results) {
  if (done > arrival + kDeadline) return;
  results.milliseconds.push_back(static_cast<double>((done - arrival).count()) * 1e-6);
}

class QueueSimulationTest : public ::testing::Test {
 protected:
  // An idle worker takes what is there; the earliest deadline first; who cannot be in time is told.
  Results Ours(const std::vector<TimePoint>& arrivals) {
    RequestQueue queue({.requests = arrivals.size() + 1}, {.batching = {.max_rows = kMaxRows}});
    std::vector<TimePoint> free(kWorkers);
    Results results{.milliseconds = {}, .sent = arrivals.size()};
    std::size_t next = 0;
    while (next < arrivals.size() || !queue.empty()) {
      const auto worker = std::min_element(free.begin(), free.end());
      if (next < arrivals.size() && (queue.empty() || arrivals[next] <= *worker)) {
        Admit(arrivals[next++], free, queue);
        continue;
      }
      const Batch batch = queue.TakeBatch({});
      TimePoint start = *worker;
      for (const auto& request : batch.requests) start = std::max(start, request->arrival);
      const TimePoint done = start + TimeOf(batch.rows);
      for (const auto& request : batch.requests) Answer(request->arrival, done, results);
      *worker = done;
    }
    return results;
  }

  void Admit(TimePoint arrival, const std::vector<TimePoint>& free, RequestQueue& queue) {
    auto request = std::move(testing::FakeRequest(model_, metrics_, {}).request);
    request->arrival = arrival;
    request->deadline = arrival + kDeadline;
    request->due = DueTime({}, arrival, request->deadline);
    request->least_time = TimeOf(kMaxRows) / kMaxRows;
    std::vector<nanoseconds> busy;
    for (const TimePoint until : free) busy.push_back(std::max(until - arrival, nanoseconds(0)));
    const RequestQueue::Ahead ahead = queue.AheadOf(*request, kMaxRows, nanoseconds::max() / 1000);
    const nanoseconds wait = ExpectedWait({.busy = busy, .work = ahead.work});
    const nanoseconds run = request->least_time * (1 + ahead.rows_in_batch);
    if (IsInTime({}, wait, run, kDeadline)) queue.Push(std::move(request));
  }

  // A batch goes when it is full or its first request has waited for kDelay.
  static Results FixedDelay(const std::vector<TimePoint>& arrivals) {
    std::vector<TimePoint> free(kWorkers);
    Results results{.milliseconds = {}, .sent = arrivals.size()};
    for (std::size_t first = 0; first < arrivals.size();) {
      const auto worker = std::min_element(free.begin(), free.end());
      const std::size_t full = std::min(first + kMaxRows, arrivals.size()) - 1;
      TimePoint start = std::max(*worker, std::min(arrivals[first] + kDelay, arrivals[full]));
      start = std::max(start, arrivals[first]);
      std::size_t last = first + 1;
      while (last <= full && arrivals[last] <= start) ++last;
      const TimePoint done = start + TimeOf(static_cast<std::int64_t>(last - first));
      for (std::size_t i = first; i < last; ++i) Answer(arrivals[i], done, results);
      *worker = done;
      first = last;
    }
    return results;
  }

  static void Print(const char* arrivals, double load, const char* who, const Results& results) {
    std::printf("%-12s load %.1f %-11s p50 %6.2f ms, p99 %6.2f ms, in time %5.1f %%\n", arrivals,
                load, who, results.Percentile(0.5), results.Percentile(0.99),
                100 * results.answered());
  }

  const OperatorRegistry operators_ = testing::TinyOperators();
  const std::shared_ptr<const Executable> model_ = testing::TwiceModel(operators_);
  const std::shared_ptr<ModelMetrics> metrics_ =
      std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"}, 1);
};

TEST_F(QueueSimulationTest, AnswersSoonerThanABatcherThatWaitsAndKeepsItsDeadlinesUnderOverload) {
  constexpr std::size_t kRequests = 20'000;
  for (const double load : {0.1, 0.5, 0.9, 1.5, 3.0}) {
    for (const bool is_heavy : {false, true}) {
      const char* const name = is_heavy ? "heavy-tailed" : "Poisson";
      const std::vector<TimePoint> arrivals = is_heavy ? HeavyTailed(load * kCapacity, kRequests)
                                                       : Poisson(load * kCapacity, kRequests);
      const Results ours = Ours(arrivals);
      const Results fixed = FixedDelay(arrivals);
      Print(name, load, "ours", ours);
      Print(name, load, "fixed delay", fixed);
      if (load < 1) {
        EXPECT_LE(ours.Percentile(0.5), 1.05 * fixed.Percentile(0.5)) << name << load;
        EXPECT_LE(ours.Percentile(0.99), 1.05 * fixed.Percentile(0.99)) << name << load;
      } else {
        // Nine tenths of what the workers can do are answers that somebody still waits for.
        EXPECT_GT(ours.answered(), 0.9 / load) << name << load;
      }
      EXPECT_GE(ours.answered(), fixed.answered()) << name << load;
    }
  }
}

}  // namespace
}  // namespace octet
