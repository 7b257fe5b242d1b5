// SPDX-License-Identifier: Apache-2.0

#include "models/operators/batch_normalization.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <utility>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kGamma = 1;
constexpr std::size_t kBeta = 2;
constexpr std::size_t kMean = 3;
constexpr std::size_t kVariance = 4;

// y = (x - mean) * factor + beta, one of each a channel.
struct Channels {
  std::vector<float> mean;
  std::vector<float> factor;
  std::vector<float> beta;
};

Channels MakeChannels(const PrepareContext& context, float epsilon) {
  Channels channels;
  channels.mean = FloatElements(*context.constants[kMean]);
  const std::vector<float> variance = FloatElements(*context.constants[kVariance]);
  const std::size_t size = variance.size();
  const bool has_gamma = context.constants[kGamma] != nullptr;
  const std::vector<float> gamma =
      has_gamma ? FloatElements(*context.constants[kGamma]) : std::vector<float>(size, 1.0F);
  channels.beta = context.constants[kBeta] != nullptr ? FloatElements(*context.constants[kBeta])
                                                      : std::vector<float>(size, 0.0F);
  for (std::size_t c = 0; c < size; ++c) {
    const double deviation =
        std::sqrt(static_cast<double>(variance[c]) + static_cast<double>(epsilon));
    channels.factor.push_back(static_cast<float>(static_cast<double>(gamma[c]) / deviation));
  }
  return channels;
}

void Normalize(const Channels& channels, std::int64_t outer, std::int64_t inner, const float* x,
               float* out) {
  const std::size_t size = channels.mean.size();
  for (std::int64_t o = 0; o < outer; ++o) {
    if (inner == 1) {
      for (std::size_t c = 0; c < size; ++c) {
        out[c] = (x[c] - channels.mean[c]) * channels.factor[c] + channels.beta[c];
      }
      x += size;
      out += size;
      continue;
    }
    for (std::size_t c = 0; c < size; ++c) {
      for (std::int64_t i = 0; i < inner; ++i) {
        *out++ = (*x++ - channels.mean[c]) * channels.factor[c] + channels.beta[c];
      }
    }
  }
}

class BatchNormalization final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "BatchNormalization"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 5));
    RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
    ASSIGN_OR_RETURN(const std::size_t axis, AxisAttribute(node, "axis", inputs.rank(kX), 1));
    const Dim& channels = inputs.shape(kX)[axis];
    if (!channels.is_constant()) return UnimplementedNode(node, "an open number of channels");
    if (!inputs.Has(kMean) || !inputs.Has(kVariance)) {
      return InvalidNode(node, "inputs \"mean\" and \"variance\" are wanted");
    }
    const std::array dims{channels.value()};
    constexpr std::array<absl::string_view, 5> kNames = {"x", "gamma", "beta", "mean", "variance"};
    for (std::size_t i = kGamma; i <= kVariance; ++i) {
      if (!inputs.Has(i)) continue;
      RETURN_IF_ERROR(inputs.CheckConstant(i, kNames[i], DataType::kFloat32, dims));
    }
    ASSIGN_OR_RETURN(const float epsilon, FloatAttribute(node, "epsilon", 1e-3));
    for (const float variance : FloatElements(*inputs.constant(kVariance))) {
      if (!(variance + epsilon > 0.0F)) {
        return InvalidNode(node, "a variance of ", variance, " with an epsilon of ", epsilon,
                           ", wants a sum above 0");
      }
    }
    return OneOutput(node, {DataType::kFloat32, types[kX].shape, std::nullopt});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::size_t axis,
                     AxisAttribute(context.node, "axis", context.inputs[kX].shape.size(), 1));
    ASSIGN_OR_RETURN(const float epsilon, FloatAttribute(context.node, "epsilon", 1e-3));
    return MakeStep(
        "portable:batch_normalization",
        [axis, channels = MakeChannels(context, epsilon)](const StepArguments& arguments) {
          const TensorView& x = arguments.inputs[kX];
          Normalize(channels, NumElements(x.dims.first(axis)),
                    NumElements(x.dims.subspan(axis + 1)), x.as<float>(),
                    arguments.outputs[0].as<float>());
        });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeBatchNormalization() {
  return std::make_unique<const BatchNormalization>();
}

}  // namespace octet
