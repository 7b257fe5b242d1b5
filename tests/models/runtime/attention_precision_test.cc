// SPDX-License-Identifier: Apache-2.0
#include "models/runtime/attention_precision.h"

#include <cmath>
#include <cstddef>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/self_test.h"
#include "models/runtime/session.h"
#include "tests/support/attention_network.h"

namespace octet {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

const kernels::KernelSet& Reference() { return *kernels::FindKernelSet("reference"); }

// The reference kernels, with an attention that may be less precise: its results are the
// reference's times 1 + kPercent / 100.
template <int kPercent>
kernels::KernelSet WithReducedAttention() {
  static constexpr kernels::ReducedAttention kReduced = {
      .name = "attention_rough",
      .run =
          [](const kernels::AttentionShape& shape, const float* query, const float* key,
             const float* value, float* out, std::span<std::byte> scratch) {
            Reference().attention_f32(shape, query, key, value, out, scratch);
            for (std::size_t head = 0; head < shape.heads; ++head) {
              for (std::size_t t = 0; t < shape.queries; ++t) {
                float* const row = out + head * shape.out_head_stride + t * shape.out_stride;
                for (std::size_t e = 0; e < shape.value_width; ++e) {
                  row[e] *= 1.0F + static_cast<float>(kPercent) / 100.0F;
                }
              }
            }
          },
      .scratch_byte_size =
          [](const kernels::AttentionShape& shape) {
            return Reference().attention_f32_scratch_byte_size(shape);
          }};
  kernels::KernelSet set = Reference();
  set.name = "rough";
  set.reduced_attention = []() -> const kernels::ReducedAttention* { return &kReduced; };
  return set;
}

class AttentionPrecisionTest : public ::testing::Test {
 protected:
  AttentionPrecisionTest() {
    constexpr std::int64_t kLength = 5;
    for (std::size_t i = 0; i < 3; ++i) {
      Tensor tensor(DataType::kFloat32,
                    {2, kLength, testing::kAttentionHeads, testing::kAttentionWidth});
      const std::span<float> elements = tensor.as<float>();
      for (std::size_t j = 0; j < elements.size(); ++j) {
        elements[j] = std::sin(static_cast<float>(j * (i + 2)) * 0.37F);
      }
      inputs_.push_back(std::move(tensor));
    }
  }

  std::shared_ptr<const Executable> Compile(const kernels::KernelSet& kernels,
                                            AttentionPrecision precision) {
    return Executable::Compile(graph_, operators_, kernels, {.attention_precision = precision})
        .value();
  }
  std::string KernelOf(const kernels::KernelSet& kernels, AttentionPrecision precision) {
    return Compile(kernels, precision)->steps().at(0).kernel;
  }
  absl::Status SelfTest(const kernels::KernelSet& kernels, AttentionPrecision precision) {
    std::vector<Tensor> expected;
    expected.emplace_back(DataType::kFloat32, inputs_[0].dims());
    std::vector<TensorView> views;
    for (const Tensor& input : inputs_) views.push_back(input.view());
    const std::vector<MutableTensorView> outputs = {expected[0].mutable_view()};
    Arena arena;
    const auto reference =
        Session::Create(Compile(Reference(), AttentionPrecision::kFloat32), arena).value();
    EXPECT_TRUE(reference->Run(views, outputs).ok());
    const auto session = Session::Create(Compile(kernels, precision), arena).value();
    return RunWholeSelfTest(*session, graph_, operators_, inputs_, expected, 1e-5);
  }

  const Graph graph_ = testing::AttentionNetwork({});
  const OperatorRegistry operators_ = BuiltInOperators();
  std::vector<Tensor> inputs_;
};

TEST_F(AttentionPrecisionTest, IsOneOfTwoWords) {
  EXPECT_EQ(ParseAttentionPrecision("float32").value(), AttentionPrecision::kFloat32);
  EXPECT_EQ(ParseAttentionPrecision("fastest").value(), AttentionPrecision::kFastest);
  for (const std::string text : {"", "FLOAT32", "bf16", "fastest "}) {
    EXPECT_EQ(ParseAttentionPrecision(text).status().message(),
              "got \"" + text + "\", wants \"float32\" or \"fastest\"");
  }
}

TEST_F(AttentionPrecisionTest, IsFloat32UnlessAskedFor) {
  const kernels::KernelSet rough = WithReducedAttention<1>();
  EXPECT_EQ(CompileOptions().attention_precision, AttentionPrecision::kFloat32);
  EXPECT_EQ(KernelOf(rough, AttentionPrecision::kFloat32), "rough:attention_f32");
  EXPECT_EQ(KernelOf(rough, AttentionPrecision::kFastest), "rough:attention_rough");
}

TEST_F(AttentionPrecisionTest, IsFloat32WhereNothingLessIsFaster) {
  EXPECT_EQ(KernelOf(Reference(), AttentionPrecision::kFastest), "reference:attention_f32");
}

TEST_F(AttentionPrecisionTest, ASelfTestToleratesWhatWasAskedFor) {
  const kernels::KernelSet rough = WithReducedAttention<3>();
  for (const auto precision : {AttentionPrecision::kFloat32, AttentionPrecision::kFastest}) {
    const absl::Status status = SelfTest(rough, precision);
    EXPECT_TRUE(status.ok()) << status;
  }
}

TEST_F(AttentionPrecisionTest, ASelfTestRefusesWhatIsFarOff) {
  const kernels::KernelSet rough = WithReducedAttention<20>();
  const absl::Status status = SelfTest(rough, AttentionPrecision::kFastest);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()),
              AllOf(HasSubstr("on rough:attention_rough differs from reference:attention_f32")));
  EXPECT_TRUE(SelfTest(rough, AttentionPrecision::kFloat32).ok());
}

TEST_F(AttentionPrecisionTest, ASelfTestStillComparesTheOutputs) {
  // Attention in float32 is wrong here, what is less precise is right.
  kernels::KernelSet wrong = WithReducedAttention<0>();
  wrong.attention_f32 = WithReducedAttention<1>().reduced_attention()->run;
  const absl::Status status = SelfTest(wrong, AttentionPrecision::kFastest);
  EXPECT_EQ(status.code(), absl::StatusCode::kFailedPrecondition);
  EXPECT_THAT(std::string(status.message()), HasSubstr("self-test: output"));
}

}  // namespace
}  // namespace octet
