// SPDX-License-Identifier: Apache-2.0
// The attributes and epilogues that quantized operators share (docs/operators.md, the first table).

#pragma once

#include <cstddef>
#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"
#include "models/operators/fused_activation.h"
#include "models/operators/node_checks.h"
#include "models/tensor/tensor.h"

namespace octet {

// How a node's input is quantized.
enum class ActivationQuantization {
  kNone,
  kDynamic,  // PTDQ
  kStatic,   // PTSQ
};

// How a PTSQ result is multiplied by input scale * weight scale / output scale.
enum class Requantization {
  kFloat64,      // a float32, computed in float64 and rounded once
  kFloat32,      // a float32, each operation rounded
  kFixed,        // in fixed point, rounded twice: kernels/fixed_point.h
  kFixedSingle,  // in fixed point, rounded once
  kFloat64Away,  // of int16: a float64, and the product is rounded half away from zero
};
// How it rounds in fixed point; none where it does not.
std::optional<kernels::FixedRounding> FixedRoundingOf(Requantization requantization);

// Of a node whose input is of type `x`.
absl::StatusOr<Requantization> RequantizationAttribute(const Node& node,
                                                       DataType x = DataType::kInt8);
absl::StatusOr<ActivationQuantization> ActivationQuantizationAttribute(const Node& node);
// Of a node whose attributes were checked: whether its activations are quantized, so that integers
// meet its weights.
bool MultipliesIntegers(const Node& node);
absl::StatusOr<kernels::ScaleConvention> ScaleConventionAttribute(const Node& node);
// `dynamic_range`, `dynamic_epsilon` and `dynamic_scale`; the sizes are left to the caller.
absl::StatusOr<kernels::RowQuantizeSpec> DynamicAttributes(const Node& node);

// Checks input `index`, "x" in messages, of a PTSQ node: int8 or int16 with a quantization.
absl::Status CheckStaticInput(const Node& node, const NodeInputs& inputs, std::size_t index);
// Checks a bias beside such an input `x`: int32, or beside int16 int64 as well.
absl::Status CheckStaticBias(const NodeInputs& inputs, std::size_t index, DataType x,
                             std::span<const std::int64_t> dims);
// Checks weights of type `weight` beside such an input `x`: beside int16 they are int8 without zero
// points.
absl::Status CheckStaticWeights(const Node& node, DataType x, DataType weight,
                                bool has_zero_points);

// The type of a result that `output_scale` and `output_zero_point` describe: `quantized`, int8 or
// int16, where they are given, else float32.
absl::StatusOr<TensorType> StaticOutputType(const Node& node, Shape shape, DataType quantized);

// The interval that an integer result is clipped to: its type's, or less with a fused relu or
// relu6.
struct ClipRange {
  std::int32_t lo;
  std::int32_t hi;
};
// UNIMPLEMENTED for an activation that is not linear, relu or relu6. `output` is int8 or int16 and
// has a quantization.
absl::StatusOr<ClipRange> StaticClipRange(const Node& node, const FusedActivation& activation,
                                          const TensorType& output);

// The values of one byte each: int4 and uint4 unpacked in logical order, int8 as it is, uint8
// shifted by -128. Precondition: one of those types.
std::vector<std::int8_t> UnpackWeights(const ConstantTensor& weights);
// What UnpackWeights subtracted: 128 for uint8, else 0.
std::int32_t WeightShift(DataType data_type);

// The dimensions of a weight's scales or zero points: [1] where `constant` holds one for the whole
// tensor, else [num_channels].
Dims ChannelDims(const ConstantTensor* constant, std::int64_t num_channels);
// `values` of ChannelDims, one for each channel.
template <typename T>
std::vector<T> PerChannel(std::vector<T> values, std::size_t num_channels) {
  if (values.size() == 1) values.resize(num_channels, values[0]);
  return values;
}

// Zero points of weights of type `weight` (int8, uint8, int4, uint4), shifted as UnpackWeights
// shifts the weights. INVALID_ARGUMENT where one is then no int8; the message calls the input
// `name`. Precondition: `zero_point` is int8 or uint8.
absl::StatusOr<std::vector<std::int8_t>> WeightZeroPoints(const Node& node, absl::string_view name,
                                                          DataType weight,
                                                          const ConstantTensor& zero_point);

// The elements of an int8 or uint8 constant.
std::vector<std::int32_t> ByteElements(const ConstantTensor& constant);

// The int32 elements of a constant, which may lie unaligned.
std::vector<std::int32_t> Int32Elements(const ConstantTensor& constant);
// Those of an int32 or int64 constant.
std::vector<std::int64_t> Int64Elements(const ConstantTensor& constant);

// Where a PTSQ kernel writes, for a result of `size` elements.
void SetOutput(const MutableTensorView& result, std::size_t size, kernels::EpilogueOutput& out);
void SetOutput(const MutableTensorView& result, std::size_t size, kernels::EpilogueS16Output& out);

// Owns what a kernels::Epilogue borrows.
class IntegerEpilogue {
 public:
  // `scale` holds one element a channel, or none for a grouped product, whose scales are not the
  // epilogue's. `bias` may be null.
  static absl::StatusOr<IntegerEpilogue> Dynamic(const Node& node,
                                                 const FusedActivation& activation,
                                                 std::vector<float> scale,
                                                 const ConstantTensor* bias);
  // By the attribute `requantization`, for an int8 input with `input`'s quantization and a result
  // of type `output`. `scale` holds one element a channel.
  static absl::StatusOr<IntegerEpilogue> Static(const Node& node, const FusedActivation& activation,
                                                const TensorQuantization& input,
                                                const TensorType& output,
                                                std::span<const float> scale,
                                                const ConstantTensor* bias);

  // Valid as long as this object, unmoved.
  [[nodiscard]] kernels::Epilogue View() const;

 private:
  kernels::Epilogue epilogue_;
  std::vector<float> scale_;
  std::vector<float> bias_f32_;
  std::vector<std::int32_t> bias_s32_;
  std::vector<float> multiplier_;
  std::vector<kernels::FixedPointScale> fixed_;
};

// Owns what a kernels::EpilogueS16 borrows.
class Int16Epilogue {
 public:
  // As IntegerEpilogue::Static, for an int16 input.
  static absl::StatusOr<Int16Epilogue> Make(const Node& node, const FusedActivation& activation,
                                            const TensorQuantization& input,
                                            const TensorType& output, std::span<const float> scale,
                                            const ConstantTensor* bias);

  // Valid as long as this object, unmoved.
  [[nodiscard]] kernels::EpilogueS16 View() const;

 private:
  kernels::EpilogueS16 epilogue_;
  std::vector<std::int64_t> bias_;
  std::vector<double> multiplier_;
};

}  // namespace octet
