// SPDX-License-Identifier: Apache-2.0

#include "server/tuning/tuner.h"

#include <atomic>
#include <chrono>
#include <filesystem>
#include <functional>
#include <memory>
#include <set>
#include <string>
#include <thread>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/kernel_choices_file.h"
#include "server/inference/inference_service.h"
#include "server/repository/repository_loader.h"
#include "tests/support/fake_event_source.h"
#include "tests/support/fake_requests.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using std::chrono_literals::operator""ms;
using std::chrono_literals::operator""s;
using testing::FakeCompletion;
using ::testing::HasSubstr;
using testing::Outcome;

// Its time goes on by a millisecond each time it is asked, and as long as it waits.
class FakeEnvironment final : public TuningEnvironment {
 public:
  [[nodiscard]] RequestCounts requests() const override {
    if (on_requests) on_requests();
    return counts;
  }
  [[nodiscard]] nanoseconds now() const override { return time += 1ms; }
  [[nodiscard]] bool stopped() const override { return is_stopped; }
  void Wait(nanoseconds wait) override {
    time += wait;
    if (on_wait) on_wait();
  }
  bool WaitForChange() override { return on_change && on_change() && !is_stopped; }
  void RunAside(absl::FunctionRef<void()> work) override {
    ++num_asides;
    if (num_asides == 1) first_aside = time;
    is_aside = true;
    work();
    is_aside = false;
  }
  bool RunUnlessStopped(absl::FunctionRef<void()> work) override {
    if (is_stopped) return false;
    work();
    return true;
  }

  RequestCounts counts;
  std::atomic<bool> is_stopped = false;
  bool is_aside = false;
  int num_asides = 0;
  mutable nanoseconds time{0};
  nanoseconds first_aside{0};
  std::function<void()> on_wait;
  std::function<bool()> on_change;  // whether what is served has changed
  std::function<void()> on_requests;
};

// Lets go of the answer once it is written down, as a front end does when its bytes have left.
class ForgetfulCompletion final : public Completion {
 public:
  explicit ForgetfulCompletion(std::shared_ptr<Outcome> outcome)
      : outcome_(std::move(outcome)), completion_(outcome_, /*is_cancelled=*/false) {}
  void Complete(absl::StatusOr<InferenceAnswer> answer) override {
    completion_.Complete(std::move(answer));
    outcome_->answer = {};
  }

 private:
  const std::shared_ptr<Outcome> outcome_;
  FakeCompletion completion_;
};

class TunerTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernels_.runs_here()) GTEST_SKIP() << "this CPU has no AVX2";
    kernels::PrepareThread();
    for (const char* const model : {"digits-int8", "digits-int8-static", "digits-mlp-fp32"}) {
      std::filesystem::create_directories(root_ / model);
      std::filesystem::copy(std::string("models/zoo/repository/") + model + "/1",
                            root_ / model + "/1", std::filesystem::copy_options::recursive);
    }
    ASSERT_TRUE(
        RepositoryLoader({.path = root_ / ""}, {loader_, repository_, metrics_}).LoadAll().ok());
    ASSERT_EQ(repository_.ReadyVersions().size(), 3U);
    scheduler_.Start(events_);
    for (const ModelHandle& model : repository_.ReadyVersions()) {
      ASSERT_TRUE(scheduler_.Prepare(model->executable).ok());
    }
    service_.SetState(ServerState::kServing);
    options_.choices_path = state_ / "kernel-choices.txt";
    options_.layer_budget = 80ms;  // six rounds by the clock of the environment
  }
  void TearDown() override {
    events_.ShutDown();
    scheduler_.Join();
  }

  void Run(std::shared_ptr<const KernelChoices> choices = nullptr) {
    Tuner(options_, std::move(choices), {loader_, repository_, scheduler_, metrics_, costs_},
          environment_)
        .Run();
  }

  // Of all versions, each layer once.
  std::size_t CountUnmeasured(const KernelChoices& choices) {
    std::set<std::string> layers;
    for (const ModelHandle& model : repository_.ReadyVersions()) {
      for (const UnmeasuredLayer& layer : UnmeasuredLayers(*model->executable, choices)) {
        layers.insert(layer.layer);
      }
    }
    return layers.size();
  }
  KernelChoices Kept() { return ReadKernelChoices(options_.choices_path).choices; }

  // As if the last of the implementations of each layer had been measured to be the fastest.
  std::shared_ptr<const KernelChoices> TheLastOfEach() {
    auto choices = std::make_shared<KernelChoices>();
    for (const ModelHandle& model : repository_.ReadyVersions()) {
      for (const StepDescription& step : model->executable->steps()) {
        if (!step.implementation || step.implementation->fitting.size() < 2) continue;
        KernelChoice choice{.implementation = step.implementation->fitting.back(),
                            .batch_sizes = {1}};
        for (const std::string& name : step.implementation->fitting) {
          choice.times.push_back({name, {1.0}});
        }
        choices->Set({kernels::CpuName(), std::string(kernels_.name), step.implementation->layer},
                     choice);
      }
    }
    return choices;
  }

  std::shared_ptr<Outcome> Send() {
    auto outcome = std::make_shared<Outcome>();
    auto request =
        std::make_shared<std::unique_ptr<InferenceRequest>>(std::make_unique<InferenceRequest>());
    (*request)->model_name = "digits-int8-static";
    (*request)->inputs = {{input_name_, "FP32", {2, 8, 8, 1}, std::as_bytes(std::span(image_))}};
    (*request)->arrival = std::chrono::steady_clock::now();
    (*request)->completion = std::make_unique<ForgetfulCompletion>(outcome);
    events_.Post(
        [this, request](std::size_t worker) { service_.Infer(worker, std::move(*request)); });
    return outcome;
  }
  // Returns whether everything that was sent is answered.
  bool AwaitAnswers() {
    const TimePoint until = std::chrono::steady_clock::now() + 60s;
    return events_.AwaitIdle(until) && service_.gate().WaitUntilEmpty(until);
  }

  const kernels::KernelSet& kernels_ = *kernels::FindKernelSet("avx2");
  testing::TemporaryDirectory root_;
  testing::TemporaryDirectory state_;
  const OperatorRegistry operators_ = BuiltInOperators();
  Metrics metrics_{{.num_workers = Scheduler::NumWorkers(2), .server_version = "test"}};
  BundleLoader loader_{{.kernel_set_name = "avx2"}, operators_, kernels_, metrics_};
  ModelRepository repository_;
  testing::FakeEventSource events_;
  CostCurveCache costs_{state_ / "cost-curves.txt"};
  Scheduler scheduler_{{.compute_threads = 2, .on_thread_start = kernels::PrepareThread}, metrics_};
  InferenceService service_{repository_, scheduler_, metrics_};
  FakeEnvironment environment_;
  Tuner::Options options_;
  std::string input_name_;
  std::vector<float> image_ = std::vector<float>(2 * 64, 0.5F);
};

TEST_F(TunerTest, EveryLayerIsMeasuredOnceAndKept) {
  const std::size_t num_layers = CountUnmeasured({});
  ASSERT_GT(num_layers, 3U);
  Run();
  const KernelChoices kept = Kept();
  EXPECT_EQ(kept.entries().size(), num_layers);
  EXPECT_EQ(CountUnmeasured(kept), 0U);
  for (const auto& [key, choice] : kept.entries()) {
    EXPECT_EQ(choice.batch_sizes, options_.batch_sizes) << key.layer;
  }
  const std::string scrape = metrics_.Scrape();
  EXPECT_THAT(scrape, HasSubstr("octet_tuning_pending_layers 0\n"));
  EXPECT_THAT(scrape,
              HasSubstr("octet_tuning_measured_layers_total " + std::to_string(num_layers) + "\n"));
}

TEST_F(TunerTest, BatchesAreMeasuredOnceAndAreAsLargeAsPays) {
  Run();
  for (const ModelHandle& model : repository_.ReadyVersions()) {
    const auto curve = costs_.Find(CostKeyOf(*model->executable, model->digest));
    ASSERT_TRUE(curve.has_value()) << model->name;
    EXPECT_EQ(model->metrics->Statistics().batch_limit, PayingRows(*curve)) << model->name;
  }
  // Another server begins with it.
  const CostCurveCache kept(state_ / "cost-curves.txt");
  const BundleLoader loader({.kernel_set_name = "avx2", .costs = &kept}, operators_, kernels_,
                            metrics_);
  const LoadOutcome outcome =
      loader.Load({.name = "digits-int8", .version = 1, .path = root_ / "digits-int8/1"});
  ASSERT_NE(outcome.handle, nullptr) << outcome.status;
  EXPECT_EQ(outcome.handle->paying_rows,
            PayingRows(*kept.Find(CostKeyOf(*outcome.handle->executable, outcome.handle->digest))));
  const int num_asides = environment_.num_asides;
  Run(std::make_shared<const KernelChoices>(Kept()));
  EXPECT_EQ(environment_.num_asides, num_asides);
}

TEST_F(TunerTest, WhatComesLaterIsMeasuredToo) {
  const ModelHandle last = repository_.ReadyVersions().back();
  repository_.TakeAway(last->name, last->version, "gone for now");
  int changes = 0;
  environment_.on_change = [&] {
    if (changes++ > 0) return false;
    EXPECT_FALSE(costs_.Find(CostKeyOf(*last->executable, last->digest)).has_value());
    repository_.Publish(last);
    return true;
  };
  Run();
  EXPECT_EQ(changes, 2);
  EXPECT_TRUE(costs_.Find(CostKeyOf(*last->executable, last->digest)).has_value());
}

TEST_F(TunerTest, WhatIsUnloadedMeanwhileIsLetGoOf) {
  environment_.on_wait = [this] {
    for (const ModelHandle& model : repository_.ReadyVersions()) {
      repository_.TakeAway(model->name, model->version, "gone");
    }
  };
  Run();
  EXPECT_EQ(Kept().entries().size(), 0U);
}

TEST_F(TunerTest, WhatIsKnownIsNotMeasuredAgain) {
  Run();
  const int num_asides = environment_.num_asides;
  const nanoseconds time = environment_.time;
  const KernelChoices kept = Kept();
  const auto known = std::make_shared<KernelChoices>();
  // The rule's, so that nothing is to be exchanged.
  for (const auto& [key, choice] : kept.entries()) {
    KernelChoice usual = choice;
    usual.implementation = choice.times.front().name;
    known->Set(key, usual);
  }
  Run(known);
  EXPECT_EQ(environment_.num_asides, num_asides);
  EXPECT_EQ(environment_.time, time);
}

TEST_F(TunerTest, ItWaitsUntilTheLastRequestIsLongGone) {
  environment_.counts = {.entered = 1, .left = 0};
  int num_waits = 0;
  nanoseconds gone{0};
  environment_.on_wait = [&] {
    if (++num_waits != 50) return;
    environment_.counts.left = 1;
    gone = environment_.time;
  };
  Run();
  EXPECT_GE(num_waits, 50);
  EXPECT_GE(environment_.first_aside, gone + options_.quiet);
  EXPECT_EQ(CountUnmeasured(Kept()), 0U);
}

TEST_F(TunerTest, ARequestStopsItAtOnceAndItGoesOnWhereItWas) {
  int num_asked = 0;
  int asked_after_arrival = 0;
  // One comes in the middle of each of the first measurements.
  environment_.on_requests = [&] {
    if (!environment_.is_aside || environment_.num_asides > 6) return;
    if (environment_.counts.entered == environment_.counts.left) {
      if (environment_.counts.entered < 3 && ++num_asked % 50 == 0) ++environment_.counts.entered;
    } else {
      ++asked_after_arrival;
    }
  };
  environment_.on_wait = [&] { environment_.counts.left = environment_.counts.entered; };
  Run();
  EXPECT_EQ(environment_.counts.entered, 3U);
  // The question that brings the request is answered with it; nothing is asked, or run, after it.
  EXPECT_EQ(asked_after_arrival, 0);
  EXPECT_GT(environment_.num_asides, 3);
  EXPECT_EQ(CountUnmeasured(Kept()), 0U);
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_tuning_measured_layers_total " +
                                           std::to_string(Kept().entries().size()) + "\n"));
}

TEST_F(TunerTest, ItsTimeIsBounded) {
  options_.budget = 300ms;
  Run();
  const KernelChoices kept = Kept();
  EXPECT_GE(kept.entries().size(), 1U);
  EXPECT_GT(CountUnmeasured(kept), 0U);
  EXPECT_LE(environment_.time, options_.quiet + options_.look_every + options_.budget +
                                   2 * options_.layer_budget + 100ms + 3 * options_.batches_budget);
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_tuning_pending_layers " +
                                           std::to_string(CountUnmeasured(kept)) + "\n"));
}

TEST_F(TunerTest, WhatIsStoppedKeepsWhatItHasAndExchangesNothing) {
  const std::vector<ModelHandle> before = repository_.ReadyVersions();
  environment_.on_requests = [&] {
    // The first layers are measured by then.
    if (environment_.num_asides > 0 && environment_.time > environment_.first_aside + 250ms) {
      environment_.is_stopped = true;
    }
  };
  Run();
  EXPECT_GE(Kept().entries().size(), 1U);
  EXPECT_GT(CountUnmeasured(Kept()), 0U);
  EXPECT_EQ(repository_.ReadyVersions(), before);
}

TEST_F(TunerTest, AStateDirectoryThatIsNotThereIsNoHindrance) {
  options_.choices_path = state_ / "none/kernel-choices.txt";
  Run();
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_tuning_pending_layers 0\n"));
  options_.choices_path.clear();
  Run();
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_tuning_pending_layers 0\n"));
}

TEST_F(TunerTest, ABundleThatHasChangedOnTheDiskIsLeftAsItIs) {
  std::filesystem::remove_all(root_ / "digits-int8/1");
  std::filesystem::copy("models/zoo/repository/digits-int8-static/1", root_ / "digits-int8/1",
                        std::filesystem::copy_options::recursive);
  const ModelHandle before = *repository_.Find("digits-int8", "1");
  Run();
  EXPECT_EQ(*repository_.Find("digits-int8", "1"), before);
  EXPECT_GT(UnmeasuredLayers(*before->executable, Kept()).size(), 0U);
  // The others are measured all the same.
  const ModelHandle other = *repository_.Find("digits-int8-static", "1");
  EXPECT_TRUE(UnmeasuredLayers(*other->executable, Kept()).empty());
}

TEST_F(TunerTest, AVersionIsExchangedUnderLoadWithoutATrace) {
  const auto choices = TheLastOfEach();
  ModelHandle before = *repository_.Find("digits-int8-static", "1");
  input_name_ = before->executable->inputs()[0].name;
  ASSERT_GT(CountChangedSteps(*before->executable, *choices), 0U);
  const std::weak_ptr<const Executable> old = before->executable;
  const ModelMetrics* const counted_in = before->metrics.get();
  before.reset();

  const auto first = Send();
  ASSERT_TRUE(AwaitAnswers());
  ASSERT_TRUE(first->status.ok()) << first->status;

  std::atomic<bool> ends = false;
  std::vector<std::shared_ptr<Outcome>> outcomes;
  std::thread client([&] {
    do {
      for (int i = 0; i < 4; ++i) outcomes.push_back(Send());
    } while (AwaitAnswers() && !ends);
  });
  Run(choices);
  ends = true;
  client.join();
  ASSERT_TRUE(AwaitAnswers());

  const ModelHandle after = *repository_.Find("digits-int8-static", "1");
  EXPECT_EQ(CountChangedSteps(*after->executable, *choices), 0U);
  EXPECT_EQ(after->metrics.get(), counted_in);
  EXPECT_EQ(after->version_string, "1");
  ASSERT_GE(outcomes.size(), 4U);
  for (const auto& outcome : outcomes) {
    ASSERT_EQ(outcome->completions, 1);
    ASSERT_TRUE(outcome->status.ok()) << outcome->status;
    EXPECT_EQ(outcome->values, first->values);
  }
  EXPECT_EQ(after->metrics->Statistics().success.count, outcomes.size() + 1);
  EXPECT_TRUE(old.expired()) << "somebody keeps the old one";
  EXPECT_THAT(metrics_.Scrape(), HasSubstr("octet_tuning_recompiled_versions_total 2\n"));
}

}  // namespace
}  // namespace octet
