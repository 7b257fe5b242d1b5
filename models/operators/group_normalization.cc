// SPDX-License-Identifier: Apache-2.0

#include "models/operators/group_normalization.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <vector>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

constexpr std::size_t kX = 0;
constexpr std::size_t kGamma = 1;
constexpr std::size_t kBeta = 2;

struct GroupShape {
  std::int64_t pixels;
  std::int64_t channels;
  std::int64_t group_channels;
};

// One group of one image; sums in double, so that the order does not matter.
void NormalizeGroup(const GroupShape& shape, float epsilon, const float* x, const float* gamma,
                    const float* beta, float* out) {
  const double count = static_cast<double>(shape.pixels * shape.group_channels);
  double sum = 0.0;
  for (std::int64_t p = 0; p < shape.pixels; ++p) {
    for (std::int64_t c = 0; c < shape.group_channels; ++c) {
      sum += static_cast<double>(x[p * shape.channels + c]);
    }
  }
  const double mean = sum / count;
  double squares = 0.0;
  for (std::int64_t p = 0; p < shape.pixels; ++p) {
    for (std::int64_t c = 0; c < shape.group_channels; ++c) {
      const double difference = static_cast<double>(x[p * shape.channels + c]) - mean;
      squares += difference * difference;
    }
  }
  const double inverse = 1.0 / std::sqrt(squares / count + static_cast<double>(epsilon));
  for (std::int64_t p = 0; p < shape.pixels; ++p) {
    for (std::int64_t c = 0; c < shape.group_channels; ++c) {
      const std::int64_t at = p * shape.channels + c;
      const auto normalized = static_cast<float>((static_cast<double>(x[at]) - mean) * inverse);
      out[at] =
          normalized * (gamma != nullptr ? gamma[c] : 1.0F) + (beta != nullptr ? beta[c] : 0.0F);
    }
  }
}

class GroupNormalization final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "GroupNormalization"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 3));
    RETURN_IF_ERROR(inputs.CheckRank(kX, "x", 2));
    RETURN_IF_ERROR(inputs.CheckDataType(kX, "x", {DataType::kFloat32}));
    RETURN_IF_ERROR(PositiveAttribute(node, "epsilon", 1e-3).status());
    ASSIGN_OR_RETURN(const std::int64_t groups, IntAttribute(node, "groups", 0, 1));
    const Dim& channels = inputs.shape(kX).back();
    if (!channels.is_constant() || channels.value() < 1 || channels.value() % groups != 0) {
      return InvalidNode(node, "input \"x\" has shape ", ToString(inputs.shape(kX), {}),
                         ", wants channels that are a multiple of ", groups);
    }
    const std::array dims{channels.value()};
    for (const std::size_t i : {kGamma, kBeta}) {
      if (!inputs.Has(i)) continue;
      RETURN_IF_ERROR(
          inputs.CheckConstant(i, i == kGamma ? "gamma" : "beta", DataType::kFloat32, dims));
    }
    return OneOutput(node, types[kX]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    ASSIGN_OR_RETURN(const std::int64_t groups, IntAttribute(context.node, "groups", 0, 1));
    ASSIGN_OR_RETURN(const float epsilon, PositiveAttribute(context.node, "epsilon", 1e-3));
    const auto elements = [&context](std::size_t index) -> std::vector<float> {
      if (!context.node.HasInput(index)) return {};
      return FloatElements(*context.constants[index]);
    };
    return MakeStep("portable:group_normalization",
                    [groups, epsilon, gamma = elements(kGamma),
                     beta = elements(kBeta)](const StepArguments& arguments) {
                      const TensorView& x = arguments.inputs[kX];
                      const std::int64_t images = x.dims[0];
                      const std::int64_t channels = x.dims.back();
                      const GroupShape shape = {.pixels = NumElements(x.dims.subspan(1)) / channels,
                                                .channels = channels,
                                                .group_channels = channels / groups};
                      for (std::int64_t n = 0; n < images; ++n) {
                        for (std::int64_t g = 0; g < groups; ++g) {
                          const std::int64_t first = g * shape.group_channels;
                          const std::int64_t at = n * shape.pixels * channels + first;
                          NormalizeGroup(shape, epsilon, x.as<float>() + at,
                                         gamma.empty() ? nullptr : gamma.data() + first,
                                         beta.empty() ? nullptr : beta.data() + first,
                                         arguments.outputs[0].as<float>() + at);
                        }
                      }
                    });
  }
};

}  // namespace

std::unique_ptr<const Operator> MakeGroupNormalization() {
  return std::make_unique<const GroupNormalization>();
}

}  // namespace octet
