// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/quantization_fusion.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/importers/onnx/clip_fusion.h"
#include "models/importers/onnx/node_protos.h"
#include "models/importers/onnx/tensor_data.h"
#include "models/importers/onnx/weight_grid.h"

namespace octet::onnx {
namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat = 1;
constexpr std::int64_t kUint8 = 2;
constexpr std::int64_t kInt8 = 3;
constexpr std::int64_t kInt32 = 6;

// How far the scale of a bias may be from the product that it stands for.
constexpr float kScaleTolerance = 1e-4F;
// Elements that are compared with grids, for a whole model: a second or so.
constexpr std::int64_t kMostGridSteps = std::int64_t{1} << 28;
// The largest bias that is made one of int32, so that the products have room beside it.
constexpr float kMostBias = 0x1p29F;

const std::array<absl::string_view, 12> kMovers = {
    "DepthToSpace", "Expand",       "Flatten", "Gather", "MaxPool",   "Reshape",
    "Slice",        "SpaceToDepth", "Squeeze", "Tile",   "Transpose", "Unsqueeze"};

// Functions with an operator of ONNX Runtime's own: the same name behind "QLinear".
constexpr std::array<absl::string_view, 5> kFunctions = {"AveragePool", "GlobalAveragePool",
                                                         "LeakyRelu", "Sigmoid", "Softmax"};

class Fuser {
 public:
  Fuser(const GraphProto& graph, const NamedWeights& weights, std::vector<const NodeProto*>& nodes,
        std::deque<NodeProto>& made)
      : weights_(weights), nodes_(nodes), made_(made) {
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
    ReplaceAll([this](const NodeProto& node) -> std::optional<NodeProto> {
      if (node.op_type == "QuantizeLinear" && node.domain.empty()) return Quantizing(node);
      if (node.op_type == "MatMul" && node.domain.empty()) return ToFloat(node);
      if (node.op_type == "Gemm" && node.domain.empty()) return Gemm(node);
      return std::nullopt;
    });
    RemoveUnused();
    on_grid_.clear();  // its nodes may be gone
    ReplaceAll([this](const NodeProto& node) {
      return node.op_type == "Gemm" && node.domain.empty() ? GemmToFloat(node) : std::nullopt;
    });
    RemoveUnused();
  }

 private:
  // Puts what `fused` makes of a node, if it does, in that node's place.
  template <typename Fused>
  void ReplaceAll(const Fused& fused) {
    std::vector<const NodeProto*> nodes;
    for (const NodeProto* node : nodes_) {
      std::optional<NodeProto> made = fused(*node);
      for (const NodeProto* const before : inserted_) nodes.push_back(before);
      inserted_.clear();
      if (made.has_value()) {
        for (const std::string& input : node->inputs) --uses_[input];
        node = &Put(*std::move(made));
      }
      nodes.push_back(node);
    }
    nodes_ = std::move(nodes);
  }
  const NodeProto& Put(NodeProto node) {
    for (const std::string& input : node.inputs) ++uses_[input];
    made_.push_back(std::move(node));
    for (const std::string& output : made_.back().outputs) makers_[output] = &made_.back();
    return made_.back();
  }
  // A new node, before the one that is looked at, whose output is called after `output`.
  std::string Insert(NodeProto node, const std::string& output) {
    node.name = output;
    for (int i = 1;
         uses_.contains(node.name) || makers_.contains(node.name) || constants_.contains(node.name);
         ++i) {
      node.name = absl::StrCat(output, "_", i);
    }
    node.outputs = {node.name};
    const NodeProto& made = Put(std::move(node));
    if (made.op_type == "Constant") constants_[made.name] = &*made.attributes[0].t;
    uses_.emplace(made.name, 0);
    inserted_.push_back(&made);
    return made.name;
  }

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
  // A constant that has the shape of `name`: itself, or the one that is quantized in the graph.
  [[nodiscard]] const TensorProto* ShapeOf(const std::string& name) const {
    const TensorProto* const constant = ConstantOf(name);
    return constant == nullptr && IsConstant(name) ? ConstantOf(MakerOf(name)->inputs[0])
                                                   : constant;
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
    const TensorProto* const weight = ShapeOf(maker->inputs[0]);
    const auto rank =
        weight == nullptr ? std::int64_t{0} : static_cast<std::int64_t>(weight->dims.size());
    std::int64_t given = IntAttribute(*maker, "axis", 1);
    if (rank == 0 && (given < 0 || axis < 0)) return nullptr;
    if (given < 0) given += rank;
    if (axis < 0) axis += rank;
    return given == axis && scale->dims.size() == 1 ? maker : nullptr;
  }
  // The same, or float32 weights that are, to the bit, integers of 8 bits times a scale for each
  // index of `axis`: what an exporter makes of a DequantizeLinear when it computes constants.
  [[nodiscard]] const NodeProto* Weights(const std::string& name, std::int64_t axis) {
    const NodeProto* const dequantizer = WeightDequantizer(name, axis);
    if (dequantizer != nullptr) return dequantizer;
    const auto found = weights_.find(name);
    const auto* const weight =
        found == weights_.end() ? nullptr : std::get_if<ConstantTensor>(&found->second);
    if (weight == nullptr || weight->data_type() != DataType::kFloat32) return nullptr;
    const auto rank = static_cast<std::int64_t>(weight->dims().size());
    if (axis < 0) axis += rank;
    if (axis < 0 || axis >= rank) return nullptr;
    const auto known = on_grid_.find({name, axis});
    if (known != on_grid_.end()) return known->second;
    const NodeProto* const made = FromGrid(name, *weight, axis);
    on_grid_[{name, axis}] = made;
    return made;
  }
  const NodeProto* FromGrid(const std::string& name, const ConstantTensor& weight,
                            std::int64_t axis) {
    const auto grid = GridOf(weight, static_cast<std::size_t>(axis), grid_budget_);
    if (!grid.has_value()) return nullptr;
    TensorProto integers;
    integers.data_type = kInt8;
    integers.dims = weight.dims();
    integers.integer_data = grid->integers;
    TensorProto scale;
    scale.data_type = kFloat;
    scale.dims = {static_cast<std::int64_t>(grid->scale.size())};
    scale.float_data = grid->scale;
    NodeProto node;
    node.op_type = "DequantizeLinear";
    node.inputs = {Insert(ConstantNode(std::move(integers)), absl::StrCat(name, "/int8")),
                   Insert(ConstantNode(std::move(scale)), absl::StrCat(name, "/scale"))};
    node.attributes = {IntAttributeOf("axis", axis)};
    const std::string output = Insert(std::move(node), absl::StrCat(name, "/dequantized"));
    return MakerOf(output);
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
      const float have = (*got)[std::min(i, got->size() - 1)];
      const float wanted = of_x->front() * (*of_weight)[std::min(i, of_weight->size() - 1)];
      if (!(std::abs(have - wanted) <= kScaleTolerance * std::abs(wanted))) return nullptr;
    }
    return maker;
  }

  // The floats of constant `name`, if it is a list of them.
  [[nodiscard]] std::optional<std::vector<float>> ListOf(const std::string& name) const {
    const TensorProto* const constant = ConstantOf(name);
    if (constant == nullptr || constant->data_type != kFloat || constant->dims.size() != 1) {
      return std::nullopt;
    }
    const auto weight = weights_.find(name);
    if (weight == weights_.end()) return FloatsOf(*constant);
    const auto* const plain = std::get_if<ConstantTensor>(&weight->second);
    if (plain == nullptr || static_cast<std::size_t>(NumElements(plain->dims())) > kMostScales) {
      return std::nullopt;
    }
    return FloatElements(*plain);
  }
  // A bias of float32 as one of int32, in units of the products: what ONNX Runtime makes of it.
  [[nodiscard]] std::optional<std::string> QuantizedBias(const std::string& name,
                                                         const NodeProto& x,
                                                         const NodeProto& weight,
                                                         const std::string& node) {
    const auto bias = ListOf(name);
    const auto of_x = FloatsOf(*ConstantOf(x.inputs[1]));
    const auto of_weight = FloatsOf(*ConstantOf(weight.inputs[1]));
    if (!bias.has_value() || !of_x.has_value() || !of_weight.has_value() || of_x->empty() ||
        (of_weight->size() != 1 && of_weight->size() != bias->size())) {
      return std::nullopt;
    }
    TensorProto tensor;
    tensor.data_type = kInt32;
    tensor.dims = {static_cast<std::int64_t>(bias->size())};
    for (std::size_t i = 0; i < bias->size(); ++i) {
      const float scale = of_x->front() * (*of_weight)[of_weight->size() == 1 ? 0 : i];
      const float steps = std::nearbyint((*bias)[i] / scale);
      if (!(std::abs(steps) <= kMostBias)) return std::nullopt;
      tensor.integer_data.push_back(static_cast<std::int64_t>(steps));
    }
    return Insert(ConstantNode(std::move(tensor)), absl::StrCat(node, "/bias_int32"));
  }

  // The only node that makes `name`, which nothing else takes.
  [[nodiscard]] const NodeProto* OnlyMaker(const std::string& name) const {
    const auto uses = uses_.find(name);
    return uses != uses_.end() && uses->second == 1 ? MakerOf(name) : nullptr;
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

  [[nodiscard]] std::optional<NodeProto> Quantizing(const NodeProto& quantizer) {
    if (quantizer.inputs.empty() || quantizer.outputs.size() != 1 || !IsPerTensor(quantizer)) {
      return std::nullopt;
    }
    const NodeProto* op = OnlyMaker(quantizer.inputs[0]);
    const auto find = [this](const std::string& name) { return ConstantOf(name); };
    if (op != nullptr && IsClippedAnyway(*op, quantizer, find)) op = OnlyMaker(op->inputs[0]);
    if (op == nullptr || op->inputs.empty()) return std::nullopt;
    if (op->domain == "com.microsoft" && op->op_type == "MatMulIntegerToFloat") {
      return MatMul(*op, quantizer);
    }
    if (op->domain == "com.microsoft" && op->op_type == "QGemm")
      return QuantizedGemm(*op, quantizer);
    if (!op->domain.empty()) return std::nullopt;
    if (op->op_type == "Conv") return Conv(*op, quantizer);
    if (op->op_type == "Gemm") {
      const auto gemm = Gemm(*op, &quantizer);
      return gemm.has_value() ? QuantizedGemm(*gemm, quantizer) : std::nullopt;
    }
    if (op->op_type == "Concat") return Concat(*op, quantizer);
    if (op->op_type == "Add" || op->op_type == "Mul") return Binary(*op, quantizer);
    const auto is_one_of = [op](const auto& names) {
      return std::find(names.begin(), names.end(), op->op_type) != names.end();
    };
    if (is_one_of(kFunctions)) return Function(*op, quantizer);
    return is_one_of(kMovers) ? Moving(*op, quantizer) : std::nullopt;
  }

  [[nodiscard]] std::optional<NodeProto> Conv(const NodeProto& conv, const NodeProto& quantizer) {
    const NodeProto* const x = ActivationDequantizer(conv.inputs[0]);
    const NodeProto* const weight = x == nullptr ? nullptr : Weights(InputOf(conv, 1), 0);
    if (x == nullptr || weight == nullptr) return std::nullopt;
    std::string bias;
    if (!InputOf(conv, 2).empty()) {
      const NodeProto* const dequantizer = BiasDequantizer(conv.inputs[2], *x, *weight);
      if (dequantizer != nullptr) {
        bias = dequantizer->inputs[0];
      } else {
        const auto made = QuantizedBias(conv.inputs[2], *x, *weight, quantizer.outputs[0]);
        if (!made.has_value()) return std::nullopt;
        bias = *made;
      }
    }
    return Make(conv, "QLinearConv", "",
                {x->inputs[0], x->inputs[1], InputOf(*x, 2), weight->inputs[0], weight->inputs[1],
                 InputOf(*weight, 2), quantizer.inputs[1], InputOf(quantizer, 2), bias},
                quantizer);
  }

  // A product whose operands are dequantized, in float32 at first: its quantizer comes later.
  [[nodiscard]] std::optional<NodeProto> ToFloat(const NodeProto& product) {
    if (product.inputs.size() != 2 || product.outputs.size() != 1) return std::nullopt;
    const NodeProto* const a = ActivationDequantizer(product.inputs[0]);
    if (a == nullptr) return std::nullopt;
    const NodeProto* const transpose = MatrixTranspose(product.inputs[1]);
    const NodeProto* b = Weights(transpose == nullptr ? product.inputs[1] : transpose->inputs[0],
                                 transpose == nullptr ? -1 : 0);
    if (b != nullptr) {
      const TensorProto* const weight = ShapeOf(b->inputs[0]);
      if (weight == nullptr || weight->dims.size() != 2) b = nullptr;
    }
    if (b == nullptr) return std::nullopt;
    const std::string weight = transpose == nullptr ? b->inputs[0] : Transposed(b->inputs[0]);
    return Make(product, "MatMulIntegerToFloat", "com.microsoft",
                {a->inputs[0], weight, a->inputs[1], b->inputs[1], InputOf(*a, 2), InputOf(*b, 2)},
                product);
  }
  // The node that makes `name` of a matrix by exchanging its axes.
  [[nodiscard]] const NodeProto* MatrixTranspose(const std::string& name) const {
    const NodeProto* const maker = MakerOf(name);
    return maker != nullptr && ExchangesTwoAxes(*maker) ? maker : nullptr;
  }
  // Matrix `name`, a constant, with its axes exchanged.
  std::string Transposed(const std::string& name) {
    NodeProto node;
    node.op_type = "Transpose";
    node.inputs = {name};
    return Insert(std::move(node), absl::StrCat(name, "/transposed"));
  }

  static std::optional<NodeProto> MatMul(const NodeProto& product, const NodeProto& quantizer) {
    if (!InputOf(product, 6).empty()) return std::nullopt;  // a bias between the two
    return Make(
        product, "QLinearMatMul", "",
        {product.inputs[0], product.inputs[2], InputOf(product, 4), product.inputs[1],
         product.inputs[3], InputOf(product, 5), quantizer.inputs[1], InputOf(quantizer, 2)},
        quantizer);
  }

  // `quantizer` is what quantizes its result, where that is known.
  [[nodiscard]] std::optional<NodeProto> Gemm(const NodeProto& gemm,
                                              const NodeProto* quantizer = nullptr) {
    if (gemm.inputs.size() < 2 || gemm.outputs.size() != 1 ||
        IntAttribute(gemm, "transA", 0) != 0) {
      return std::nullopt;
    }
    const bool is_transposed = IntAttribute(gemm, "transB", 0) != 0;
    const NodeProto* const a = ActivationDequantizer(gemm.inputs[0]);
    const NodeProto* const b =
        a == nullptr ? nullptr : Weights(gemm.inputs[1], is_transposed ? 0 : 1);
    if (a == nullptr || b == nullptr) return std::nullopt;
    std::string bias;
    if (!InputOf(gemm, 2).empty()) {
      if (!IsOneOrAbsent(gemm, "beta") || !IsOneOrAbsent(gemm, "alpha")) return std::nullopt;
      const NodeProto* const dequantizer = BiasDequantizer(gemm.inputs[2], *a, *b);
      if (dequantizer != nullptr) {
        bias = dequantizer->inputs[0];
      } else {
        if (quantizer == nullptr) return std::nullopt;
        const auto made = QuantizedBias(gemm.inputs[2], *a, *b, quantizer->outputs[0]);
        if (!made.has_value()) return std::nullopt;
        bias = *made;
      }
    }
    NodeProto made = Make(gemm, "QGemm", "com.microsoft",
                          {a->inputs[0], a->inputs[1], InputOf(*a, 2), b->inputs[0], b->inputs[1],
                           InputOf(*b, 2), bias},
                          gemm);
    std::erase_if(made.attributes,
                  [](const AttributeProto& attribute) { return attribute.name == "beta"; });
    return made;
  }
  // One with a bias of float32 whose result is not quantized.
  [[nodiscard]] std::optional<NodeProto> GemmToFloat(const NodeProto& gemm) {
    if (gemm.inputs.size() != 3 || gemm.outputs.size() != 1 || !IsOneOrAbsent(gemm, "beta") ||
        !IsOneOrAbsent(gemm, "alpha") || IntAttribute(gemm, "transA", 0) != 0 ||
        !ListOf(gemm.inputs[2]).has_value()) {
      return std::nullopt;
    }
    const bool is_transposed = IntAttribute(gemm, "transB", 0) != 0;
    const NodeProto* const a = ActivationDequantizer(gemm.inputs[0]);
    const NodeProto* const b =
        a == nullptr ? nullptr : Weights(gemm.inputs[1], is_transposed ? 0 : 1);
    if (a == nullptr || b == nullptr) return std::nullopt;
    const std::string weight = is_transposed ? Transposed(b->inputs[0]) : b->inputs[0];
    NodeProto made = Make(gemm, "MatMulIntegerToFloat", "com.microsoft",
                          {a->inputs[0], weight, a->inputs[1], b->inputs[1], InputOf(*a, 2),
                           InputOf(*b, 2), gemm.inputs[2]},
                          gemm);
    made.attributes.clear();
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
        op, absl::StrCat("QLinear", op.op_type), "com.microsoft",
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

  const NamedWeights& weights_;
  std::vector<const NodeProto*>& nodes_;
  std::deque<NodeProto>& made_;
  std::vector<const NodeProto*> inserted_;  // before the node that is looked at
  // What Weights found of float32 constants, by name and axis: null where they are on no grid.
  std::map<std::pair<std::string, std::int64_t>, const NodeProto*> on_grid_;
  std::int64_t grid_budget_ = kMostGridSteps;
  std::map<std::string, const TensorProto*> constants_;
  std::map<std::string, const NodeProto*> makers_;
  std::map<std::string, std::size_t> uses_;  // 0: had one, and has none any more
};

}  // namespace

void FuseQuantization(const GraphProto& graph, const NamedWeights& weights,
                      std::vector<const NodeProto*>& nodes, std::deque<NodeProto>& made) {
  Fuser(graph, weights, nodes, made).Run();
}

}  // namespace octet::onnx
