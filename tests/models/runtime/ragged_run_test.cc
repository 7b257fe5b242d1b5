// SPDX-License-Identifier: Apache-2.0
// Sequences of different lengths in one run are answered as each is alone: an encoder on every
// kernel set.

#include "models/runtime/ragged_run.h"

#include <algorithm>
#include <map>
#include <memory>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/operators/operators.h"
#include "models/runtime/session.h"
#include "tests/support/count_allocations.h"
#include "tests/support/ragged_batches.h"
#include "tests/support/small_encoder.h"
#include "tests/support/small_network.h"

namespace octet {
namespace {

using ::testing::AllOf;
using testing::BatchOf;
using ::testing::HasSubstr;
using testing::PackedInputs;
using testing::PackedOutputs;
using testing::RunAlone;
using testing::RunRagged;
using testing::SmallEncoder;
using testing::SmallEncoderOptions;

// rows, length
const std::vector<std::vector<std::vector<std::int64_t>>> kBatches = {
    {{1, 7}, {1, 12}, {1, 31}},
    {{1, 1}, {3, 2}, {1, 1}, {2, 67}, {1, 33}},
    {{2, 5}},
    {{1, 64}, {1, 1}},
};

class RaggedRunTest : public OperatorTest {
 protected:
  static std::shared_ptr<const Executable> Compile(const SmallEncoderOptions& options,
                                                   const CompileOptions& compile = {}) {
    static const OperatorRegistry operators = BuiltInOperators();
    return Executable::Compile(SmallEncoder(options).Build(), operators, Kernels(), compile)
        .value();
  }

  // What `session` computes of a ragged batch is what another one computes of its batch.
  static void ExpectAsAlone(Session& session, const RaggedBatch& batch) {
    const std::vector<Tensor> inputs = PackedInputs(session.executable(), batch);
    Arena arena;
    const auto executable =
        std::shared_ptr<const Executable>(std::shared_ptr<void>(), &session.executable());
    const auto alone = Session::Create(executable, arena).value();
    const auto want = RunAlone(*alone, batch, inputs);
    ASSERT_TRUE(want.ok()) << want.status();
    const auto got = RunRagged(session, batch, inputs);
    ASSERT_TRUE(got.ok()) << got.status();
    for (std::size_t i = 0; i < want->size(); ++i)
      EXPECT_EQ((*got)[i], (*want)[i]) << "output " << i;
  }
};

OCTET_FOR_EVERY_KERNEL_SET(RaggedRunTest);

TEST_P(RaggedRunTest, AnswersAreThoseOfEachSequenceAloneToTheBit) {
  for (const bool has_more : {false, true}) {
    const auto executable = Compile(
        {.max_length = has_more ? 100 : 0, .is_masked = has_more, .has_pooled_output = has_more});
    ASSERT_TRUE(executable->takes_lengths());
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    for (const auto& stretches : kBatches) {
      SCOPED_TRACE(::testing::PrintToString(stretches));
      // What lay in the arena before must not matter.
      std::ranges::fill(arena.bytes(), std::byte{0xFF});
      ExpectAsAlone(*session, BatchOf(stretches));
    }
  }
}

// Float products may add up in another order where there are more rows, as in any batch.
TEST_P(RaggedRunTest, FloatAnswersAreNear) {
  const auto executable = Compile({.has_pooled_output = true, .is_quantized = false});
  ASSERT_TRUE(executable->takes_lengths());
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  for (const auto& stretches : kBatches) {
    const RaggedBatch batch = BatchOf(stretches);
    const std::vector<Tensor> inputs = PackedInputs(*executable, batch);
    const PackedOutputs want = RunAlone(*session, batch, inputs).value();
    const PackedOutputs got = RunRagged(*session, batch, inputs).value();
    for (std::size_t i = 0; i < want.size(); ++i) {
      const auto floats = [](const std::vector<std::byte>& bytes) {
        std::vector<float> values(bytes.size() / sizeof(float));
        std::memcpy(values.data(), bytes.data(), bytes.size());
        return values;
      };
      ExpectNear(floats(got[i]), floats(want[i]), 1e-4F);
    }
  }
}

TEST_P(RaggedRunTest, ProductsRunOnceAndAttentionForEachSequence) {
  const auto executable = Compile({.max_length = 100, .has_pooled_output = true});
  std::map<std::string, std::size_t> position_dims;
  for (const CompiledStep& step : executable->compiled().steps) {
    position_dims[step.node] = step.position_dims;
  }
  for (const char* node : {"embedding", "embedding/positions", "query", "hidden", "norm"}) {
    EXPECT_EQ(position_dims.at(node), 2U) << node;
  }
  EXPECT_EQ(position_dims.at("pooler"), 1U) << "its positions are rows";
  for (const char* node : {"positions", "attention", "mean"}) {
    EXPECT_EQ(position_dims.at(node), 0U) << node;
  }
}

TEST_P(RaggedRunTest, ALargerBatchThanARunHasIsCut) {
  const auto executable = Compile({.has_pooled_output = true}, {.max_rows = 3});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  ExpectAsAlone(*session, BatchOf({{1, 7}, {5, 3}, {1, 12}, {1, 7}, {1, 8}, {2, 9}}));
}

TEST_P(RaggedRunTest, RowsOfABatchAreRunInAnyOrder) {
  const auto executable = Compile({.is_masked = true, .has_pooled_output = true});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  const RaggedBatch batch = BatchOf({{2, 7}, {3, 12}, {1, 31}, {2, 4}});
  const std::vector<Tensor> inputs = PackedInputs(*executable, batch);
  const PackedOutputs want = RunAlone(*session, batch, inputs).value();
  PackedOutputs got = testing::MakeOutputs(*executable, batch);
  for (const RowRange rows : {RowRange{4, 4}, {1, 3}, {0, 1}}) {
    EXPECT_TRUE(session
                    ->RunRagged(batch, testing::ViewsOf(inputs), testing::ViewsOf(*executable, got),
                                rows, [] { return false; })
                    .ok());
  }
  EXPECT_EQ(got, want);
}

TEST_P(RaggedRunTest, AllocatesNothingOnceTheBatchesAreKnown) {
  const auto executable = Compile({.max_length = 100, .has_pooled_output = true});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  std::vector<RaggedBatch> all;
  for (const auto& stretches : kBatches) all.push_back(BatchOf(stretches));
  for (int round = 0; round < 3; ++round) {
    for (const RaggedBatch& batch : all) {
      const std::vector<Tensor> inputs = PackedInputs(*executable, batch);
      PackedOutputs outputs = testing::MakeOutputs(*executable, batch);
      const auto in = testing::ViewsOf(inputs);
      const auto out = testing::ViewsOf(*executable, outputs);
      const long before = testing::allocations;
      EXPECT_TRUE(
          session
              ->RunRagged(batch, in, out, {.first = 0, .count = batch.rows()}, [] { return false; })
              .ok());
      if (round > 0) {
        EXPECT_EQ(testing::allocations - before, 0);
      }
    }
  }
}

class RaggedLimitsTest : public RaggedRunTest {};
INSTANTIATE_TEST_SUITE_P(Reference, RaggedLimitsTest,
                         ::testing::Values(kernels::FindKernelSet("reference")), KernelSetName);

TEST_P(RaggedLimitsTest, PaysWhereMostWeightsAreReadOnceForAll) {
  const OperatorRegistry operators = BuiltInOperators();
  EXPECT_TRUE(Compile({})->takes_lengths());
  EXPECT_FALSE(Compile({}, {.max_rows = 1})->may_be_ragged());
  const auto convolutions =
      Executable::Compile(testing::OpenSequenceNetwork(), operators, Kernels()).value();
  EXPECT_TRUE(convolutions->may_be_ragged());
  EXPECT_FALSE(convolutions->takes_lengths());
  const auto images =
      Executable::Compile(testing::SmallNetwork().graph, operators, Kernels()).value();
  EXPECT_FALSE(images->may_be_ragged()) << "all are of one size";
}

TEST_P(RaggedLimitsTest, IsCutWhereTheArenaHasNoRoomForAllAtOnce) {
  const SmallEncoderOptions options = {.has_pooled_output = true};
  const RaggedBatch batch = BatchOf({{1, 30}, {1, 31}, {1, 32}, {1, 33}, {1, 34}, {2, 35}});
  const auto unlimited = Compile(options);
  RaggedRun whole(*unlimited);
  ASSERT_TRUE(whole.Plan(batch).ok());
  // Of all rows with one length; then that of the longest alone.
  for (const std::size_t divisor : {2U, 4U}) {
    const std::size_t limit = whole.arena_byte_size() / divisor;
    const auto executable = Compile(options, {.max_arena_byte_size = limit});
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    ExpectAsAlone(*session, batch);
    EXPECT_LE(arena.bytes().size(), limit);
  }
}

TEST_P(RaggedLimitsTest, OneSequenceThatNeedsTooMuchIsAnError) {
  const SmallEncoderOptions options = {.has_pooled_output = true};
  const auto executable = Compile(options, {.max_arena_byte_size = std::size_t{1} << 18});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  const RaggedBatch batch = BatchOf({{1, 7}, {1, 5000}, {1, 9}});
  const auto got = RunRagged(*session, batch, PackedInputs(*executable, batch));
  EXPECT_TRUE(absl::IsResourceExhausted(got.status())) << got.status();
  ExpectAsAlone(*session, BatchOf({{1, 7}, {1, 9}}));
}

TEST_P(RaggedLimitsTest, OneSequenceThatAStepRefusesIsAnError) {
  const auto executable = Compile({.max_length = 40});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  const RaggedBatch batch = BatchOf({{1, 7}, {1, 41}, {1, 9}});
  const auto got = RunRagged(*session, batch, PackedInputs(*executable, batch));
  EXPECT_EQ(got.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(got.status().message()),
              AllOf(HasSubstr("positions"), HasSubstr("41"), HasSubstr("at most 40")));
  EXPECT_FALSE(RunRagged(*session, batch, PackedInputs(*executable, batch)).ok()) << "asked again";
  ExpectAsAlone(*session, BatchOf({{1, 7}, {1, 40}, {1, 9}}));
}

TEST_P(RaggedLimitsTest, StopsBeforeAnyStep) {
  const auto executable = Compile({.has_pooled_output = true});
  Arena arena;
  const auto session = Session::Create(executable, arena).value();
  const RaggedBatch batch = BatchOf({{1, 7}, {1, 12}});
  const std::vector<Tensor> inputs = PackedInputs(*executable, batch);
  const auto run = [&](int stops_at, int& asked) {
    PackedOutputs outputs = testing::MakeOutputs(*executable, batch);
    asked = 0;
    return session->RunRagged(batch, testing::ViewsOf(inputs),
                              testing::ViewsOf(*executable, outputs), {.first = 0, .count = 2},
                              [&] { return asked++ == stops_at; });
  };
  int num_asked = 0;
  ASSERT_TRUE(run(-1, num_asked).ok());
  EXPECT_GT(num_asked, static_cast<int>(executable->compiled().steps.size()))
      << "attention is two steps";
  for (int i = 0; i < num_asked; ++i) {
    int asked = 0;
    EXPECT_TRUE(absl::IsCancelled(run(i, asked))) << i;
    EXPECT_EQ(asked, i + 1) << "and does no more";
  }
  ExpectAsAlone(*session, batch);
}

}  // namespace
}  // namespace octet
