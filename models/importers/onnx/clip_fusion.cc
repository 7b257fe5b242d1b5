// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/clip_fusion.h"

#include <cmath>
#include <cstdint>
#include <limits>
#include <optional>
#include <vector>

#include "absl/strings/string_view.h"

#include "models/importers/onnx/node_protos.h"

namespace octet::onnx {

namespace {

constexpr std::int64_t kInt8 = 3;  // TensorProto.DataType
constexpr float kInfinity = std::numeric_limits<float>::infinity();

// The only number of the constant `name`, `fallback` for an absent one; nothing for what is none.
std::optional<float> NumberOf(const std::string& name, float fallback, FindTensor find) {
  if (name.empty()) return fallback;
  const TensorProto* const tensor = find(name);
  const auto numbers = tensor == nullptr ? std::nullopt : FloatsOf(*tensor);
  if (!numbers.has_value() || numbers->size() != 1) return std::nullopt;
  return numbers->front();
}

// Of Clip before opset 11.
float FloatAttribute(const NodeProto& node, absl::string_view name, float fallback) {
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.name == name) return attribute.f;
  }
  return fallback;
}

struct Range {
  float low = 0;
  float high = kInfinity;
};
// What `clip` leaves; nothing where it is none, or not known.
std::optional<Range> RangeOf(const NodeProto& clip, FindTensor find) {
  if (!clip.domain.empty() || clip.inputs.empty()) return std::nullopt;
  if (clip.op_type == "Relu") return Range{};
  if (clip.op_type != "Clip") return std::nullopt;
  const auto low = NumberOf(InputOf(clip, 1), FloatAttribute(clip, "min", -kInfinity), find);
  const auto high = NumberOf(InputOf(clip, 2), FloatAttribute(clip, "max", kInfinity), find);
  if (!low.has_value() || !high.has_value()) return std::nullopt;
  return Range{*low, *high};
}

}  // namespace

bool IsClippedAnyway(const NodeProto& clip, const NodeProto& quantizer, FindTensor find) {
  const std::optional<Range> range = RangeOf(clip, find);
  const std::optional<float> scale = NumberOf(InputOf(quantizer, 1), 0, find);
  if (!range.has_value() || !scale.has_value() || !(*scale > 0)) return false;
  std::optional<std::int64_t> zero = 0;
  bool is_signed = false;
  if (const std::string name = InputOf(quantizer, 2); !name.empty()) {
    const TensorProto* const tensor = find(name);
    zero = tensor == nullptr ? std::nullopt : ByteOf(*tensor);
    is_signed = tensor != nullptr && tensor->data_type == kInt8;
  }
  if (!zero.has_value()) return false;
  const double least = is_signed ? -128 : 0;
  const auto integer_of = [&](float bound) {
    return std::nearbyint(double{bound / *scale}) + static_cast<double>(*zero);
  };
  return integer_of(range->low) <= least && integer_of(range->high) >= least + 255;
}

}  // namespace octet::onnx
