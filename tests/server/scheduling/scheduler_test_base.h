// SPDX-License-Identifier: Apache-2.0
// A scheduler, what it polls, and requests for it.

#pragma once

#include <memory>
#include <utility>

#include "gtest/gtest.h"

#include "server/scheduling/scheduler.h"
#include "tests/support/fake_event_source.h"
#include "tests/support/fake_requests.h"

namespace octet::testing {

class SchedulerTestBase : public ::testing::Test {
 protected:
  explicit SchedulerTestBase(const Scheduler::Options& options)
      : metrics_({.num_workers = Scheduler::NumWorkers(options.compute_threads),
                  .server_version = "test"}),
        model_metrics_(
            std::make_shared<ModelMetrics>(ModelMetrics::Labels{"m", "1", "fp32"},
                                           Scheduler::NumWorkers(options.compute_threads))),
        scheduler_(options, metrics_) {}
  ~SchedulerTestBase() override { Stop(); }

  void Stop() {
    events_.ShutDown();
    scheduler_.Join();
  }

  std::shared_ptr<Outcome> Send(const RequestOptions& options) { return Send(options, model_); }
  std::shared_ptr<Outcome> Send(const RequestOptions& options,
                                const std::shared_ptr<const Executable>& model) {
    return Send(options, model, gate_);
  }
  // `gate` has one inside until the request is answered.
  std::shared_ptr<Outcome> Send(const RequestOptions& options,
                                const std::shared_ptr<const Executable>& model, DrainGate& gate) {
    auto fake = std::make_shared<FakeRequest>(model, model_metrics_, options);
    fake->request->pass = *gate.Enter();
    events_.Post(
        [this, fake](std::size_t worker) { scheduler_.Submit(worker, std::move(fake->request)); });
    return fake->outcome;
  }

  const OperatorRegistry operators_ = TinyOperators();
  const std::shared_ptr<const Executable> model_ = TwiceModel(operators_);
  Metrics metrics_;
  const std::shared_ptr<ModelMetrics> model_metrics_;
  DrainGate gate_;
  FakeEventSource events_;
  Scheduler scheduler_;
};

}  // namespace octet::testing
