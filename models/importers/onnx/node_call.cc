// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/node_call.h"

#include <algorithm>
#include <utility>

#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/graph/verify.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

std::size_t PlaceOf(const Order& order, std::size_t axis) {
  return static_cast<std::size_t>(std::find(order.begin(), order.end(), axis) - order.begin());
}

std::string OrderName(const Order& order) { return absl::StrJoin(order, ""); }

}  // namespace

bool Translation::IsOfElements(ValueId id) {
  const Graph& made = graph.graph();
  of_elements.resize(made.values.size(), false);
  for (const ValueId input : made.inputs) of_elements[static_cast<std::size_t>(input)] = true;
  for (; nodes_seen < made.nodes.size(); ++nodes_seen) {
    const Node& node = made.nodes[nodes_seen];
    const bool is_of = node.op != "Positions" &&
                       std::any_of(node.inputs.begin(), node.inputs.end(), [this](ValueId input) {
                         return input != kNoValue && of_elements[static_cast<std::size_t>(input)];
                       });
    for (const ValueId output : node.outputs) {
      of_elements[static_cast<std::size_t>(output)] = is_of;
    }
  }
  return of_elements[static_cast<std::size_t>(id)];
}

NodeCall::NodeCall(const NodeProto& node, std::int64_t opset, const std::vector<Operand>& inputs,
                   Translation& translation, ExternalData& external)
    : node_(node),
      opset_(opset),
      inputs_(inputs),
      translation_(translation),
      external_(external),
      name_(node.name) {
  if (!name_.empty()) return;
  name_ = node.outputs.empty() || node.outputs[0].empty() ? node.op_type : node.outputs[0];
}

absl::Status NodeCall::Invalid(absl::string_view message) const {
  return absl::InvalidArgumentError(absl::StrCat(node_.op_type, " ", Quoted(name_), ": ", message));
}
absl::Status NodeCall::Unimplemented(absl::string_view message) const {
  return absl::UnimplementedError(absl::StrCat(node_.op_type, " ", Quoted(name_), ": ", message));
}
absl::Status NodeCall::WithNode(const absl::Status& status) const {
  return absl::Status(status.code(),
                      absl::StrCat(node_.op_type, " ", Quoted(name_), ": ", status.message()));
}

const AttributeProto* NodeCall::Find(absl::string_view key) {
  asked_.insert(std::string(key));
  for (const AttributeProto& attribute : node_.attributes) {
    if (attribute.name == key) return &attribute;
  }
  return nullptr;
}

bool NodeCall::HasAttribute(absl::string_view key) const {
  return std::any_of(node_.attributes.begin(), node_.attributes.end(),
                     [key](const AttributeProto& attribute) { return attribute.name == key; });
}

absl::StatusOr<std::int64_t> NodeCall::Int(absl::string_view key, std::int64_t fallback) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return fallback;
  if (attribute->type == kIntType) return attribute->i;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no integer"));
}

absl::StatusOr<float> NodeCall::Float(absl::string_view key, float fallback) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return fallback;
  if (attribute->type == kFloatType) return attribute->f;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no number"));
}

absl::StatusOr<std::string> NodeCall::String(absl::string_view key, absl::string_view fallback) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return std::string(fallback);
  if (attribute->type == kStringType) return attribute->s;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no text"));
}

absl::StatusOr<std::vector<std::int64_t>> NodeCall::Ints(absl::string_view key,
                                                         std::vector<std::int64_t> fallback) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return fallback;
  if (attribute->type == kIntsType) return attribute->ints;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no list of integers"));
}

absl::StatusOr<std::vector<float>> NodeCall::Floats(absl::string_view key) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return std::vector<float>();
  if (attribute->type == kFloatsType) return attribute->floats;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no list of numbers"));
}

absl::StatusOr<std::vector<std::string>> NodeCall::Strings(absl::string_view key) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr) return std::vector<std::string>();
  if (attribute->type == kStringsType) return attribute->strings;
  return Invalid(absl::StrCat("attribute \"", key, "\" is no list of texts"));
}

absl::StatusOr<ConstantTensor> NodeCall::Tensor(absl::string_view key) {
  const AttributeProto* const attribute = Find(key);
  if (attribute == nullptr || attribute->type != kTensorType || !attribute->t.has_value()) {
    return Invalid(absl::StrCat("attribute \"", key, "\" is no tensor"));
  }
  auto constant = ToConstant(*attribute->t, external_, nullptr);
  if (!constant.ok()) return WithNode(constant.status());
  return constant;
}

absl::Status NodeCall::CheckAttributes() const {
  for (const AttributeProto& attribute : node_.attributes) {
    if (!asked_.contains(attribute.name)) {
      return Unimplemented(absl::StrCat("attribute ", Quoted(attribute.name),
                                        " cannot be imported in opset ", opset_));
    }
  }
  return absl::OkStatus();
}

absl::Status NodeCall::CheckInputs(std::size_t at_least, std::size_t at_most) const {
  if (inputs_.size() < at_least || inputs_.size() > at_most) {
    return Invalid(absl::StrCat("got ", inputs_.size(), " inputs, wants ", at_least,
                                at_least == at_most ? "" : absl::StrCat(" to ", at_most)));
  }
  for (std::size_t i = 0; i < at_least; ++i) {
    if (!Has(i)) return Invalid(absl::StrCat("input ", i, " is absent"));
  }
  return absl::OkStatus();
}

absl::StatusOr<ConstantTensor> NodeCall::Constant(std::size_t index, absl::string_view what) const {
  if (!Has(index)) return Invalid(absl::StrCat("input ", index, " (", what, ") is absent"));
  const ConstantTensor* const constant = inputs_[index].constant();
  if (constant != nullptr) return *constant;
  return Unimplemented(absl::StrCat("input ", index, " (", what, ") is ",
                                    Quoted(inputs_[index].name),
                                    ", which depends on the model's inputs; wants a constant"));
}

absl::StatusOr<ConstantTensor> NodeCall::FloatConstant(std::size_t index,
                                                       absl::string_view what) const {
  ASSIGN_OR_RETURN(ConstantTensor constant, Constant(index, what));
  if (constant.data_type() == DataType::kFloat32) return constant;
  return Unimplemented(absl::StrCat("input ", index, " (", what, ") is ",
                                    DataTypeName(constant.data_type()), ", wants FP32"));
}

absl::StatusOr<std::vector<std::int64_t>> NodeCall::Numbers(std::size_t index,
                                                            absl::string_view what) const {
  ASSIGN_OR_RETURN(const ConstantTensor constant, Constant(index, what));
  if (!IsInteger(constant.data_type()) || constant.dims().size() > 1) {
    return Invalid(absl::StrCat("input ", index, " (", what, ") is ",
                                DataTypeName(constant.data_type()), ToString(constant.dims()),
                                ", wants a list of integers"));
  }
  return Int64Elements(constant);
}

absl::StatusOr<std::vector<Dim>> NodeCall::SizesOf(std::size_t index,
                                                   absl::string_view what) const {
  if (const Sizes* const sizes = Has(index) ? inputs_[index].sizes() : nullptr) {
    if (sizes->products.empty()) return sizes->elements;
    return Unimplemented(absl::StrCat(what, ": the product of two open dimensions"));
  }
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> numbers, Numbers(index, what));
  return std::vector<Dim>(numbers.begin(), numbers.end());
}

absl::StatusOr<std::optional<std::vector<std::int64_t>>> NodeCall::NumbersOrAttribute(
    std::size_t index, absl::string_view key) {
  if (Has(index)) {
    ASSIGN_OR_RETURN(std::vector<std::int64_t> numbers, Numbers(index, key));
    return std::optional(std::move(numbers));
  }
  if (!HasAttribute(key)) return std::optional<std::vector<std::int64_t>>();
  ASSIGN_OR_RETURN(std::vector<std::int64_t> numbers, Ints(key));
  return std::optional(std::move(numbers));
}

absl::StatusOr<std::shared_ptr<Activation>> NodeCall::ActivationOf(std::size_t index) const {
  if (!Has(index)) return Invalid(absl::StrCat("input ", index, " is absent"));
  const Operand& operand = inputs_[index];
  if (const auto* const held = std::get_if<std::shared_ptr<Activation>>(&operand.content)) {
    return *held;
  }
  return Unimplemented(absl::StrCat("input ", index, " is ", Quoted(operand.name),
                                    ", which does not depend on the model's inputs"));
}

absl::StatusOr<std::size_t> NodeCall::Axis(std::int64_t axis, std::size_t rank) const {
  const auto size = static_cast<std::int64_t>(rank);
  if (axis >= -size && axis < size) return static_cast<std::size_t>(axis < 0 ? axis + size : axis);
  return Invalid(absl::StrCat("axis ", axis, " of a tensor of ", rank, " dimensions"));
}

absl::StatusOr<std::vector<std::size_t>> NodeCall::Axes(const std::vector<std::int64_t>& axes,
                                                        std::size_t rank) const {
  std::vector<std::size_t> result;
  for (const std::int64_t axis : axes) {
    ASSIGN_OR_RETURN(const std::size_t normalized, Axis(axis, rank));
    if (std::find(result.begin(), result.end(), normalized) != result.end()) {
      return Invalid(absl::StrCat("axis ", normalized, " is given twice"));
    }
    result.push_back(normalized);
  }
  std::sort(result.begin(), result.end());
  return result;
}

absl::StatusOr<std::vector<Operand>> NodeCall::As(absl::string_view op_type,
                                                  const std::vector<Operand>& inputs,
                                                  const std::vector<AttributeProto>& attributes,
                                                  absl::string_view suffix) const {
  NodeProto node;
  node.name = suffix.empty() ? name_ : absl::StrCat(name_, "/", suffix);
  node.op_type = std::string(op_type);
  node.outputs = {node.name};
  node.attributes = attributes;
  return OutputsOf(node, inputs);
}

absl::StatusOr<std::vector<Operand>> NodeCall::AsItself(
    const std::vector<Operand>& inputs, const std::vector<AttributeProto>& attributes) {
  for (const AttributeProto& attribute : node_.attributes) Ignore(attribute.name);
  NodeProto node = node_;
  node.attributes = attributes;
  return OutputsOf(node, inputs);
}

absl::StatusOr<std::vector<Operand>> NodeCall::OutputsOf(const NodeProto& node,
                                                         const std::vector<Operand>& inputs) const {
  NodeCall call(node, opset_, inputs, translation_, external_);
  ASSIGN_OR_RETURN(auto folded, Fold(call));
  if (folded.has_value()) return *std::move(folded);
  ASSIGN_OR_RETURN(std::vector<Operand> outputs,
                   FindOperator(node.domain, node.op_type)->translate(call));
  RETURN_IF_ERROR(call.CheckAttributes());
  return outputs;
}

std::vector<AttributeProto> NodeCall::AttributesNamed(const std::vector<std::string>& names) {
  std::vector<AttributeProto> found;
  for (const AttributeProto& attribute : node_.attributes) {
    if (std::find(names.begin(), names.end(), attribute.name) == names.end()) continue;
    Ignore(attribute.name);
    found.push_back(attribute);
  }
  return found;
}

std::pair<Order, ValueId> NodeCall::AnyForm(const Activation& activation) {
  return *activation.forms.begin();  // the plain order is the first, where it is there
}

absl::StatusOr<ValueId> NodeCall::InOrder(Activation& activation, const Order& order) const {
  const auto known = activation.forms.find(order);
  if (known != activation.forms.end()) return known->second;
  absl::Status first_error;
  for (const auto& [from, id] : activation.forms) {
    std::vector<std::int64_t> permutation;
    if (lead() == 1) permutation.push_back(0);
    for (const std::size_t axis : order) {
      permutation.push_back(static_cast<std::int64_t>(PlaceOf(from, axis) + lead()));
    }
    auto moved = graph().Transpose(absl::StrCat(name_, "/order_", OrderName(order)), id,
                                   std::move(permutation));
    if (moved.ok()) {
      activation.forms[order] = *moved;
      return *moved;
    }
    if (first_error.ok()) first_error = moved.status();
  }
  return first_error;
}

absl::StatusOr<std::pair<Order, ValueId>> NodeCall::FormWithLastAxis(Activation& activation) const {
  for (const auto& [order, id] : activation.forms) {
    if (order.empty() || order.back() + 1 == order.size()) return std::pair(order, id);
  }
  // Only the last axis moves, so that a batch stays where it is.
  Order order = activation.forms.begin()->first;
  const std::size_t last = order.size() - 1;
  order.erase(std::find(order.begin(), order.end(), last));
  order.push_back(last);
  ASSIGN_OR_RETURN(const ValueId id, InOrder(activation, order));
  return std::pair(order, id);
}

std::int64_t NodeCall::AxisIn(const Order& order, std::size_t axis) const {
  return static_cast<std::int64_t>(PlaceOf(order, axis) + lead());
}

absl::StatusOr<ValueId> NodeCall::Emit(const std::string& op, std::vector<ValueId> inputs,
                                       Attributes attributes, absl::string_view suffix) const {
  return graph().Emit(op, suffix.empty() ? name_ : absl::StrCat(name_, "/", suffix),
                      std::move(inputs), std::move(attributes));
}

ValueId NodeCall::AddConstant(const std::string& name, ConstantTensor tensor) const {
  return graph().AddConstant(name, std::move(tensor));
}

ValueId NodeCall::AddFloats(absl::string_view suffix, Dims dims,
                            const std::vector<float>& values) const {
  return AddConstant(absl::StrCat(name_, "/", suffix),
                     ConstantTensor::Copy(DataType::kFloat32, std::move(dims), values));
}

std::shared_ptr<Activation> NodeCall::FromValue(ValueId id, const Order& order) const {
  const TensorType& type = graph().TypeOf(id);
  auto activation = std::make_shared<Activation>();
  activation->type = type.data_type;
  activation->shape.assign(order.size(), Dim(1));
  // What constants alone make has no axes in front: such a node is run instead, see constant_run.h.
  for (std::size_t i = 0; i < order.size() && i + lead() < type.shape.size(); ++i) {
    activation->shape[order[i]] = type.shape[i + lead()];
  }
  activation->forms[order] = id;
  return activation;
}

absl::StatusOr<ValueId> NodeCall::Reshape(ValueId id, const std::vector<std::int64_t>& shape,
                                          absl::string_view suffix) const {
  std::vector<std::int64_t> to;
  if (lead() == 1) to.push_back(0);
  to.insert(to.end(), shape.begin(), shape.end());
  return graph().Reshape(absl::StrCat(name_, "/", suffix), id, std::move(to));
}

absl::StatusOr<ValueId> NodeCall::Rearrange(ValueId id, const std::vector<std::size_t>& axes,
                                            absl::string_view suffix) const {
  const Shape old = graph().ShapeOf(id);
  std::vector<std::int64_t> shape;
  bool has_guess = false;
  for (const std::size_t axis : axes) {
    if (axis == kNewAxis) {
      shape.push_back(1);
    } else if (axis == shape.size()) {
      shape.push_back(0);  // copies the dimension at its own place
    } else if (old[axis].is_constant()) {
      if (old[axis].value() == 0) return Unimplemented("an empty tensor");
      shape.push_back(old[axis].value());
    } else if (!has_guess) {
      has_guess = true;
      shape.push_back(-1);
    } else {
      return Unimplemented("two open dimensions change places among axes of 1");
    }
  }
  return graph().Reshape(absl::StrCat(name_, "/", suffix), id, std::move(shape));
}

absl::StatusOr<std::shared_ptr<Activation>> NodeCall::Unsqueeze(
    Activation& activation, const std::vector<std::size_t>& axes) const {
  if (axes.empty()) return std::make_shared<Activation>(activation);
  const std::size_t rank = activation.shape.size() + axes.size();
  if (rank + lead() > kMaxRank) {
    return Unimplemented(absl::StrCat("a tensor of ", rank, " dimensions"));
  }
  const auto is_new = [&axes](std::size_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  // Where the old axes are among the new ones.
  std::vector<std::size_t> places;
  for (std::size_t axis = 0; axis < rank; ++axis) {
    if (!is_new(axis)) places.push_back(axis);
  }
  const auto [from, id] = AnyForm(activation);
  // A batch stays in front; each new axis comes behind the one that is before it in ONNX's order,
  // where that is a choice: behind all others where two open ones would have to move.
  Order order;
  for (const std::size_t axis : from) order.push_back(places[axis]);
  for (const std::size_t axis : axes) {
    auto at = axis == 0 ? order.begin() : std::find(order.begin(), order.end(), axis - 1) + 1;
    if (at == order.begin() && lead() == 0 && !order.empty()) ++at;
    const auto moved = std::count_if(at, order.end(), [&](std::size_t behind) {
      const auto old = std::find(places.begin(), places.end(), behind);
      return old != places.end() &&
             !activation.shape[static_cast<std::size_t>(old - places.begin())].is_constant();
    });
    order.insert(moved > 1 ? order.end() : at, axis);
  }
  std::vector<std::size_t> picked(lead(), 0);
  std::size_t next = lead();
  for (const std::size_t axis : order) picked.push_back(is_new(axis) ? kNewAxis : next++);
  ASSIGN_OR_RETURN(const ValueId result, Rearrange(id, picked, "unsqueeze"));
  return FromValue(result, order);
}

absl::StatusOr<std::shared_ptr<Activation>> NodeCall::Squeeze(
    Activation& activation, const std::vector<std::size_t>& axes) const {
  const auto is_gone = [&axes](std::size_t axis) {
    return std::find(axes.begin(), axes.end(), axis) != axes.end();
  };
  std::vector<std::size_t> places(activation.shape.size(), 0);
  std::size_t next = 0;
  for (std::size_t axis = 0; axis < places.size(); ++axis) {
    if (is_gone(axis) && activation.shape[axis] != Dim(1)) {
      return Invalid(absl::StrCat("axis ", axis, " is taken away from a tensor of shape ",
                                  ToString(activation.shape, graph().graph().symbol_names),
                                  ", wants 1 there"));
    }
    places[axis] = next;
    if (!is_gone(axis)) ++next;
  }
  const auto [from, id] = AnyForm(activation);
  Order order;
  std::vector<std::size_t> picked(lead(), 0);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (is_gone(from[i])) continue;
    picked.push_back(i + lead());
    order.push_back(places[from[i]]);
  }
  ASSIGN_OR_RETURN(const ValueId result, Rearrange(id, picked, "squeeze"));
  return FromValue(result, order);
}

Operand NodeCall::Scalar(float value) {
  return {"", ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{value})};
}

absl::StatusOr<ValueId> NodeCall::BroadcastInput(const Operand& operand, std::size_t rank,
                                                 const Order& order) const {
  if (operand.sizes() != nullptr) {
    return Unimplemented(
        absl::StrCat("computes with ", Quoted(operand.name), ", which depends on open dimensions"));
  }
  if (Activation* const activation = operand.activation()) return InOrder(*activation, order);
  const ConstantTensor* const given =
      operand.filled() != nullptr ? &operand.filled()->value : operand.constant();
  if (given == nullptr) return Invalid("an input is missing");
  const ConstantTensor& constant = *given;
  if (NumElements(constant.dims()) == 1) {
    if (constant.data_type() == DataType::kFloat32) {
      return graph().AddScalar(FloatElements(constant)[0]);
    }
    return AddConstant(absl::StrCat(operand.name.empty() ? name_ : operand.name, "/scalar"),
                       ConstantTensor::Copy(constant.data_type(), {1}, constant.bytes()));
  }
  Dims dims(rank - constant.dims().size(), 1);
  dims.insert(dims.end(), constant.dims().begin(), constant.dims().end());
  const ConstantTensor padded = WithDims(constant, std::move(dims));
  ConstantTensor moved = TransposeConstant(padded, order);
  // Ones in front say nothing.
  Dims tight = moved.dims();
  while (tight.size() > 1 && tight.front() == 1) tight.erase(tight.begin());
  const std::string base = operand.name.empty() ? absl::StrCat(name_, "/constant") : operand.name;
  const bool is_plain = std::is_sorted(order.begin(), order.end());
  const std::string name =
      is_plain ? absl::StrCat(base, "/", rank) : absl::StrCat(base, "/order_", OrderName(order));
  return AddConstant(name, WithDims(moved, std::move(tight)));
}

absl::StatusOr<Operand> NodeCall::AsStretched(Operand value, const Shape& shape) const {
  const auto* const held = std::get_if<std::shared_ptr<Activation>>(&value.content);
  if (held == nullptr) return Unimplemented("stretches what is no value");
  std::shared_ptr<Activation> content = *held;
  // An axis of the batch serves one of 1 as well.
  const auto full = StretchedShape(content->shape, shape);
  if (!full.ok()) return WithNode(full.status());
  if (*full == content->shape) return value;
  if (full->size() > content->shape.size()) {
    ASSIGN_OR_RETURN(content,
                     Unsqueeze(*content, PlainOrder(full->size() - content->shape.size())));
  }
  return Operand{value.name, Stretched{std::move(content), *full}};
}

absl::StatusOr<Operand> NodeCall::Broadcast(const std::string& op, std::vector<Operand> operands,
                                            Attributes attributes, absl::string_view suffix) const {
  std::size_t rank = 0;
  Shape wanted;
  for (Operand& operand : operands) {
    rank = std::max(rank, operand.rank());
    const auto stretched = StretchedShape(wanted, operand.shape());
    if (!stretched.ok()) return WithNode(stretched.status());
    wanted = *stretched;
    if (const Stretched* const larger = operand.stretched()) {
      auto content = larger->content;
      operand.content = std::move(content);
    }
  }
  std::optional<Order> order;
  bool is_full = false;  // the order is that of an operand that had all axes by itself
  for (Operand& operand : operands) {
    Activation* const activation = operand.activation();
    if (activation == nullptr) continue;
    const std::size_t missing = rank - activation->shape.size();
    if (missing > 0) {
      ASSIGN_OR_RETURN(operand.content, Unsqueeze(*activation, PlainOrder(missing)));
    }
    if (!order.has_value() || (missing == 0 && !is_full)) {
      order = AnyForm(*operand.activation()).first;
      is_full = missing == 0;
    }
  }
  if (!order.has_value()) return Unimplemented("constants that cannot be computed beforehand");
  std::vector<ValueId> ids;
  for (const Operand& operand : operands) {
    ASSIGN_OR_RETURN(const ValueId id, BroadcastInput(operand, rank, *order));
    ids.push_back(id);
  }
  ASSIGN_OR_RETURN(const ValueId id, Emit(op, std::move(ids), std::move(attributes), suffix));
  return AsStretched(Result(id, *order), wanted);
}

absl::StatusOr<Operand> NodeCall::Elementwise(const std::string& op, const Operand& operand,
                                              Attributes attributes,
                                              absl::string_view suffix) const {
  if (const Stretched* const larger = operand.stretched()) {
    ASSIGN_OR_RETURN(Operand result, Elementwise(op, {operand.name, larger->content},
                                                 std::move(attributes), suffix));
    return AsStretched(std::move(result), larger->shape);
  }
  Activation* const activation = operand.activation();
  if (activation == nullptr) return Unimplemented("a constant that cannot be computed beforehand");
  const auto [order, id] = AnyForm(*activation);
  ASSIGN_OR_RETURN(const ValueId result, Emit(op, {id}, std::move(attributes), suffix));
  return Result(result, order);
}

void NodeCall::Record(absl::string_view layer_class, const std::string& source,
                      std::vector<LayerVariable> variables, absl::string_view mode) const {
  Layer layer;
  layer.path = graph().graph().nodes.back().name;
  layer.layer_class = std::string(layer_class);
  layer.mode = std::string(mode);
  if (mode == "float") layer.dtype_policy = "float32";
  layer.source_group = source;
  layer.variables = std::move(variables);
  translation_.layers.push_back(std::move(layer));
}

}  // namespace octet::onnx
