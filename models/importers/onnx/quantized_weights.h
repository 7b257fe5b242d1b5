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

// `constant` as int8: uint8 with 128 less.
ConstantTensor AsInt8(const ConstantTensor& constant);

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

// What a node of the graph with int8 weights takes, and what the bundle lists of it.
struct QuantizedWeights {
  ConstantTensor kernel;  // int8, as the graph's operator wants it
  ConstantTensor scale;
  std::optional<ConstantTensor> zero_point;
  std::optional<ConstantTensor> bias;

  // In serialized order.
  [[nodiscard]] std::vector<LayerVariable> variables() const;
};

// The convolution's filter [M, C / groups, kh, kw] as the graph wants it, and the attributes that
// say how. `x_channels` is the number of the input's channels where it is known.
struct FilterForm {
  std::string op;  // "Conv2d" or "DepthwiseConv2d"
  ConstantTensor kernel;
  Attributes attributes;
};
absl::StatusOr<FilterForm> FilterFormOf(NodeCall& call, const ConstantTensor& filter,
                                        std::int64_t groups, const Dim& x_channels,
                                        bool may_be_depthwise);

}  // namespace octet::onnx
