// SPDX-License-Identifier: Apache-2.0
#include "models/importers/graph_builder.h"

#include <algorithm>
#include <array>
#include <charconv>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/graph/operator.h"

namespace octet {

namespace {
// A model of this many nodes is none that people make; a file may use one layer very often.
constexpr std::size_t kMaxNodes = 200000;
}  // namespace

const TensorType& GraphBuilder::TypeOf(ValueId id) const {
  return graph_.values[static_cast<std::size_t>(id)].type;
}

std::int64_t GraphBuilder::Rank(ValueId id) const {
  return static_cast<std::int64_t>(ShapeOf(id).size());
}

Dim GraphBuilder::OpenDimension(const std::string& name) {
  std::vector<std::string>& names = graph_.symbol_names;
  auto found = std::find(names.begin(), names.end(), name);
  if (found == names.end()) found = names.insert(names.end(), name);
  return Dim(Symbol{static_cast<std::int32_t>(found - names.begin())});
}

ValueId GraphBuilder::AddInput(const std::string& name, TensorType type) {
  const ValueId id = graph_.AddValue(UniqueName(name, value_names_), std::move(type));
  graph_.inputs.push_back(id);
  return id;
}

ValueId GraphBuilder::AddConstant(const std::string& name, ConstantTensor tensor) {
  const auto found = constants_.find(name);
  if (found != constants_.end()) return found->second;
  const ValueId id = graph_.AddConstant(UniqueName(name, value_names_), std::move(tensor));
  constants_.emplace(name, id);
  return id;
}

ValueId GraphBuilder::AddScalar(float value) {
  // The fewest digits that are this number and no other: absl's six would make one constant of two.
  std::array<char, 32> digits;
  char* const end = std::to_chars(digits.data(), digits.data() + digits.size(), value).ptr;
  return AddConstant(absl::StrCat("scalar/", std::string(digits.data(), end)),
                     ConstantTensor::Copy(DataType::kFloat32, {1}, std::vector<float>{value}));
}

absl::StatusOr<ValueId> GraphBuilder::Emit(const std::string& op, const std::string& name,
                                           std::vector<ValueId> inputs, Attributes attributes) {
  ASSIGN_OR_RETURN(const std::vector<ValueId> outputs,
                   EmitMany(op, name, std::move(inputs), std::move(attributes), 1));
  return outputs.front();
}

absl::StatusOr<std::vector<ValueId>> GraphBuilder::EmitMany(const std::string& op,
                                                            const std::string& name,
                                                            std::vector<ValueId> inputs,
                                                            Attributes attributes,
                                                            std::size_t num_outputs) {
  ASSIGN_OR_RETURN(const Operator* const rules, operators_.Find(op));
  if (graph_.nodes.size() >= kMaxNodes) {
    return absl::ResourceExhaustedError(
        absl::StrCat("model: wants at most ", kMaxNodes, " operators"));
  }
  while (!inputs.empty() && inputs.back() == kNoValue) inputs.pop_back();
  Node node;
  node.name = UniqueName(name, node_names_);
  node.op = op;
  node.inputs = std::move(inputs);
  node.attributes = std::move(attributes);
  node.outputs.assign(num_outputs, kNoValue);
  std::vector<TensorType> types;
  std::vector<const ConstantTensor*> constants;
  for (const ValueId id : node.inputs) {
    const Value* const value =
        id == kNoValue ? nullptr : &graph_.values[static_cast<std::size_t>(id)];
    types.push_back(value == nullptr ? TensorType{} : value->type);
    const bool constant = value != nullptr && value->constant.has_value();
    constants.push_back(constant ? &*value->constant : nullptr);
  }
  ASSIGN_OR_RETURN(const std::vector<TensorType> outputs,
                   rules->InferOutputs(node, types, constants));
  if (outputs.size() != num_outputs) {
    return absl::InternalError(absl::StrCat("node \"", node.name, "\": got ", outputs.size(),
                                            " outputs, wants ", num_outputs));
  }
  for (std::size_t i = 0; i < num_outputs; ++i) {
    const std::string value = i == 0 ? node.name : absl::StrCat(node.name, ":", i);
    node.outputs[i] = graph_.AddValue(UniqueName(value, value_names_), outputs[i]);
  }
  std::vector<ValueId> ids = node.outputs;
  graph_.nodes.push_back(std::move(node));
  return ids;
}

absl::StatusOr<ValueId> GraphBuilder::Reshape(const std::string& name, ValueId input,
                                              std::vector<std::int64_t> shape) {
  const Shape& from = ShapeOf(input);
  bool same = from.size() == shape.size();
  for (std::size_t i = 0; same && i < shape.size(); ++i) {
    same = shape[i] == 0 || (from[i].is_constant() && from[i].value() == shape[i]);
  }
  if (same) return input;
  return Emit("Reshape", name, {input}, {{"shape", std::move(shape)}});
}

absl::StatusOr<ValueId> GraphBuilder::Transpose(const std::string& name, ValueId input,
                                                std::vector<std::int64_t> permutation) {
  if (std::is_sorted(permutation.begin(), permutation.end())) return input;
  return Emit("Transpose", name, {input}, {{"permutation", std::move(permutation)}});
}

absl::StatusOr<ValueId> GraphBuilder::Cast(const std::string& name, ValueId input, DataType type) {
  if (TypeOf(input).data_type == type) return input;
  return Emit("Cast", name, {input}, {{"to", std::string(DataTypeName(type))}});
}

absl::StatusOr<Graph> GraphBuilder::Finish(const std::vector<ValueId>& ids,
                                           const std::vector<std::string>& names) {
  std::set<std::string> taken;
  for (const ValueId input : graph_.inputs) {
    taken.insert(graph_.values[static_cast<std::size_t>(input)].name);
  }
  for (std::size_t i = 0; i < ids.size(); ++i) {
    ValueId id = ids[i];
    const auto is = [id](ValueId other) { return other == id; };
    if (std::any_of(graph_.inputs.begin(), graph_.inputs.end(), is) ||
        std::any_of(graph_.outputs.begin(), graph_.outputs.end(), is) ||
        graph_.values[static_cast<std::size_t>(id)].constant.has_value()) {
      ASSIGN_OR_RETURN(id, Emit("Identity", absl::StrCat(names[i], "/output"), {id}));
    }
    graph_.outputs.push_back(id);
    // Whoever has the output's name already gives it up.
    std::string name = UniqueName(names[i], taken);
    for (Value& value : graph_.values) {
      if (value.name == name && &value != &graph_.values[static_cast<std::size_t>(id)]) {
        value.name = UniqueName(name, value_names_);
      }
    }
    value_names_.insert(name);
    graph_.values[static_cast<std::size_t>(id)].name = std::move(name);
  }
  return std::move(graph_);
}

std::string GraphBuilder::UniqueName(const std::string& name, std::set<std::string>& used) {
  const std::string base = name.empty() ? "value" : name;
  std::string unique = base;
  while (!used.insert(unique).second) unique = absl::StrCat(base, "_", ++name_counts_[base]);
  return unique;
}

}  // namespace octet
