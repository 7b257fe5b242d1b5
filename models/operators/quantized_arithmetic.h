// SPDX-License-Identifier: Apache-2.0
// The attributes and epilogues that quantized operators share (docs/operators.md, the first table).

#pragma once

#include <cstdint>
#include <vector>

#include "absl/status/statusor.h"

#include "kernels/kernel_set.h"
#include "models/graph/graph.h"
#include "models/operators/fused_activation.h"
#include "models/tensor/tensor.h"

namespace octet {

// How a node's input is quantized.
enum class ActivationQuantization {
  kNone,
  kDynamic,  // PTDQ
  kStatic,   // PTSQ
};

absl::StatusOr<ActivationQuantization> ActivationQuantizationAttribute(const Node& node);
absl::StatusOr<kernels::ScaleConvention> ScaleConventionAttribute(const Node& node);
// `dynamic_range` and `dynamic_epsilon`; the sizes are left to the caller.
absl::StatusOr<kernels::RowQuantizeSpec> DynamicAttributes(const Node& node);

// The type of a result that `output_scale` and `output_zero_point` describe: int8 where they are
// given, else float32.
absl::StatusOr<TensorType> StaticOutputType(const Node& node, Shape shape);

// The interval that an int8 result is clipped to: all of it, or less with a fused relu or relu6.
struct ClipRange {
  std::int32_t lo = -128;
  std::int32_t hi = 127;
};
// UNIMPLEMENTED for an activation that is not linear, relu or relu6.
absl::StatusOr<ClipRange> StaticClipRange(const Node& node, const FusedActivation& activation,
                                          const TensorQuantization& output);

// The values of one byte each: int4 and uint4 unpacked in logical order, int8 as it is, uint8
// shifted by -128. Precondition: one of those types.
std::vector<std::int8_t> UnpackWeights(const ConstantTensor& weights);
// What UnpackWeights subtracted: 128 for uint8, else 0.
std::int32_t WeightShift(DataType data_type);

// The int32 elements of a constant, which may lie unaligned.
std::vector<std::int32_t> Int32Elements(const ConstantTensor& constant);

// Owns what a kernels::Epilogue borrows.
class IntegerEpilogue {
 public:
  // `scale` null: a grouped product, whose scales are not the epilogue's. `bias` may be null.
  static absl::StatusOr<IntegerEpilogue> Dynamic(const Node& node,
                                                 const FusedActivation& activation,
                                                 const ConstantTensor* scale,
                                                 const ConstantTensor* bias);
  // For an int8 input with `input`'s quantization and a result of type `output`. `scale` holds one
  // element a channel.
  static absl::StatusOr<IntegerEpilogue> Static(const Node& node, const FusedActivation& activation,
                                                const TensorQuantization& input,
                                                const TensorType& output,
                                                const ConstantTensor& scale,
                                                const ConstantTensor* bias);

  // Valid as long as this object, unmoved.
  [[nodiscard]] kernels::Epilogue View() const;

 private:
  kernels::Epilogue epilogue_;
  std::vector<float> scale_;
  std::vector<float> bias_f32_;
  std::vector<std::int32_t> bias_s32_;
  std::vector<float> multiplier_;
};

}  // namespace octet
