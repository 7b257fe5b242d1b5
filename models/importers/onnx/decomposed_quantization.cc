// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/decomposed_quantization.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <limits>
#include <map>
#include <optional>
#include <set>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/importers/onnx/node_protos.h"
#include "models/importers/onnx/quantization_steps.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1, kUint8 = 2, kInt8 = 3, kInt16 = 5, kInt32 = 6, kInt64 = 7;
// Elements of weights that are looked at together, to see that none is clipped.
constexpr std::int64_t kMostChecked = std::int64_t{1} << 28;

using Parameter = QuantizationParameter;
using Range = IntegerRange;

Range RangeOf(std::int64_t type) { return type == kUint8 ? Range{0, 255} : Range{-128, 127}; }

// A scale and zero points as QuantizeLinear has them.
struct Quantization {
  std::vector<float> scale;
  std::vector<std::int64_t> zero_point;
  std::optional<std::int64_t> axis;  // of the tensor, where there are several
  std::int64_t type = kUint8;
};

// The scale whose inverse `inverse` is: `guess` where that is one.
float ScaleOf(float inverse, std::optional<float> guess) {
  const float nearest = static_cast<float>(1.0 / static_cast<double>(inverse));
  const float below = std::nextafter(nearest, 0.0F);
  const float above = std::nextafter(nearest, std::numeric_limits<float>::infinity());
  for (const float candidate : {guess.value_or(nearest), nearest, below, above}) {
    if (1.0F / candidate == inverse) return candidate;
  }
  return nearest;
}

class Recomposer {
 public:
  Recomposer(const GraphProto& graph, SmallConstants& constants,
             std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made)
      : constants_(constants), values_(graph, constants), nodes_(nodes), made_(made) {
    for (const TensorProto& tensor : graph.initializers) names_.insert(tensor.name);
    for (const ValueInfoProto& input : graph.inputs) names_.insert(input.name);
    for (const ValueInfoProto& output : graph.outputs) {
      ++uses_[output.name];
      outputs_.insert(output.name);
    }
    for (const NodeProto* const node : nodes) {
      for (const std::string& input : node->inputs) {
        ++uses_[input];
        users_[input] = node;
      }
      for (const std::string& output : node->outputs) names_.insert(output);
      for (const std::string& input : node->inputs) names_.insert(input);
      constants.Note(*node);
    }
  }

  void Run() {
    for (const NodeProto* written : nodes_) {
      if (IsLeftOut(*written)) continue;
      const NodeProto* const node = WithNewNames(*written);
      if (node->domain.empty() && node->outputs.size() == 1) {
        if (node->op_type == "Cast" && IsQuantized(*node)) continue;
        if (node->op_type == "Mul" && IsDequantized(*node)) continue;
      }
      KeepNode(*node);
    }
    std::erase_if(result_, [this](const NodeProto* node) { return gone_.contains(node); });
    nodes_ = std::move(result_);
  }

 private:
  void KeepNode(const NodeProto& node) {
    result_.push_back(&node);
    values_.Keep(node);
  }

  // --- What stands between the nodes that are looked for.

  // Takes note of a node that changes nothing: a Transpose to the same order, Identity.
  bool IsLeftOut(const NodeProto& node) {
    if (!node.domain.empty() || node.inputs.size() != 1 || node.outputs.size() != 1 ||
        node.inputs[0].empty() || node.outputs[0].empty() || outputs_.contains(node.outputs[0])) {
      return false;
    }
    bool changes = node.op_type != "Identity";
    if (node.op_type == "Transpose" && node.attributes.size() == 1) {
      const std::vector<std::int64_t>& order = node.attributes[0].ints;
      changes = order.empty();
      for (std::size_t i = 0; i < order.size(); ++i) {
        changes = changes || order[i] != static_cast<std::int64_t>(i);
      }
    }
    if (changes) return false;
    const auto known = renamed_.find(node.inputs[0]);
    const std::string name = known == renamed_.end() ? node.inputs[0] : known->second;
    // The node's own use of it, and those of its result.
    uses_[name] += uses_[node.outputs[0]] - 1;
    renamed_[node.outputs[0]] = name;
    return true;
  }

  // The node with the inputs that are left of those that it takes, and with constants for scales
  // and zero points that are computed of constants.
  const NodeProto* WithNewNames(const NodeProto& written) {
    std::vector<std::string> inputs = written.inputs;
    for (std::string& input : inputs) {
      const auto known = renamed_.find(input);
      if (known != renamed_.end()) input = known->second;
    }
    const bool is_linear = written.domain.empty() && (written.op_type == "QuantizeLinear" ||
                                                      written.op_type == "DequantizeLinear");
    for (std::size_t i = 1; is_linear && i < inputs.size(); ++i) {
      const NodeProto* const maker = values_.MakerOf(inputs[i]);
      const ConstantTensor* const constant = constants_.Find(inputs[i]);
      if (maker == nullptr || maker->op_type == "Constant" || constant == nullptr ||
          (constant->data_type() != DataType::kFloat32 &&
           constant->data_type() != DataType::kInt8 && constant->data_type() != DataType::kUint8)) {
        continue;
      }
      const std::string wish = absl::StrCat(inputs[i], "/value");
      --uses_[inputs[i]];
      inputs[i] = PutValue(wish, *constant);
      ++uses_[inputs[i]];
    }
    if (inputs == written.inputs) return &written;
    made_.push_back(written);
    made_.back().inputs = std::move(inputs);
    return &made_.back();
  }
  // `constant`, which is float32 or of 8 bits, as a node.
  std::string PutValue(const std::string& wish, const ConstantTensor& constant) {
    TensorProto tensor;
    tensor.dims.assign(constant.dims().begin(), constant.dims().end());
    tensor.data_type = constant.data_type() == DataType::kUint8  ? kUint8
                       : constant.data_type() == DataType::kInt8 ? kInt8
                                                                 : kFloat;
    if (tensor.data_type == kFloat) {
      tensor.float_data = FloatElements(constant);
    } else {
      tensor.integer_data = Int64Elements(constant);
    }
    return PutConstant(wish, std::move(tensor));
  }

  // --- Scales and zero points as the operators want them.

  // The scale that `name`, which is 1 / scale, was computed of, or that `quantized` is multiplied
  // with in the end.
  [[nodiscard]] std::optional<float> ScaleGuess(const QuantizationSteps& chain,
                                                const std::string& quantized) const {
    const NodeProto* const maker = values_.MakerOf(chain.scale_name);
    if (maker != nullptr && maker->op_type == "Reciprocal")
      return values_.NumberOf(maker->inputs[0]);
    if (maker != nullptr && maker->op_type == "Div") return values_.NumberOf(maker->inputs[1]);
    std::string name = quantized;
    for (int i = 0; i < 4; ++i) {
      const auto user = users_.find(name);
      if (user == users_.end() || user->second->outputs.size() != 1) return std::nullopt;
      const NodeProto& node = *user->second;
      if (node.op_type == "Mul" && node.inputs.size() == 2) {
        const auto side = values_.ConstantSide(node);
        if (!side.has_value() || side->second.values.size() != 1) return std::nullopt;
        return side->second.values[0];
      }
      name = node.outputs[0];
    }
    return std::nullopt;
  }

  // Scale and zero point of a tensor of `rank` axes, if it has so many that these are those of one
  // axis.
  static std::optional<Quantization> Joined(const Parameter& scale, const Parameter& zero_point,
                                            std::int64_t type, std::optional<std::size_t> rank) {
    Quantization result;
    result.type = type;
    result.scale = scale.values;
    const Range range = RangeOf(type);
    for (const float value : zero_point.values) {
      if (type != kInt32 && (value < range.low || value > range.high)) return std::nullopt;
      result.zero_point.push_back(static_cast<std::int64_t>(value));
    }
    for (const Parameter* const parameter : {&scale, &zero_point}) {
      // A result with more axes than the tensor is none of QuantizeLinear.
      if (parameter->dims.size() > 1 && (!rank.has_value() || parameter->dims.size() > *rank)) {
        return std::nullopt;
      }
      if (parameter->values.size() == 1) continue;
      if (!rank.has_value() || parameter->dims.size() > *rank) return std::nullopt;
      const auto at = std::find_if(parameter->dims.begin(), parameter->dims.end(),
                                   [](std::int64_t dim) { return dim != 1; });
      const auto axis = static_cast<std::int64_t>(*rank - parameter->dims.size()) +
                        (at - parameter->dims.begin());
      if (result.axis.has_value() && *result.axis != axis) return std::nullopt;
      result.axis = axis;
    }
    const std::size_t count = std::max(scale.values.size(), zero_point.values.size());
    if (result.scale.size() == 1) result.scale.resize(count, result.scale[0]);
    if (result.zero_point.size() == 1) result.zero_point.resize(count, result.zero_point[0]);
    if (result.scale.size() != result.zero_point.size()) return std::nullopt;
    return result;
  }

  // --- What is put in their place.

  std::string Unused(const std::string& wish) {
    std::string name = wish;
    for (int i = 1; !names_.insert(name).second; ++i) name = absl::StrCat(wish, "_", i);
    return name;
  }
  const NodeProto& Put(NodeProto node) {
    for (const std::string& input : node.inputs) ++uses_[input];
    made_.push_back(std::move(node));
    KeepNode(made_.back());
    return made_.back();
  }
  std::string PutConstant(const std::string& wish, TensorProto tensor) {
    NodeProto node = ConstantNode(std::move(tensor));
    node.name = Unused(wish);
    node.outputs = {node.name};
    Put(std::move(node));
    return made_.back().outputs[0];
  }
  std::string PutIntegers(const std::string& wish, std::int64_t type,
                          const std::vector<std::int64_t>& values, bool is_list) {
    TensorProto tensor;
    tensor.data_type = type;
    if (is_list) tensor.dims = {static_cast<std::int64_t>(values.size())};
    tensor.integer_data = values;
    return PutConstant(wish, std::move(tensor));
  }
  // QuantizeLinear or DequantizeLinear.
  void PutLinear(const std::string& op, const std::string& name, const std::string& input,
                 const Quantization& quantization, const std::string& output) {
    TensorProto scale;
    scale.data_type = kFloat;
    const bool is_list = quantization.axis.has_value();
    if (is_list) scale.dims = {static_cast<std::int64_t>(quantization.scale.size())};
    scale.float_data = quantization.scale;
    NodeProto node;
    node.op_type = op;
    node.name = name;
    node.inputs = {input, PutConstant(absl::StrCat(output, "/scale"), std::move(scale))};
    if (quantization.type != kInt32) {
      node.inputs.push_back(PutIntegers(absl::StrCat(output, "/zero_point"), quantization.type,
                                        quantization.zero_point, is_list));
    }
    node.outputs = {output};
    if (is_list) {
      node.attributes.push_back(IntAttributeOf("axis", *quantization.axis));
    }
    Put(std::move(node));
  }

  // Whether a clip to `range` changes any element of the weights `chain` quantizes: nothing where
  // it quantizes none, or more than are looked at.
  std::optional<bool> Clips(const QuantizationSteps& chain, const Quantization& quantization,
                            const Range& range) {
    const ConstantTensor* const weights = constants_.Initializer(chain.x);
    if (weights == nullptr || weights->data_type() != DataType::kFloat32) return std::nullopt;
    checked_ += NumElements(weights->dims());
    if (checked_ > kMostChecked) return std::nullopt;
    const Dims& dims = weights->dims();
    std::int64_t inner = 1;
    const auto axis = static_cast<std::size_t>(quantization.axis.value_or(0));
    for (std::size_t i = axis + 1; i < dims.size(); ++i) inner *= dims[i];
    const auto count = static_cast<std::int64_t>(quantization.scale.size());
    if (quantization.axis.has_value() && dims[axis] != count) return std::nullopt;
    std::int64_t i = 0;
    for (const float element : FloatElements(*weights)) {
      const auto at = static_cast<std::size_t>(i++ / inner % count);
      const double q = std::nearbyint(element / quantization.scale[at]) +
                       static_cast<double>(quantization.zero_point[at]);
      if (!(q >= range.low && q <= range.high)) return true;
    }
    return false;
  }

  // Puts what quantizes in front, in place of what makes `quantized`. Returns what its result is
  // called: `quantized` too, if `last` makes that. Nothing where the chain is kept.
  std::optional<std::string> PutQuantizing(const QuantizationSteps& chain,
                                           const Parameter& zero_point, const Range& range,
                                           std::int64_t type, const NodeProto& last,
                                           const std::string& quantized) {
    Parameter scale = chain.scale;
    if (chain.is_reciprocal) {
      const auto guess = ScaleGuess(chain, quantized);
      for (float& value : scale.values) value = ScaleOf(value, guess);
    }
    const auto quantization = Joined(scale, zero_point, type, values_.RankOf(chain.x));
    if (!quantization.has_value()) return std::nullopt;
    const Range whole = RangeOf(type);
    bool is_narrow = range.low != whole.low || range.high != whole.high;
    if (is_narrow && constants_.Initializer(chain.x) != nullptr) {
      const auto clips = Clips(chain, *quantization, range);
      // Weights that are clipped are computed as they are written.
      if (!clips.has_value() || *clips) return std::nullopt;
      is_narrow = false;
    }
    const std::string end = quantized == last.outputs[0]
                                ? quantized
                                : Unused(absl::StrCat(last.outputs[0], "/quantized"));
    const std::string start = is_narrow ? Unused(absl::StrCat(end, "/unclipped")) : end;
    const std::string name = last.name.empty() ? end : absl::StrCat(last.name, "/quantized");
    PutLinear("QuantizeLinear", name, chain.x, *quantization, start);
    if (!is_narrow) return end;
    NodeProto clip;
    clip.op_type = "Clip";
    clip.name = absl::StrCat(name, "/clipped");
    clip.inputs = {start, "", ""};
    if (range.low != whole.low) {
      clip.inputs[1] = PutIntegers(absl::StrCat(end, "/low"), type,
                                   {static_cast<std::int64_t>(range.low)}, false);
    }
    if (range.high != whole.high) {
      clip.inputs[2] = PutIntegers(absl::StrCat(end, "/high"), type,
                                   {static_cast<std::int64_t>(range.high)}, false);
    }
    clip.outputs = {end};
    Put(std::move(clip));
    values_.SetType(end, type);
    return end;
  }

  // One use less of what a node takes; a constant that is cast like something else is none of its.
  void GiveUp(const NodeProto& node) {
    for (const std::string& input : node.inputs) {
      const NodeProto* const maker = values_.MakerOf(input);
      if (--uses_[input] != 0 || maker == nullptr || maker->op_type != "CastLike") continue;
      if (constants_.Find(input) == nullptr || !gone_.insert(maker).second) continue;
      for (const std::string& name : maker->inputs) --uses_[name];
    }
  }
  // Leaves out `last`, and those of `nodes` that nobody takes any more.
  void Replace(const NodeProto& last, const std::vector<const NodeProto*>& nodes) {
    GiveUp(last);
    for (const NodeProto* const node : nodes) {
      if (uses_[node->outputs[0]] == 0 && gone_.insert(node).second) GiveUp(*node);
    }
  }

  // Replaces `cast` if it ends a quantization.
  bool IsQuantized(const NodeProto& cast) {
    const std::int64_t type = IntAttribute(cast, "to", 0);
    if ((type != kUint8 && type != kInt8) || cast.inputs.size() != 1) return false;
    const auto chain = QuantizationStepsOf(values_, cast.inputs[0]);
    const Range range = RangeOf(type);
    if (!chain.has_value() || chain->range.low < range.low || chain->range.high > range.high) {
      return false;
    }
    if (!PutQuantizing(*chain, chain->zero_point, chain->range, type, cast, cast.outputs[0])
             .has_value()) {
      return false;
    }
    Replace(cast, chain->nodes);
    return true;
  }

  // What casts and a difference are made of: 8 bits, or what is none of these.
  struct WhatIsBelow {
    std::string name;
    Parameter zero_point;
    std::vector<const NodeProto*> nodes;
  };
  [[nodiscard]] std::optional<WhatIsBelow> Below(std::string start) const {
    WhatIsBelow below = {std::move(start), {}, {}};
    auto& [name, zero_point, nodes] = below;
    while (nodes.size() < kMostQuantizationSteps && !Is8Bit(name)) {
      const NodeProto* const node = values_.MakerOf(name);
      if (node == nullptr || node->outputs.size() != 1 || node->inputs.empty()) return std::nullopt;
      if (node->op_type == "Cast") {
        const std::int64_t to = IntAttribute(*node, "to", 0);
        if (to != kFloat && to != kInt16 && to != kInt32 && to != kInt64) return std::nullopt;
        name = node->inputs[0];
      } else {
        const auto subtracted = Subtrahend(values_, *node);
        if (!subtracted.has_value() || !zero_point.IsZero()) break;
        zero_point = *subtracted;
        name = node->inputs[1 - values_.ConstantSide(*node)->first];
      }
      nodes.push_back(node);
    }
    return below;
  }

  // Replaces `product` if it dequantizes.
  bool IsDequantized(const NodeProto& product) {
    if (product.inputs.size() != 2) return false;
    const auto scale = values_.ConstantSide(product);
    if (!scale.has_value() || !values_.IsReal(product.inputs[scale->first])) return false;
    for (const float value : scale->second.values) {
      if (!std::isnormal(value) || value <= 0.0F) return false;
    }
    auto below = Below(product.inputs[1 - scale->first]);
    if (!below.has_value()) return false;
    auto& [name, zero_point, nodes] = *below;
    if (Is8Bit(name)) {
      // A difference of bytes would wrap around.
      return !nodes.empty() && nodes.back()->op_type == "Cast" &&
             Dequantize(product, name, scale->second, zero_point, nodes);
    }
    // A float chain: casts that were passed are part of it.
    name = product.inputs[1 - scale->first];
    nodes.clear();
    if (!zero_point.IsZero()) {
      const NodeProto* const node = values_.MakerOf(name);
      const auto subtracted = node == nullptr ? std::nullopt : Subtrahend(values_, *node);
      if (!subtracted.has_value()) return false;
      zero_point = *subtracted;
      nodes.push_back(node);
      name = node->inputs[1 - values_.ConstantSide(*node)->first];
    }
    return DequantizeReal(product, name, scale->second, zero_point, std::move(nodes));
  }
  // Of 8 bits, or weights of 32 as biases are.
  [[nodiscard]] bool Is8Bit(const std::string& name) const {
    const std::int64_t type = values_.TypeOf(name);
    return type == kUint8 || type == kInt8 ||
           (type == kInt32 &&
            (constants_.Initializer(name) != nullptr || constants_.Find(name) != nullptr));
  }
  bool Dequantize(const NodeProto& product, const std::string& name, const Parameter& scale,
                  const Parameter& zero_point, const std::vector<const NodeProto*>& nodes) {
    const std::int64_t type = values_.TypeOf(name);
    if (type == kInt32 && !zero_point.IsZero()) return false;
    const auto quantization = Joined(scale, zero_point, type, values_.RankOf(name));
    if (!quantization.has_value()) return false;
    PutLinear("DequantizeLinear", product.name, name, *quantization, product.outputs[0]);
    Replace(product, nodes);
    return true;
  }

  // A product of what was clipped in floats: as bytes, whose zero point is chosen if need be.
  bool DequantizeReal(const NodeProto& product, const std::string& name, const Parameter& scale,
                      Parameter zero_point, std::vector<const NodeProto*> nodes) {
    const auto chain = QuantizationStepsOf(values_, name);
    if (!chain.has_value()) return false;
    Parameter added = chain->zero_point;
    Range range = chain->range;
    std::int64_t type = range.low >= 0 && range.high <= 255 ? kUint8 : kInt8;
    if (range.low < RangeOf(type).low || range.high > RangeOf(type).high) {
      // Bounds without their zero point.
      if (range.high - range.low > 255 || added.values.size() > 1 || zero_point.values.size() > 1) {
        return false;
      }
      const double shift = -range.low;
      type = kUint8;
      range = {0, range.high + shift};
      added.values[0] += static_cast<float>(shift);
      zero_point.values[0] += static_cast<float>(shift);
    }
    const auto back = Joined(scale, zero_point, type, values_.RankOf(chain->x));
    if (!back.has_value()) return false;
    const auto known = quantized_.find(name);
    if (known != quantized_.end() && known->second.type != type) return false;
    if (known == quantized_.end()) {
      const auto output = PutQuantizing(*chain, added, range, type, product, name);
      if (!output.has_value()) return false;
      quantized_[name] = {*output, type};
    }
    PutLinear("DequantizeLinear", product.name, quantized_[name].name, *back, product.outputs[0]);
    nodes.insert(nodes.end(), chain->nodes.begin(), chain->nodes.end());
    Replace(product, nodes);
    return true;
  }

  struct Bytes {
    std::string name;
    std::int64_t type = 0;
  };

  SmallConstants& constants_;
  KnownValues values_;
  std::vector<const NodeProto*>& nodes_;
  std::deque<NodeProto>& made_;
  std::map<std::string, std::size_t> uses_;
  std::map<std::string, const NodeProto*> users_;  // the last one of several
  std::set<std::string> names_;
  std::set<std::string> outputs_;
  std::map<std::string, std::string> renamed_;  // results of nodes that change nothing
  std::map<std::string, Bytes> quantized_;      // by the name of what was clipped in floats
  std::vector<const NodeProto*> result_;
  std::set<const NodeProto*> gone_;
  std::int64_t checked_ = 0;
};

}  // namespace

void RecomposeQuantization(const GraphProto& graph, SmallConstants& constants,
                           std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made) {
  Recomposer(graph, constants, nodes, made).Run();
}

}  // namespace octet::onnx
