// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantization_fusion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/string_view.h"

namespace octet::onnx {

namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1;
constexpr std::int64_t kUint8 = 2;
constexpr std::int64_t kInt8 = 3;
constexpr std::int64_t kInt32 = 6;

// How far the scale of a bias may be from the product that it stands for.
constexpr float kScaleTolerance = 1e-4F;

const std::array<absl::string_view, 12> kMovers = {
    "DepthToSpace", "Expand",       "Flatten", "Gather", "MaxPool",   "Reshape",
    "Slice",        "SpaceToDepth", "Squeeze", "Tile",   "Transpose", "Unsqueeze"};

// Functions with an operator of ONNX Runtime's own, and what that is called.
const std::map<std::string, std::string>& Functions() {
  static const auto* const names = new std::map<std::string, std::string>{
      {"AveragePool", "QLinearAveragePool"}, {"GlobalAveragePool", "QLinearGlobalAveragePool"},
      {"LeakyRelu", "QLinearLeakyRelu"},     {"Sigmoid", "QLinearSigmoid"},
      {"Softmax", "QLinearSoftmax"},
  };
  return *names;
}

std::string InputOf(const NodeProto& node, std::size_t index) {
  return index < node.inputs.size() ? node.inputs[index] : std::string();
}

bool HasAttribute(const NodeProto& node, absl::string_view name) {
  return std::any_of(node.attributes.begin(), node.attributes.end(),
                     [name](const AttributeProto& attribute) { return attribute.name == name; });
}

std::int64_t IntAttribute(const NodeProto& node, absl::string_view name, std::int64_t fallback) {
  for (const AttributeProto& attribute : node.attributes) {
    if (attribute.name == name) return attribute.i;
  }
  return fallback;
}

// The most scales of a bias that are compared; more are taken as they are.
constexpr std::size_t kMostScales = std::size_t{1} << 16;

// Of one element, whatever else it holds.
bool IsOne(const TensorProto& tensor) {
  if (tensor.dims.size() > 8 || (tensor.raw_data.has_value() && tensor.raw_data->size() > 8) ||
      tensor.float_data.size() > 1 || tensor.integer_data.size() > 1) {
    return false;
  }
  return std::all_of(tensor.dims.begin(), tensor.dims.end(), [](auto dim) { return dim == 1; });
}

// The floats of a tensor whose bytes are in the model.
std::optional<std::vector<float>> FloatsOf(const TensorProto& tensor) {
  if (tensor.data_type != kFloat || tensor.is_external) return std::nullopt;
  if (!tensor.raw_data.has_value()) {
    return tensor.float_data.size() > kMostScales ? std::nullopt : std::optional(tensor.float_data);
  }
  if (tensor.raw_data->size() > kMostScales * sizeof(float)) return std::nullopt;
  std::vector<float> values(tensor.raw_data->size() / sizeof(float));
  if (!values.empty()) {
    std::memcpy(values.data(), tensor.raw_data->data(), values.size() * sizeof(float));
  }
  return values;
}

// The only element of a tensor of bytes.
std::optional<std::int64_t> ByteOf(const TensorProto& tensor) {
  if (!IsOne(tensor) || tensor.is_external) return std::nullopt;
  if (!tensor.raw_data.has_value()) {
    if (tensor.integer_data.size() != 1) return std::nullopt;
    return tensor.integer_data[0];
  }
  if (tensor.raw_data->size() != 1) return std::nullopt;
  const auto byte = static_cast<std::uint8_t>(tensor.raw_data->front());
  return tensor.data_type == kInt8 ? static_cast<std::int8_t>(byte) : std::int64_t{byte};
}

bool IsSame(const TensorProto& a, const TensorProto& b) {
  return a.data_type == b.data_type && !a.is_external && !b.is_external &&
         a.raw_data == b.raw_data && a.float_data == b.float_data &&
         a.integer_data == b.integer_data && IsOne(a) == IsOne(b);
}

class Fuser {
 public:
  Fuser(const GraphProto& graph, std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made)
      : nodes_(nodes), made_(made) {
    for (const TensorProto& tensor : graph.initializers) constants_[tensor.name] = &tensor;
    for (const ValueInfoProto& output : graph.outputs) ++uses_[output.name];
    for (const NodeProto* const node : nodes) {
      for (const std::string& input : node->inputs) ++uses_[input];
      for (const std::string& output : node->outputs) makers_[output] = node;
      NameAgain(*node);
      if (node->op_type != "Constant" || node->outputs.empty()) continue;
      for (const AttributeProto& attribute : node->attributes) {
        if (attribute.name == "value" && attribute.t.has_value()) {
          constants_[node->outputs[0]] = &*attribute.t;
        }
      }
    }
  }

  void Run() {
    for (const NodeProto*& node : nodes_) {
      std::optional<NodeProto> fused;
      if (node->op_type == "QuantizeLinear" && node->domain.empty()) fused = Quantizing(*node);
      if (node->op_type == "MatMul" && node->domain.empty()) fused = ToFloat(*node);
      if (node->op_type == "Gemm" && node->domain.empty()) fused = Gemm(*node);
      if (!fused.has_value()) continue;
      for (const std::string& input : fused->inputs) ++uses_[input];
      for (const std::string& input : node->inputs) --uses_[input];
      made_.push_back(*std::move(fused));
      node = &made_.back();
      for (const std::string& output : node->outputs) makers_[output] = node;
    }
    RemoveUnused();
  }

 private:
  [[nodiscard]] const NodeProto* MakerOf(const std::string& name) const {
    const auto found = makers_.find(name);
    return found == makers_.end() ? nullptr : found->second;
  }
  [[nodiscard]] const TensorProto* ConstantOf(const std::string& name) const {
    const auto found = constants_.find(name);
    return found == constants_.end() ? nullptr : found->second;
  }
  // A constant, or one that is quantized in the graph.
  [[nodiscard]] bool IsConstant(const std::string& name) const {
    if (ConstantOf(name) != nullptr) return true;
    const NodeProto* const maker = MakerOf(name);
    return maker != nullptr && maker->op_type == "QuantizeLinear" && maker->domain.empty() &&
           std::all_of(maker->inputs.begin(), maker->inputs.end(), [this](const auto& input) {
             return input.empty() || ConstantOf(input) != nullptr;
           });
  }
  // The type of zero point `name` of a tensor that something quantizes; uint8 without one.
  [[nodiscard]] std::int64_t TypeOf(const std::string& name) const {
    if (name.empty()) return kUint8;
    const TensorProto* const constant = ConstantOf(name);
    return constant == nullptr ? 0 : constant->data_type;
  }
  // Whether there is one constant scale and zero point, and the zero point is one of 8 bits.
  [[nodiscard]] bool IsPerTensor(const NodeProto& node) const {
    const TensorProto* const scale = ConstantOf(InputOf(node, 1));
    const std::string zero_point = InputOf(node, 2);
    if (scale == nullptr || scale->data_type != kFloat || !IsOne(*scale) ||
        HasAttribute(node, "block_size") || HasAttribute(node, "output_dtype")) {
      return false;
    }
    if (zero_point.empty()) return true;
    const TensorProto* const zero = ConstantOf(zero_point);
    return zero != nullptr && IsOne(*zero) &&
           (zero->data_type == kUint8 || zero->data_type == kInt8);
  }
  // The node that dequantizes `name`, if one does.
  [[nodiscard]] const NodeProto* Dequantizer(const std::string& name) const {
    const NodeProto* const maker = MakerOf(name);
    if (maker == nullptr || maker->op_type != "DequantizeLinear" || !maker->domain.empty() ||
        maker->inputs.size() < 2 || HasAttribute(*maker, "block_size")) {
      return nullptr;
    }
    return maker;
  }
  // The same with one scale for a tensor of 8 bits.
  [[nodiscard]] const NodeProto* TensorDequantizer(const std::string& name) const {
    const NodeProto* const maker = Dequantizer(name);
    if (maker == nullptr || !IsPerTensor(*maker)) return nullptr;
    // Without a zero point the type is that of the tensor, which only a constant shows.
    if (InputOf(*maker, 2).empty() && !IsQuantizedTo8Bits(maker->inputs[0])) return nullptr;
    return maker;
  }
  [[nodiscard]] bool IsQuantizedTo8Bits(const std::string& name) const {
    if (const TensorProto* const constant = ConstantOf(name)) {
      return constant->data_type == kUint8 || constant->data_type == kInt8;
    }
    const NodeProto* const maker = MakerOf(name);
    return maker != nullptr && maker->op_type == "QuantizeLinear" && maker->domain.empty() &&
           IsPerTensor(*maker);
  }
  // The same of what depends on the model's inputs.
  [[nodiscard]] const NodeProto* ActivationDequantizer(const std::string& name) const {
    const NodeProto* const maker = TensorDequantizer(name);
    return maker == nullptr || IsConstant(maker->inputs[0]) ? nullptr : maker;
  }
  // Weights: constant, with scales along `axis` (of `rank` axes, negative ones counted from the
  // end) or one for all.
  [[nodiscard]] const NodeProto* WeightDequantizer(const std::string& name,
                                                   std::int64_t axis) const {
    const NodeProto* const maker = Dequantizer(name);
    if (maker == nullptr || !IsConstant(maker->inputs[0])) return nullptr;
    const TensorProto* const scale = ConstantOf(maker->inputs[1]);
    if (scale == nullptr || scale->data_type != kFloat || !Is8BitWeight(*maker)) return nullptr;
    if (IsOne(*scale)) return maker;
    const TensorProto* const weight = ConstantOf(maker->inputs[0]);
    const auto rank =
        weight == nullptr ? std::int64_t{0} : static_cast<std::int64_t>(weight->dims.size());
    std::int64_t given = IntAttribute(*maker, "axis", 1);
    if (given < 0 && rank == 0) return nullptr;
    if (given < 0) given += rank;
    if (axis < 0 && rank == 0) return nullptr;
    if (axis < 0) axis += rank;
    return given == axis && scale->dims.size() == 1 ? maker : nullptr;
  }
  [[nodiscard]] bool Is8BitWeight(const NodeProto& dequantizer) const {
    const TensorProto* const weight = ConstantOf(dequantizer.inputs[0]);
    if (weight != nullptr) return weight->data_type == kInt8 || weight->data_type == kUint8;
    const std::int64_t type = TypeOf(InputOf(*MakerOf(dequantizer.inputs[0]), 2));
    return type == kInt8 || type == kUint8;
  }

  // A bias of int32 whose scale is that of the products.
  [[nodiscard]] const NodeProto* BiasDequantizer(const std::string& name, const NodeProto& x,
                                                 const NodeProto& weight) const {
    const NodeProto* const maker = Dequantizer(name);
    if (maker == nullptr) return nullptr;
    const TensorProto* const bias = ConstantOf(maker->inputs[0]);
    const TensorProto* const scale = ConstantOf(maker->inputs[1]);
    if (bias == nullptr || bias->data_type != kInt32 || scale == nullptr) return nullptr;
    const auto got = FloatsOf(*scale);
    const auto of_x = FloatsOf(*ConstantOf(x.inputs[1]));
    const auto of_weight = FloatsOf(*ConstantOf(weight.inputs[1]));
    // Nothing to compare with: the bytes are in a file of their own.
    if (!got.has_value() || !of_x.has_value() || !of_weight.has_value()) return maker;
    if (got->empty() || of_x->empty() || of_weight->empty()) return nullptr;
    for (std::size_t i = 0; i < std::max(got->size(), of_weight->size()); ++i) {
      const float have = (*got)[got->size() == 1 ? 0 : std::min(i, got->size() - 1)];
      const float wanted =
          of_x->front() *
          (*of_weight)[of_weight->size() == 1 ? 0 : std::min(i, of_weight->size() - 1)];
      if (!(std::abs(have - wanted) <= kScaleTolerance * std::abs(wanted))) return nullptr;
    }
    return maker;
  }

  // The only node that makes `name`, which nothing else takes.
  [[nodiscard]] const NodeProto* OnlyMaker(const std::string& name) const {
    const auto uses = uses_.find(name);
    return uses != uses_.end() && uses->second == 1 ? MakerOf(name) : nullptr;
  }

  // Whether a clip at 0 in front of `quantizer` changes nothing.
  [[nodiscard]] bool ClipsAtZero(const NodeProto& quantizer) const {
    const std::string name = InputOf(quantizer, 2);
    if (name.empty()) return true;
    const TensorProto* const zero = ConstantOf(name);
    const auto value = zero == nullptr ? std::nullopt : ByteOf(*zero);
    return value == (zero != nullptr && zero->data_type == kInt8 ? -128 : 0);
  }

  static NodeProto Make(const NodeProto& from, absl::string_view op_type, absl::string_view domain,
                        std::vector<std::string> inputs, const NodeProto& last) {
    NodeProto node;
    node.name = from.name.empty() ? last.name : from.name;
    node.op_type = std::string(op_type);
    node.domain = std::string(domain);
    while (!inputs.empty() && inputs.back().empty()) inputs.pop_back();
    node.inputs = std::move(inputs);
    node.outputs = {last.outputs[0]};
    node.attributes = from.attributes;
    return node;
  }

  [[nodiscard]] std::optional<NodeProto> Quantizing(const NodeProto& quantizer) const {
    if (quantizer.inputs.empty() || quantizer.outputs.size() != 1 || !IsPerTensor(quantizer)) {
      return std::nullopt;
    }
    const NodeProto* op = OnlyMaker(quantizer.inputs[0]);
    if (op != nullptr && op->op_type == "Relu" && op->domain.empty() && op->inputs.size() == 1 &&
        ClipsAtZero(quantizer)) {
      op = OnlyMaker(op->inputs[0]);
    }
    if (op == nullptr || op->inputs.empty()) return std::nullopt;
    if (op->domain == "com.microsoft" && op->op_type == "MatMulIntegerToFloat") {
      return MatMul(*op, quantizer);
    }
    if (op->domain == "com.microsoft" && op->op_type == "QGemm")
      return QuantizedGemm(*op, quantizer);
    if (!op->domain.empty()) return std::nullopt;
    if (op->op_type == "Conv") return Conv(*op, quantizer);
    if (op->op_type == "Concat") return Concat(*op, quantizer);
    if (op->op_type == "Add" || op->op_type == "Mul") return Binary(*op, quantizer);
    if (Functions().contains(op->op_type)) return Function(*op, quantizer);
    const bool moves = std::find(kMovers.begin(), kMovers.end(), op->op_type) != kMovers.end();
    return moves ? Moving(*op, quantizer) : std::nullopt;
  }

  [[nodiscard]] std::optional<NodeProto> Conv(const NodeProto& conv,
                                              const NodeProto& quantizer) const {
    const NodeProto* const x = ActivationDequantizer(conv.inputs[0]);
    const NodeProto* const weight = WeightDequantizer(InputOf(conv, 1), 0);
    if (x == nullptr || weight == nullptr) return std::nullopt;
    std::string bias;
    if (!InputOf(conv, 2).empty()) {
      const NodeProto* const dequantizer = BiasDequantizer(conv.inputs[2], *x, *weight);
      if (dequantizer == nullptr) return std::nullopt;
      bias = dequantizer->inputs[0];
    }
    return Make(conv, "QLinearConv", "",
                {x->inputs[0], x->inputs[1], InputOf(*x, 2), weight->inputs[0], weight->inputs[1],
                 InputOf(*weight, 2), quantizer.inputs[1], InputOf(quantizer, 2), bias},
                quantizer);
  }

  // A product whose operands are dequantized, in float32 at first: its quantizer comes later.
  [[nodiscard]] std::optional<NodeProto> ToFloat(const NodeProto& product) const {
    if (product.inputs.size() != 2 || product.outputs.size() != 1) return std::nullopt;
    const NodeProto* const a = ActivationDequantizer(product.inputs[0]);
    const NodeProto* b = WeightDequantizer(product.inputs[1], -1);
    if (b != nullptr) {
      const TensorProto* const weight = ConstantOf(b->inputs[0]);
      if (weight != nullptr && weight->dims.size() != 2) b = nullptr;
    }
    if (a == nullptr || b == nullptr) return std::nullopt;
    return Make(
        product, "MatMulIntegerToFloat", "com.microsoft",
        {a->inputs[0], b->inputs[0], a->inputs[1], b->inputs[1], InputOf(*a, 2), InputOf(*b, 2)},
        product);
  }
  static std::optional<NodeProto> MatMul(const NodeProto& product, const NodeProto& quantizer) {
    if (!InputOf(product, 6).empty()) return std::nullopt;  // a bias between the two
    return Make(
        product, "QLinearMatMul", "",
        {product.inputs[0], product.inputs[2], InputOf(product, 4), product.inputs[1],
         product.inputs[3], InputOf(product, 5), quantizer.inputs[1], InputOf(quantizer, 2)},
        quantizer);
  }

  [[nodiscard]] std::optional<NodeProto> Gemm(const NodeProto& gemm) const {
    if (gemm.inputs.size() < 2 || gemm.outputs.size() != 1 ||
        IntAttribute(gemm, "transA", 0) != 0) {
      return std::nullopt;
    }
    const bool is_transposed = IntAttribute(gemm, "transB", 0) != 0;
    const NodeProto* const a = ActivationDequantizer(gemm.inputs[0]);
    const NodeProto* const b = WeightDequantizer(gemm.inputs[1], is_transposed ? 0 : 1);
    if (a == nullptr || b == nullptr) return std::nullopt;
    std::string bias;
    if (!InputOf(gemm, 2).empty()) {
      const auto is_one = [&gemm](absl::string_view name) {
        return std::all_of(gemm.attributes.begin(), gemm.attributes.end(),
                           [name](const AttributeProto& attribute) {
                             return attribute.name != name || attribute.f == 1.0F;
                           });
      };
      const NodeProto* const dequantizer = BiasDequantizer(gemm.inputs[2], *a, *b);
      if (dequantizer == nullptr || !is_one("beta") || !is_one("alpha")) return std::nullopt;
      bias = dequantizer->inputs[0];
    }
    NodeProto made = Make(gemm, "QGemm", "com.microsoft",
                          {a->inputs[0], a->inputs[1], InputOf(*a, 2), b->inputs[0], b->inputs[1],
                           InputOf(*b, 2), bias},
                          gemm);
    std::erase_if(made.attributes,
                  [](const AttributeProto& attribute) { return attribute.name == "beta"; });
    return made;
  }
  static std::optional<NodeProto> QuantizedGemm(const NodeProto& gemm, const NodeProto& quantizer) {
    if (gemm.inputs.size() > 7) return std::nullopt;  // quantized already
    std::vector<std::string> inputs = gemm.inputs;
    inputs.resize(7);
    inputs.push_back(quantizer.inputs[1]);
    inputs.push_back(InputOf(quantizer, 2));
    return Make(gemm, "QGemm", "com.microsoft", std::move(inputs), quantizer);
  }

  [[nodiscard]] std::optional<NodeProto> Binary(const NodeProto& op,
                                                const NodeProto& quantizer) const {
    if (op.inputs.size() != 2) return std::nullopt;
    const NodeProto* const a = TensorDequantizer(op.inputs[0]);
    const NodeProto* const b = TensorDequantizer(op.inputs[1]);
    if (a == nullptr || b == nullptr || (IsConstant(a->inputs[0]) && IsConstant(b->inputs[0]))) {
      return std::nullopt;
    }
    return Make(op, op.op_type == "Add" ? "QLinearAdd" : "QLinearMul", "com.microsoft",
                {a->inputs[0], a->inputs[1], InputOf(*a, 2), b->inputs[0], b->inputs[1],
                 InputOf(*b, 2), quantizer.inputs[1], InputOf(quantizer, 2)},
                quantizer);
  }

  [[nodiscard]] std::optional<NodeProto> Function(const NodeProto& op,
                                                  const NodeProto& quantizer) const {
    const NodeProto* const x = ActivationDequantizer(op.inputs[0]);
    if (x == nullptr || op.inputs.size() != 1) return std::nullopt;
    return Make(
        op, Functions().at(op.op_type), "com.microsoft",
        {x->inputs[0], x->inputs[1], InputOf(*x, 2), quantizer.inputs[1], InputOf(quantizer, 2)},
        quantizer);
  }

  [[nodiscard]] std::optional<NodeProto> Concat(const NodeProto& op,
                                                const NodeProto& quantizer) const {
    std::vector<std::string> inputs = {quantizer.inputs[1], InputOf(quantizer, 2)};
    for (const std::string& input : op.inputs) {
      const NodeProto* const x = ActivationDequantizer(input);
      if (x == nullptr) return std::nullopt;
      inputs.insert(inputs.end(), {x->inputs[0], x->inputs[1], InputOf(*x, 2)});
    }
    return Make(op, "QLinearConcat", "com.microsoft", std::move(inputs), quantizer);
  }

  // A constant's other name: PyTorch's exporter has several where modules share one.
  void NameAgain(const NodeProto& node) {
    if (node.op_type != "Identity" || !node.domain.empty() || node.inputs.size() != 1 ||
        node.outputs.size() != 1) {
      return;
    }
    const auto found = constants_.find(node.inputs[0]);
    if (found != constants_.end()) constants_.emplace(node.outputs[0], found->second);
  }

  // The same name, or equal constants; both absent.
  [[nodiscard]] bool AreSame(const std::string& a, const std::string& b) const {
    if (a == b) return true;
    const TensorProto* const left = ConstantOf(a);
    const TensorProto* const right = ConstantOf(b);
    return left != nullptr && right != nullptr && IsSame(*left, *right);
  }

  [[nodiscard]] std::optional<NodeProto> Moving(const NodeProto& op,
                                                const NodeProto& quantizer) const {
    const NodeProto* const x = ActivationDequantizer(op.inputs[0]);
    if (x == nullptr || op.outputs.size() != 1 || !AreSame(x->inputs[1], quantizer.inputs[1]) ||
        !AreSame(InputOf(*x, 2), InputOf(quantizer, 2)) || InputOf(*x, 2).empty()) {
      return std::nullopt;
    }
    std::vector<std::string> inputs = op.inputs;
    inputs[0] = x->inputs[0];
    return Make(op, op.op_type, "", std::move(inputs), quantizer);
  }

  // Leaves out what had a use before, and has none now.
  void RemoveUnused() {
    std::vector<const NodeProto*> kept;
    for (std::size_t i = nodes_.size(); i-- > 0;) {
      const NodeProto& node = *nodes_[i];
      const bool is_gone =
          !node.outputs.empty() &&
          std::all_of(node.outputs.begin(), node.outputs.end(), [this](const std::string& output) {
            const auto uses = uses_.find(output);
            return output.empty() || (uses != uses_.end() && uses->second == 0);
          });
      if (!is_gone) {
        kept.push_back(&node);
        continue;
      }
      for (const std::string& input : node.inputs) --uses_[input];
    }
    std::reverse(kept.begin(), kept.end());
    nodes_ = std::move(kept);
  }

  std::vector<const NodeProto*>& nodes_;
  std::deque<NodeProto>& made_;
  std::map<std::string, const TensorProto*> constants_;
  std::map<std::string, const NodeProto*> makers_;
  std::map<std::string, std::size_t> uses_;  // 0: had one, and has none any more
};

}  // namespace

void FuseQuantization(const GraphProto& graph, std::vector<const NodeProto*>& nodes,
                      std::deque<NodeProto>& made) {
  Fuser(graph, nodes, made).Run();
}

}  // namespace octet::onnx
