// SPDX-License-Identifier: Apache-2.0
// What is known of a file's values on the way through its nodes, and the steps that quantize one
// of them.

#pragma once

#include <cstddef>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/small_constants.h"
#include "models/tensor/shape.h"

namespace octet::onnx {

// The most nodes that one quantization is written in.
inline constexpr std::size_t kMostQuantizationSteps = 8;

struct IntegerRange {
  double low = -std::numeric_limits<double>::infinity();
  double high = std::numeric_limits<double>::infinity();
};

// One number, or one for each index of an axis.
struct QuantizationParameter {
  std::vector<float> values = {0.0F};
  Dims dims;  // of the constant, which broadcasts: at most one of them is not 1

  [[nodiscard]] bool IsZero() const;
  // Whole numbers of at most 17 bits.
  [[nodiscard]] bool IsWhole() const;
};

// What is known of values when their nodes have been kept, in the order of computation.
class KnownValues {
 public:
  // Both are borrowed.
  KnownValues(const GraphProto& graph, SmallConstants& constants);

  void Keep(const NodeProto& node);
  void SetType(const std::string& name, std::int64_t type) { types_[name] = type; }

  [[nodiscard]] const SmallConstants& constants() const { return constants_; }
  // TensorProto.DataType; 0 where it is not known.
  [[nodiscard]] std::int64_t TypeOf(const std::string& name) const;
  [[nodiscard]] std::optional<std::size_t> RankOf(const std::string& name) const;
  // The node that makes `name`, if it is one of ONNX's own operators; else null.
  [[nodiscard]] const NodeProto* MakerOf(const std::string& name) const;
  // The constant `name` as a parameter.
  [[nodiscard]] std::optional<QuantizationParameter> ParameterOf(const std::string& name) const;
  [[nodiscard]] std::optional<float> NumberOf(const std::string& name) const;
  // Which of a node's two inputs is constant, and what it is.
  [[nodiscard]] std::optional<std::pair<std::size_t, QuantizationParameter>> ConstantSide(
      const NodeProto& node) const;
  // Whether the constant `name` is of float32.
  [[nodiscard]] bool IsReal(const std::string& name) const;

 private:
  [[nodiscard]] std::optional<std::size_t> ResultRank(const NodeProto& node) const;

  SmallConstants& constants_;
  std::map<std::string, std::int64_t> types_;
  std::map<std::string, std::size_t> ranks_;
  std::map<std::string, const NodeProto*> makers_;
};

// clip(round(x / scale) + zero_point, range).
struct QuantizationSteps {
  std::string x;
  QuantizationParameter scale;  // or 1 / scale
  bool is_reciprocal = false;
  std::string scale_name;  // of the constant `scale`
  QuantizationParameter zero_point;
  IntegerRange range;
  std::vector<const NodeProto*> nodes;  // the last one first
};

// What computes `name`, if that is a quantization with constant, finite bounds.
std::optional<QuantizationSteps> QuantizationStepsOf(const KnownValues& values, std::string name);

// What `node` subtracts, if that is a constant of whole numbers, or what it adds, negated.
std::optional<QuantizationParameter> Subtrahend(const KnownValues& values, const NodeProto& node);

}  // namespace octet::onnx
