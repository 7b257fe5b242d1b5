// SPDX-License-Identifier: Apache-2.0
// Constant integer weights with what stands beside them: scales and zero points, one for all of
// them or one for each output channel.

#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/importers/onnx/node_call.h"

namespace octet::onnx {

// Zero points of `channels` output channels for weights of type `weight`, as int8 beside AsInt8:
// [channels]. Nothing where all are 0 there. `index` may be absent.
absl::StatusOr<std::optional<ConstantTensor>> WeightZeroPoints(NodeCall& call, std::size_t index,
                                                               DataType weight,
                                                               std::int64_t channels);

// Scales of `channels` output channels, each finite and above 0: [channels].
absl::StatusOr<ConstantTensor> WeightScales(NodeCall& call, std::size_t index,
                                            std::int64_t channels);

// A bias of int32, [channels].
absl::StatusOr<ConstantTensor> IntegerBias(NodeCall& call, std::size_t index,
                                           std::int64_t channels);

// The constants of the graph; kNoValue for those that there are none of.
struct WeightValues {
  ValueId kernel = kNoValue;
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
  ValueId bias = kNoValue;
};

// What a node of the graph with int8 weights takes, and what the bundle lists of it.
struct QuantizedWeights {
  ConstantTensor kernel;  // int8, as the graph's operator wants it
  ConstantTensor scale;
  std::optional<ConstantTensor> zero_point;
  std::optional<ConstantTensor> bias;

  // Some quantizers write the least int32 as the bias of a channel whose scale is next to nothing.
  // No sum gets such a channel off its zero point, so that a bias serves as well whose sums stay
  // within int32. `factor` is the scale of x over that of the result.
  void ShrinkIdleBiases(float factor);

  // Adds them to the graph, the kernel as `kernel_name`: layers that share a kernel share that
  // constant, and `kernel` is it then.
  absl::StatusOr<WeightValues> AddTo(NodeCall& call, const std::string& kernel_name);

  // In serialized order.
  [[nodiscard]] std::vector<LayerVariable> variables() const;
};

// The convolution's filter [M, C / groups, (kd,) kh, kw] as the graph wants it, and the attributes
// that say how. `x_channels` is the number of the input's channels where it is known.
struct FilterForm {
  std::string op;  // "Conv2d", "Conv3d" or "DepthwiseConv2d"
  ConstantTensor kernel;
  Attributes attributes;
};
absl::StatusOr<FilterForm> FilterFormOf(NodeCall& call, const ConstantTensor& filter,
                                        std::int64_t groups, const Dim& x_channels,
                                        bool may_be_depthwise);

}  // namespace octet::onnx
