// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/measure_choices.h"

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/operators/operators.h"
#include "models/runtime/self_test.h"
#include "models/runtime/session.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using ::testing::HasSubstr;

// A clock that goes on by one step each time it is asked.
std::function<nanoseconds()> SteppingClock(nanoseconds step) {
  return [now = nanoseconds(0), step]() mutable { return now += step; };
}

class MeasureChoicesTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernels_.runs_here()) GTEST_SKIP() << "this CPU has no AVX2";
    kernels::PrepareThread();
    for (Bundle* const target : {&bundle_, &rows_of_}) {
      absl::StatusOr<Bundle> bundle = ReadBundle("models/zoo/repository/digits-int8-static/1");
      ASSERT_TRUE(bundle.ok()) << bundle.status();
      *target = *std::move(bundle);
    }
    batches_.push_back(std::move(rows_of_.self_test->inputs));
  }

  absl::StatusOr<int> Measure(const kernels::KernelSet& kernels, const MeasureOptions& options) {
    return MeasureChoices(bundle_.graph, operators_, kernels, batches_, options, choices_);
  }

  std::shared_ptr<const Executable> Compile() {
    return Executable::Compile(bundle_.graph, operators_, kernels_,
                               {.choices = std::make_shared<const KernelChoices>(choices_)})
        .value();
  }

  // The first step with several implementations, before anything was chosen.
  StepImplementation FirstChoice() {
    for (const StepDescription& step : Compile()->steps()) {
      if (step.implementation && step.implementation->fitting.size() > 1) {
        return *step.implementation;
      }
    }
    ADD_FAILURE() << "the model has no layer with several implementations";
    return {};
  }

  // What `executable` has for `layer`.
  static StepImplementation Of(const Executable& executable, const std::string& layer) {
    for (const StepDescription& step : executable.steps()) {
      if (step.implementation && step.implementation->layer == layer) return *step.implementation;
    }
    ADD_FAILURE() << "no such layer: " << layer;
    return {};
  }

  KernelChoices::Key KeyOf(const std::string& layer) const {
    return {kernels::CpuName(), std::string(kernels_.name), layer};
  }

  const kernels::KernelSet& kernels_ = *kernels::FindKernelSet("avx2");
  const OperatorRegistry operators_ = BuiltInOperators();
  Bundle bundle_;
  Bundle rows_of_;  // the same, whose rows are measured: a Tensor is not copied
  std::vector<std::vector<Tensor>> batches_;
  KernelChoices choices_;
};

TEST_F(MeasureChoicesTest, WithoutAMeasurementTheRuleChooses) {
  const StepImplementation choice = FirstChoice();
  EXPECT_EQ(choice.name, choice.fitting.front());
  EXPECT_FALSE(choice.measured.has_value());
}

TEST_F(MeasureChoicesTest, EveryLayerWithAChoiceIsMeasured) {
  MeasureOptions options;
  options.budget = std::chrono::seconds(1);
  options.now = SteppingClock(std::chrono::microseconds(100));
  const auto num_layers = Measure(kernels_, options);
  ASSERT_TRUE(num_layers.ok()) << num_layers.status();
  EXPECT_GT(*num_layers, 0);
  EXPECT_EQ(choices_.entries().size(), static_cast<std::size_t>(*num_layers));
  const auto executable = Compile();
  for (const StepDescription& step : executable->steps()) {
    if (!step.implementation || step.implementation->fitting.size() < 2) continue;
    ASSERT_TRUE(step.implementation->measured.has_value()) << step.node;
    const KernelChoice& choice = *step.implementation->measured;
    EXPECT_EQ(choice.batch_sizes, std::vector{batches_[0][0].dims()[0]});
    ASSERT_EQ(choice.times.size(), step.implementation->fitting.size());
    // On this clock a step takes 100 us, whatever runs, so that the rule's stays.
    for (const ImplementationTimes& times : choice.times) {
      EXPECT_EQ(times.us.size(), 1U);
      EXPECT_GE(times.us[0], 100.0);
      EXPECT_EQ(times.us, choice.times[0].us);
    }
    EXPECT_EQ(step.implementation->name, step.implementation->fitting.front());
  }
}

TEST_F(MeasureChoicesTest, TooShortATimeDecidesNothing) {
  MeasureOptions options;
  options.budget = std::chrono::seconds(10);
  options.now = SteppingClock(std::chrono::seconds(1));
  const auto num_layers = Measure(kernels_, options);
  EXPECT_EQ(num_layers.status().code(), absl::StatusCode::kDeadlineExceeded);
  EXPECT_THAT(std::string(num_layers.status().message()), HasSubstr("wants 5: give more"));
  EXPECT_TRUE(choices_.entries().empty());
}

TEST_F(MeasureChoicesTest, WhatIsStoppedDecidesNothing) {
  MeasureOptions options;
  int num_asked = 0;
  for (const int last : {1, 2, 3, 50}) {
    num_asked = 0;
    options.stops = [&num_asked, last] { return ++num_asked == last; };
    EXPECT_EQ(Measure(kernels_, options).status().code(), absl::StatusCode::kCancelled);
    EXPECT_EQ(num_asked, last) << "it went on";
    EXPECT_TRUE(choices_.entries().empty());
  }
}

TEST_F(MeasureChoicesTest, TheReferenceHasNothingToChoose) {
  const auto num_layers = Measure(*kernels::FindKernelSet("reference"), {});
  ASSERT_TRUE(num_layers.ok()) << num_layers.status();
  EXPECT_EQ(*num_layers, 0);
}

TEST_F(MeasureChoicesTest, AnErrorOfTheModelIsTheErrorHere) {
  batches_.front().clear();
  EXPECT_EQ(Measure(kernels_, {}).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(MeasureChoicesTest, WhatWasMeasuredRunsAndChangesNoResult) {
  const StepImplementation usual = FirstChoice();
  for (const std::string& name : usual.fitting) {
    choices_.Set(KeyOf(usual.layer), {.implementation = name});
    const auto executable = Compile();
    const StepImplementation choice = Of(*executable, usual.layer);
    EXPECT_EQ(choice.name, name);
    EXPECT_TRUE(choice.measured.has_value());
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    const SelfTest& test = *bundle_.self_test;
    const absl::Status status = RunWholeSelfTest(*session, bundle_.graph, operators_, test.inputs,
                                                 test.outputs, test.tolerance);
    EXPECT_TRUE(status.ok()) << name << ": " << status;
  }
}

TEST_F(MeasureChoicesTest, WhatDoesNotFitIsLeftToTheRule) {
  const StepImplementation usual = FirstChoice();
  choices_.Set(KeyOf(usual.layer), {.implementation = "winograd"});
  const StepImplementation choice = Of(*Compile(), usual.layer);
  EXPECT_EQ(choice.name, usual.name);
  EXPECT_FALSE(choice.measured.has_value());
}

TEST_F(MeasureChoicesTest, AnotherCpusOrSetsMeasurementIsNotTaken) {
  const StepImplementation usual = FirstChoice();
  KernelChoices::Key other_cpu = KeyOf(usual.layer);
  other_cpu.cpu += "+";
  choices_.Set(other_cpu, {.implementation = usual.fitting[1]});
  KernelChoices::Key other_set = KeyOf(usual.layer);
  other_set.kernel_set = "amx";
  choices_.Set(other_set, {.implementation = usual.fitting[1]});
  EXPECT_EQ(Of(*Compile(), usual.layer).name, usual.name);
}

}  // namespace
}  // namespace octet
