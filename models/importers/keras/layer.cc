// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/layer.h"

#include <algorithm>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/strip.h"

#include "models/base/status_macros.h"

namespace octet::keras {

ConstantTensor WithDims(const ConstantTensor& tensor, Dims dims) {
  // The copy in the lambda's place keeps the bytes alive.
  auto owner = std::make_shared<const ConstantTensor>(tensor);
  return ConstantTensor(tensor.data_type(), std::move(dims), owner->bytes(), owner);
}

void AppendTensors(const Argument& argument, std::vector<Operand>& tensors) {
  if (argument.tensor.has_value()) tensors.push_back(*argument.tensor);
  if (!argument.list.has_value()) return;
  for (const Argument& element : *argument.list) AppendTensors(element, tensors);
}

LayerCall::LayerCall(Translation& translation, const KerasLayer& layer,
                     std::vector<Argument> arguments, std::map<std::string, Argument> keywords)
    : translation_(translation),
      layer_(layer),
      arguments_(std::move(arguments)),
      keywords_(std::move(keywords)) {
  for (const Argument& argument : arguments_) AppendTensors(argument, inputs_);
  // Keras writes down calls as they were made: layer(inputs=x) is one, too.
  if (inputs_.empty()) {
    for (const char* const name : {"inputs", "sequences", "x"}) {
      const auto found = keywords_.find(name);
      if (found != keywords_.end()) AppendTensors(found->second, inputs_);
    }
  }
}

std::string LayerCall::Name(absl::string_view part) const {
  return part.empty() ? layer_.path : absl::StrCat(layer_.path, "/", part);
}

absl::Status LayerCall::CheckInputs(std::size_t count) const {
  if (inputs_.size() == count) return absl::OkStatus();
  return Invalid(absl::StrCat("got ", inputs_.size(), " input tensors, wants ", count));
}

absl::StatusOr<ValueId> LayerCall::FloatInput() const {
  RETURN_IF_ERROR(CheckInputs(1));
  return ToFloat(inputs_[0].value);
}

absl::StatusOr<ValueId> LayerCall::ToFloat(ValueId value) const {
  return graph().Cast(Name("cast"), value, DataType::kFloat32);
}

absl::StatusOr<std::vector<ValueId>> LayerCall::InputsOfOneType() const {
  const auto type = [this](const Operand& input) { return graph().TypeOf(input.value).data_type; };
  const bool is_one = std::all_of(inputs_.begin(), inputs_.end(), [&](const Operand& input) {
    return type(input) == type(inputs_.front());
  });
  std::vector<ValueId> values;
  for (const Operand& input : inputs_) {
    values.push_back(input.value);
    if (!is_one) {
      ASSIGN_OR_RETURN(values.back(), ToFloat(input.value));
    }
  }
  return values;
}

const Argument* LayerCall::Keyword(absl::string_view keyword) const {
  const auto found = keywords_.find(std::string(keyword));
  return found == keywords_.end() || found->second.IsNone() ? nullptr : &found->second;
}

const Argument* LayerCall::Find(std::size_t position, absl::string_view keyword) const {
  if (position < arguments_.size()) {
    return arguments_[position].IsNone() ? nullptr : &arguments_[position];
  }
  return Keyword(keyword);
}

ValueId LayerCall::Mask() const {
  const Argument* const given = Keyword("mask");
  if (given != nullptr && given->tensor.has_value()) return given->tensor->value;
  return inputs_.empty() ? kNoValue : inputs_[0].mask;
}

absl::StatusOr<std::int64_t> LayerCall::Length(ValueId value, std::int64_t axis) const {
  const Shape& shape = graph().ShapeOf(value);
  if (axis < 0) axis += static_cast<std::int64_t>(shape.size());
  if (axis < 0 || axis >= static_cast<std::int64_t>(shape.size()) ||
      !shape[static_cast<std::size_t>(axis)].is_constant()) {
    return Invalid(absl::StrCat("got an input of shape ",
                                ToString(shape, graph().graph().symbol_names),
                                ", wants a known length of axis ", axis));
  }
  return shape[static_cast<std::size_t>(axis)].value();
}

const WrappedLayer* LayerCall::wrapped() const {
  const WrappedLayer* const wrapped = translation_.wrapped;
  return wrapped != nullptr && wrapped->layer == &layer_ ? wrapped : nullptr;
}

const std::vector<FakeQuantization>* LayerCall::KernelQuantization(const std::string& name) const {
  if (wrapped() == nullptr) return nullptr;
  const auto found = wrapped()->kernels.find(name);
  return found == wrapped()->kernels.end() ? nullptr : &found->second;
}

// The names of the layer's variables, or of its part's, in the group of the layer around all.
absl::StatusOr<std::vector<std::string>> LayerCall::VariableNames(const std::string& group,
                                                                  absl::string_view sub) const {
  auto found = translation_.legacy_names.find(group);
  if (found == translation_.legacy_names.end()) {
    ASSIGN_OR_RETURN(LegacyNames names, LegacyNames::Read(translation_.weights, group));
    found = translation_.legacy_names.emplace(group, std::move(names)).first;
  }
  std::vector<Scope> scopes;
  for (const std::string& scope : layer_.scopes) scopes.push_back({scope, false});
  if (!scopes.empty()) scopes.back().is_required = true;
  // The parts that translators ask for: a cell, whose name says nothing, and the projections of an
  // attention layer, "query" of "query_dense".
  if (!sub.empty() && sub != "cell") {
    const absl::string_view part = absl::StripSuffix(sub, "_dense");
    scopes.push_back({std::string(part == "output" ? "attention_output" : part), true});
  }
  return found->second.Within(scopes);
}

absl::StatusOr<std::vector<NamedTensor>> LayerCall::NamedVariables(absl::string_view sub) const {
  if (!translation_.legacy_weights) {
    return Unimplemented("it can only be imported from an HDF5 model; save it as .h5");
  }
  const std::string top = layer_.path.substr(0, layer_.path.find('/'));
  const std::string group = absl::StrCat("model_weights/", top);
  ASSIGN_OR_RETURN(const std::vector<std::string> names, VariableNames(group, sub));
  std::vector<NamedTensor> variables;
  for (const std::string& name : names) {
    absl::string_view last = name;
    if (const auto slash = last.rfind('/'); slash != last.npos) last.remove_prefix(slash + 1);
    ASSIGN_OR_RETURN(ConstantTensor tensor,
                     translation_.weights.ReadDataset(absl::StrCat(group, "/", name)));
    variables.push_back({std::string(last.substr(0, last.find(':'))), std::move(tensor)});
  }
  return variables;
}

absl::StatusOr<std::vector<ConstantTensor>> LayerCall::StoredVariables(
    absl::string_view sub) const {
  if (wrapped() != nullptr && sub.empty()) return wrapped()->variables;
  std::vector<ConstantTensor> variables;
  if (translation_.legacy_weights) {
    ASSIGN_OR_RETURN(std::vector<NamedTensor> named, NamedVariables(sub));
    for (NamedTensor& variable : named) variables.push_back(std::move(variable.tensor));
    return variables;
  }
  const std::string group = absl::StrCat(layer_.group, sub.empty() ? "" : "/", sub, "/vars");
  ASSIGN_OR_RETURN(const bool exists, translation_.weights.HasGroup(group));
  if (!exists) return variables;
  ASSIGN_OR_RETURN(const std::vector<std::string> names, translation_.weights.ListNames(group));
  for (std::size_t i = 0; i < names.size(); ++i) {
    const std::string name = absl::StrCat(i);
    if (!std::binary_search(names.begin(), names.end(), name)) {
      return Invalid(absl::StrCat("weights: \"", group, "\" holds ", absl::StrJoin(names, ", "),
                                  ", wants 0 to ", names.size() - 1));
    }
    ASSIGN_OR_RETURN(ConstantTensor tensor,
                     translation_.weights.ReadDataset(absl::StrCat(group, "/", name)));
    variables.push_back(std::move(tensor));
  }
  return variables;
}

absl::StatusOr<std::map<std::string, ValueId>> LayerCall::FloatVariables(
    const std::vector<std::string>& names, absl::string_view sub,
    absl::string_view layer_class) const {
  ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, StoredVariables(sub));
  if (stored.size() != names.size()) {
    return Invalid(absl::StrCat("got ", stored.size(), " stored variables, wants ", names.size(),
                                " (", absl::StrJoin(names, ", "), ")"));
  }
  octet::Layer record;
  record.layer_class = std::string(layer_class);
  std::map<std::string, ValueId> values;
  for (std::size_t i = 0; i < names.size(); ++i) {
    ASSIGN_OR_RETURN(
        values[names[i]],
        FloatConstant(sub.empty() ? names[i] : absl::StrCat(sub, "/", names[i]), stored[i]));
    record.variables.push_back({names[i], stored[i], ""});
  }
  Record(std::move(record), sub);
  return values;
}

void LayerCall::Record(octet::Layer record, absl::string_view sub) const {
  if (record.variables.empty()) return;
  if (record.path.empty()) record.path = layer_.path;
  if (record.layer_class.empty()) {
    record.layer_class = layer_.class_name;
    record.registered_name = layer_.registered_name;
  }
  if (record.mode.empty()) record.mode = "float";
  if (record.dtype_policy.empty()) record.dtype_policy = layer_.policy.name;
  if (record.source_group.empty()) {
    record.source_group = absl::StrCat(layer_.group, sub.empty() ? "" : "/", sub, "/vars");
  }
  if (!translation_.recorded.insert(record.path).second) return;
  translation_.layers.push_back(std::move(record));
}

absl::StatusOr<ValueId> LayerCall::FloatConstant(const std::string& name,
                                                 const ConstantTensor& tensor, Dims dims) const {
  absl::StatusOr<ConstantTensor> wide = WidenToFloat(tensor);
  if (!wide.ok()) return Invalid(absl::StrCat(name, ": ", wide.status().message()));
  if (!dims.empty() && NumElements(dims) != NumElements(wide->dims())) {
    return Invalid(
        absl::StrCat(name, ": got shape ", ToString(wide->dims()), ", wants ", ToString(dims)));
  }
  return graph().AddConstant(Name(name), dims.empty() ? *wide : WithDims(*wide, std::move(dims)));
}

absl::Status LayerCall::Invalid(absl::string_view message) const {
  return absl::InvalidArgumentError(
      absl::StrCat("layer \"", layer_.path, "\" (", layer_.class_name, "): ", message));
}

absl::Status LayerCall::Unimplemented(absl::string_view message) const {
  return absl::UnimplementedError(
      absl::StrCat("layer \"", layer_.path, "\" (", layer_.class_name, "): ", message));
}

}  // namespace octet::keras
