// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/graph_codec.h"

#include <cmath>
#include <cstdint>
#include <optional>
#include <set>
#include <variant>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

// Far above what a model has, and low enough that no rule over a shape or a list takes long.
constexpr int kMaxRank = 16;
constexpr int kMaxSymbols = 64;
constexpr std::size_t kMaxNameSize = 1024;
constexpr int kMaxZeroPoint = 0xffff;
constexpr std::int64_t kMaxDim = std::int64_t{1} << 48;

absl::Status ValueError(const std::string& name, absl::string_view what) {
  return absl::InvalidArgumentError(absl::StrCat("value \"", name, "\": ", what));
}

bundle::v1::Dim EncodeDim(const Dim& dim, const std::vector<std::string>& symbol_names) {
  bundle::v1::Dim message;
  if (dim.is_constant()) {
    message.set_offset(dim.value());
    return message;
  }
  const auto index = static_cast<std::size_t>(dim.symbol().index);
  // A symbol without a name is written as one that no reader accepts.
  message.set_symbol(index < symbol_names.size() ? symbol_names[index] : "?");
  message.set_offset(dim.offset());
  if (dim.scale() != 1) message.set_scale(dim.scale());
  if (dim.divisor() != 1) message.set_divisor(dim.divisor());
  return message;
}

absl::StatusOr<Dim> DecodeDim(const bundle::v1::Dim& message,
                              const std::vector<std::string>& symbol_names) {
  if (message.symbol().empty()) {
    if (message.scale() != 0 || message.divisor() != 0 || message.offset() < 0 ||
        message.offset() > kMaxDim) {
      return absl::InvalidArgumentError(
          "a known dimension is an offset of at least 0 and nothing else");
    }
    return Dim(message.offset());
  }
  for (std::size_t i = 0; i < symbol_names.size(); ++i) {
    if (symbol_names[i] != message.symbol()) continue;
    const std::int64_t scale = message.scale() == 0 ? 1 : message.scale();
    const std::int64_t divisor = message.divisor() == 0 ? 1 : message.divisor();
    if (scale < 1 || scale > kMaxDim || divisor < 1 || divisor > kMaxDim ||
        std::abs(message.offset() / 2) > kMaxDim) {
      return absl::InvalidArgumentError(absl::StrCat("dimension with scale ", scale, ", offset ",
                                                     message.offset(), ", divisor ", divisor));
    }
    Dim dim(Symbol{static_cast<std::int32_t>(i)});
    if (scale != 1) {
      ASSIGN_OR_RETURN(dim, dim.Times(scale));
    }
    if (message.offset() != 0) {
      ASSIGN_OR_RETURN(dim, dim.Plus(message.offset()));
    }
    if (divisor != 1) {
      ASSIGN_OR_RETURN(dim, dim.FloorDividedBy(divisor));
    }
    return dim;
  }
  return absl::InvalidArgumentError(
      absl::StrCat("unknown dimension name \"", message.symbol(), "\""));
}

absl::StatusOr<ConstantTensor> DecodeConstant(const bundle::v1::Value& value,
                                              const TensorType& type, const TensorSource& source) {
  const std::string& key = value.constant().tensor();
  const auto found = source.tensors.find(key);
  if (found == source.tensors.end()) {
    return ValueError(value.name(),
                      absl::StrCat("tensor \"", key, "\" is not in weights.safetensors"));
  }
  for (const Dim& dim : type.shape) {
    if (!dim.is_constant()) return ValueError(value.name(), "a constant with an open dimension");
  }
  const Dims dims = ToDims(type.shape);
  RETURN_IF_ERROR(CheckedNumElements(dims).status());
  const SafetensorsEntry& entry = found->second;
  const int packed_axis = value.constant().packed_axis();
  const bool packed = BitWidth(type.data_type) < 8;
  const bool same_type =
      packed ? entry.data_type == DataType::kInt8 || entry.data_type == DataType::kUint8
             : entry.data_type == type.data_type;
  const auto rank = static_cast<int>(dims.size());
  const bool axis_ok = packed ? rank > 0 && packed_axis >= -1 && packed_axis < rank
                              : packed_axis == -1 || packed_axis == 0;
  if (!same_type || !axis_ok ||
      entry.bytes.size() != ByteSize(type.data_type, dims, packed ? packed_axis : -1)) {
    return ValueError(
        value.name(),
        absl::StrCat("wants ", DataTypeName(type.data_type), " ", ToString(dims), ", but tensor \"",
                     key, "\" is ", DataTypeName(entry.data_type), " ", ToString(entry.dims)));
  }
  return ConstantTensor(type.data_type, dims, entry.bytes, source.owner, packed ? packed_axis : -1);
}

absl::StatusOr<Value> DecodeValue(const bundle::v1::Value& message, const TensorSource& source,
                                  const std::vector<std::string>& symbol_names) {
  const std::string& name = message.name();
  if (name.empty() || name.size() > kMaxNameSize) {
    return ValueError(name.substr(0, kMaxNameSize), "a name has 1 to 1024 bytes");
  }
  Value value{name, {}, std::nullopt};
  const std::optional<DataType> type = ParseDataType(message.data_type());
  if (!type.has_value()) {
    return ValueError(name, absl::StrCat("unknown data type \"", message.data_type(), "\""));
  }
  value.type.data_type = *type;
  if (message.shape_size() > kMaxRank) {
    return ValueError(name, absl::StrCat(message.shape_size(), " dimensions; the most is 16"));
  }
  for (const bundle::v1::Dim& dim_message : message.shape()) {
    absl::StatusOr<Dim> dim = DecodeDim(dim_message, symbol_names);
    if (!dim.ok()) return ValueError(name, dim.status().message());
    value.type.shape.push_back(*dim);
  }
  if (message.has_quantization()) {
    const bundle::v1::Quantization& quantization = message.quantization();
    if (!std::isfinite(quantization.scale()) || quantization.scale() <= 0.0F ||
        quantization.zero_point() > kMaxZeroPoint || quantization.zero_point() < -kMaxZeroPoint) {
      return ValueError(name, absl::StrCat("quantization with scale ", quantization.scale(),
                                           " and zero point ", quantization.zero_point()));
    }
    value.type.quantization =
        TensorQuantization{.scale = kernels::Scale{quantization.scale()},
                           .zero_point = kernels::ZeroPoint{quantization.zero_point()}};
  }
  if (message.has_constant()) {
    ASSIGN_OR_RETURN(value.constant, DecodeConstant(message, value.type, source));
  }
  return value;
}

void EncodeAttribute(const std::string& name, const Attribute& value,
                     bundle::v1::Attribute& message) {
  message.set_name(name);
  if (const auto* const i = std::get_if<std::int64_t>(&value)) message.set_int_(*i);
  if (const auto* const d = std::get_if<double>(&value)) message.set_float_(*d);
  if (const auto* const s = std::get_if<std::string>(&value)) message.set_string(*s);
  if (const auto* const ints = std::get_if<std::vector<std::int64_t>>(&value)) {
    message.mutable_ints()->mutable_values()->Add(ints->begin(), ints->end());
  }
  if (const auto* const floats = std::get_if<std::vector<double>>(&value)) {
    message.mutable_floats()->mutable_values()->Add(floats->begin(), floats->end());
  }
}

// Whether `message` has a value, which goes to `attribute`.
bool DecodeAttribute(const bundle::v1::Attribute& message, Attribute& attribute) {
  switch (message.value_case()) {
    case bundle::v1::Attribute::kInt:
      attribute.emplace<std::int64_t>(message.int_());
      return true;
    case bundle::v1::Attribute::kFloat:
      attribute.emplace<double>(message.float_());
      return true;
    case bundle::v1::Attribute::kString:
      attribute.emplace<std::string>(message.string());
      return true;
    case bundle::v1::Attribute::kInts:
      attribute.emplace<std::vector<std::int64_t>>(message.ints().values().begin(),
                                                   message.ints().values().end());
      return true;
    case bundle::v1::Attribute::kFloats:
      attribute.emplace<std::vector<double>>(message.floats().values().begin(),
                                             message.floats().values().end());
      return true;
    case bundle::v1::Attribute::VALUE_NOT_SET:
      break;
  }
  return false;
}

using ValueIds = std::map<std::string, ValueId>;

absl::StatusOr<ValueId> FindValue(const ValueIds& ids, const std::string& name,
                                  absl::string_view user) {
  const auto found = ids.find(name);
  if (found != ids.end()) return found->second;
  return absl::InvalidArgumentError(
      absl::StrCat(user, " refers to the value \"", name, "\", which does not exist"));
}

absl::StatusOr<Node> DecodeNode(const bundle::v1::Node& message, const ValueIds& ids) {
  Node node;
  node.name = message.name();
  node.op = message.op();
  if (node.name.empty() || node.name.size() > kMaxNameSize || node.op.empty()) {
    return absl::InvalidArgumentError(absl::StrCat("node \"", node.name.substr(0, kMaxNameSize),
                                                   "\": wants a name and an operator"));
  }
  const std::string user = absl::StrCat("node \"", node.name, "\"");
  for (const std::string& input : message.inputs()) {
    node.inputs.push_back(kNoValue);
    if (input.empty()) continue;
    ASSIGN_OR_RETURN(node.inputs.back(), FindValue(ids, input, user));
  }
  for (const std::string& output : message.outputs()) {
    ASSIGN_OR_RETURN(const ValueId id, FindValue(ids, output, user));
    node.outputs.push_back(id);
  }
  for (const bundle::v1::Attribute& attribute : message.attributes()) {
    const auto [place, inserted] = node.attributes.try_emplace(attribute.name());
    if (!inserted || !DecodeAttribute(attribute, place->second)) {
      return absl::InvalidArgumentError(
          absl::StrCat(user, ": attribute \"", attribute.name(), "\" has no value, or two"));
    }
  }
  return node;
}

absl::Status DecodeSymbols(const bundle::v1::Graph& message, Graph& graph) {
  graph.symbol_names.assign(message.symbol_names().begin(), message.symbol_names().end());
  const std::set<std::string> unique(graph.symbol_names.begin(), graph.symbol_names.end());
  if (graph.symbol_names.empty() || graph.symbol_names[0] != "rows" ||
      unique.size() != graph.symbol_names.size() || unique.contains("") ||
      message.symbol_names_size() > kMaxSymbols) {
    return absl::InvalidArgumentError(
        "symbol_names wants 1 to 64 different names, the first of them \"rows\"");
  }
  return absl::OkStatus();
}

}  // namespace

bundle::v1::Graph EncodeGraph(const Graph& graph, TensorTable& tensors) {
  bundle::v1::Graph message;
  for (const std::string& name : graph.symbol_names) message.add_symbol_names(name);
  for (const Value& value : graph.values) {
    bundle::v1::Value& to = *message.add_values();
    to.set_name(value.name);
    to.set_data_type(std::string(DataTypeName(value.type.data_type)));
    for (const Dim& dim : value.type.shape) *to.add_shape() = EncodeDim(dim, graph.symbol_names);
    if (value.type.quantization.has_value()) {
      to.mutable_quantization()->set_scale(value.type.quantization->scale.value);
      to.mutable_quantization()->set_zero_point(value.type.quantization->zero_point.value);
    }
    if (value.constant.has_value()) {
      to.mutable_constant()->set_tensor(tensors.AddConstant(value.name, *value.constant));
      to.mutable_constant()->set_packed_axis(value.constant->packed_axis());
    }
  }
  const auto name_of = [&](ValueId id) {
    return id == kNoValue ? std::string() : graph.values.at(static_cast<std::size_t>(id)).name;
  };
  for (const Node& node : graph.nodes) {
    bundle::v1::Node& to = *message.add_nodes();
    to.set_name(node.name);
    to.set_op(node.op);
    for (const ValueId id : node.inputs) to.add_inputs(name_of(id));
    for (const ValueId id : node.outputs) to.add_outputs(name_of(id));
    for (const auto& [name, value] : node.attributes) {
      EncodeAttribute(name, value, *to.add_attributes());
    }
  }
  for (const ValueId id : graph.inputs) message.add_inputs(name_of(id));
  for (const ValueId id : graph.outputs) message.add_outputs(name_of(id));
  return message;
}

absl::StatusOr<Graph> DecodeGraph(const bundle::v1::Graph& message, const TensorSource& source) {
  Graph graph;
  RETURN_IF_ERROR(DecodeSymbols(message, graph));
  ValueIds ids;
  for (const bundle::v1::Value& value_message : message.values()) {
    ASSIGN_OR_RETURN(Value value, DecodeValue(value_message, source, graph.symbol_names));
    if (!ids.emplace(value.name, static_cast<ValueId>(graph.values.size())).second) {
      return ValueError(value.name, "the name is taken twice");
    }
    graph.values.push_back(std::move(value));
  }
  std::set<std::string> node_names;
  for (const bundle::v1::Node& node_message : message.nodes()) {
    ASSIGN_OR_RETURN(Node node, DecodeNode(node_message, ids));
    if (!node_names.insert(node.name).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("node \"", node.name, "\": the name is taken twice"));
    }
    graph.nodes.push_back(std::move(node));
  }
  for (const std::string& name : message.inputs()) {
    ASSIGN_OR_RETURN(const ValueId id, FindValue(ids, name, "the list of inputs"));
    graph.inputs.push_back(id);
  }
  for (const std::string& name : message.outputs()) {
    ASSIGN_OR_RETURN(const ValueId id, FindValue(ids, name, "the list of outputs"));
    graph.outputs.push_back(id);
  }
  return graph;
}

}  // namespace octet
