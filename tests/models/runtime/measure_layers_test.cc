// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/measure_layers.h"

#include <chrono>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/cpu_features.h"
#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/graph/passes/passes.h"
#include "models/operators/operators.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using std::chrono_literals::operator""ms;
using ::testing::HasSubstr;

class MeasureLayersTest : public ::testing::Test {
 protected:
  void SetUp() override {
    if (!kernels_.runs_here()) GTEST_SKIP() << "this CPU has no AVX2";
    kernels::PrepareThread();
    absl::StatusOr<Bundle> bundle = ReadBundle("models/zoo/repository/digits-int8-static/1");
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    bundle_ = *std::move(bundle);
    graph_ = bundle_.graph;
    RunPasses(graph_);
    options_.measure.budget = 250ms;
    options_.measure.now = [this] { return now_ += 1ms; };
  }

  std::shared_ptr<const Executable> Compile(const KernelChoices& choices = {}) {
    return Executable::Compile(bundle_.graph, operators_, kernels_,
                               {.choices = std::make_shared<const KernelChoices>(choices)})
        .value();
  }
  absl::Status Measure(const std::string& node) {
    return MeasureLayer(graph_, node, operators_, kernels_, options_, choices_);
  }
  KernelChoices::Key KeyOf(const std::string& layer) const {
    return {kernels::CpuName(), std::string(kernels_.name), layer};
  }

  const kernels::KernelSet& kernels_ = *kernels::FindKernelSet("avx2");
  const OperatorRegistry operators_ = BuiltInOperators();
  Bundle bundle_;
  Graph graph_;
  nanoseconds now_{0};
  MeasureLayerOptions options_;
  KernelChoices choices_;
};

TEST_F(MeasureLayersTest, EachLayerIsMeasuredByItself) {
  const auto executable = Compile();
  const std::vector<UnmeasuredLayer> layers = UnmeasuredLayers(*executable, choices_);
  ASSERT_GT(layers.size(), 1U);
  for (std::size_t i = 0; i < layers.size(); ++i) {
    EXPECT_EQ(UnmeasuredLayers(*executable, choices_).size(), layers.size() - i);
    const absl::Status status = Measure(layers[i].node);
    ASSERT_TRUE(status.ok()) << layers[i].node << ": " << status;
    // It is the layer that the whole graph has, by every letter of its key.
    const KernelChoice* const choice = choices_.Find(KeyOf(layers[i].layer));
    ASSERT_NE(choice, nullptr) << layers[i].node;
    EXPECT_EQ(choice->batch_sizes, options_.batch_sizes);
    EXPECT_GT(choice->times.size(), 1U);
    // On this clock every run takes as long, so that the rule's stays.
    EXPECT_EQ(choice->implementation, choice->times.front().name);
  }
  EXPECT_TRUE(UnmeasuredLayers(*executable, choices_).empty());
  EXPECT_EQ(choices_.entries().size(), layers.size());
  EXPECT_EQ(CountChangedSteps(*executable, choices_), 0U);
}

TEST_F(MeasureLayersTest, AChoiceAmongSomeOfTheImplementationsIsNone) {
  const auto executable = Compile();
  const UnmeasuredLayer layer = UnmeasuredLayers(*executable, choices_).front();
  ASSERT_TRUE(Measure(layer.node).ok());
  KernelChoice choice = *choices_.Find(KeyOf(layer.layer));
  choice.times.pop_back();
  choices_.Set(KeyOf(layer.layer), choice);
  EXPECT_EQ(UnmeasuredLayers(*executable, choices_).front().layer, layer.layer);
}

TEST_F(MeasureLayersTest, WhatWouldRunAnotherWayIsCounted) {
  const auto executable = Compile();
  const UnmeasuredLayer layer = UnmeasuredLayers(*executable, choices_).front();
  ASSERT_TRUE(Measure(layer.node).ok());
  KernelChoice choice = *choices_.Find(KeyOf(layer.layer));
  choice.implementation = choice.times.back().name;
  choices_.Set(KeyOf(layer.layer), choice);
  EXPECT_EQ(CountChangedSteps(*executable, choices_), 1U);
  EXPECT_EQ(CountChangedSteps(*Compile(choices_), choices_), 0U);
  EXPECT_EQ(CountChangedSteps(*Compile(choices_), {}), 0U);
  choice.implementation = "winograd";
  choices_.Set(KeyOf(layer.layer), choice);
  EXPECT_EQ(CountChangedSteps(*executable, choices_), 0U);
}

TEST_F(MeasureLayersTest, ALayerThatIsTooSlowForALargeBatchIsMeasuredWithASmallOne) {
  const UnmeasuredLayer layer = UnmeasuredLayers(*Compile(), choices_).front();
  // Three ways, with two times each and one for the round: 13 a round with both sizes, 7 with one.
  options_.measure.budget = 48ms;
  const absl::Status status = Measure(layer.node);
  ASSERT_TRUE(status.ok()) << status;
  EXPECT_EQ(choices_.Find(KeyOf(layer.layer))->batch_sizes, std::vector<std::int64_t>{1});
  choices_ = {};
  options_.measure.budget = 5ms;
  EXPECT_TRUE(absl::IsDeadlineExceeded(Measure(layer.node)));
  EXPECT_TRUE(choices_.entries().empty());
}

TEST_F(MeasureLayersTest, ALayerOfTooLargeTensorsIsRefused) {
  const UnmeasuredLayer layer = UnmeasuredLayers(*Compile(), choices_).back();
  options_.measure.compile.max_arena_byte_size = 100;
  EXPECT_TRUE(absl::IsResourceExhausted(Measure(layer.node)));
  EXPECT_TRUE(choices_.entries().empty());
}

TEST_F(MeasureLayersTest, StopsWhenAsked) {
  const UnmeasuredLayer layer = UnmeasuredLayers(*Compile(), choices_).front();
  int num_asked = 0;
  options_.measure.stops = [&num_asked] { return ++num_asked == 5; };
  EXPECT_TRUE(absl::IsCancelled(Measure(layer.node)));
  EXPECT_EQ(num_asked, 5);
  EXPECT_TRUE(choices_.entries().empty());
}

TEST_F(MeasureLayersTest, OtherMemoryIsReadBetweenTheRuns) {
  options_.measure.other_byte_size = 1 << 20;
  EXPECT_TRUE(Measure(UnmeasuredLayers(*Compile(), choices_).front().node).ok());
}

TEST_F(MeasureLayersTest, ANodeThatIsNotThereIsNamed) {
  const absl::Status status = Measure("no such");
  EXPECT_TRUE(absl::IsNotFound(status));
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"no such\""));
}

TEST_F(MeasureLayersTest, ALayerWhoseRowsDoNotComeFirstIsRefused) {
  const UnmeasuredLayer layer = UnmeasuredLayers(*Compile(), choices_).front();
  for (Node& node : graph_.nodes) {
    if (node.name != layer.node) continue;
    for (const ValueId id : {node.inputs[0], node.outputs[0]}) {
      graph_.values[static_cast<std::size_t>(id)].type.shape[0] = Dim(kRows).Times(2).value();
    }
  }
  EXPECT_TRUE(absl::IsInvalidArgument(Measure(layer.node)));
}

}  // namespace
}  // namespace octet
