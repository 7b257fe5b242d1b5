// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/model_translator.h"

#include <map>
#include <optional>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/call_order.h"
#include "models/importers/keras/layer_registry.h"
#include "models/importers/keras/model_config.h"
#include "models/importers/keras/tensor_literal.h"

namespace octet::keras {

namespace {

// [layer name, node index, tensor index] of config.json.
struct TensorReference {
  std::string layer;
  std::int64_t node = 0;
  std::int64_t tensor = 0;
};

std::optional<TensorReference> ParseReference(const Json& json) {
  if (!json.is_array() || json.size() < 3 || !json[0].is_string() || !json[1].is_number_integer() ||
      !json[2].is_number_integer()) {
    return std::nullopt;
  }
  return TensorReference{json[0].get<std::string>(), json[1].get<std::int64_t>(),
                         json[2].get<std::int64_t>()};
}

// The references in a nested structure, in Keras's flattening order: lists as they are,
// dictionaries by key, which is how nlohmann::json keeps them.
absl::Status FlattenReferences(const Json& json, absl::string_view where,
                               std::vector<TensorReference>& references) {
  if (std::optional<TensorReference> reference = ParseReference(json)) {
    references.push_back(*std::move(reference));
    return absl::OkStatus();
  }
  if (!json.is_structured()) {
    return absl::InvalidArgumentError(
        absl::StrCat(where, ": got ", Excerpt(json), ", wants [layer, node index, tensor index]"));
  }
  for (const Json& element : json) RETURN_IF_ERROR(FlattenReferences(element, where, references));
  return absl::OkStatus();
}

// The references that the arguments of a call hold, in that order.
void AppendReferences(const Json& node, std::vector<TensorReference>& references) {
  if (std::optional<TensorReference> reference = ParseReference(node)) {
    references.push_back(*std::move(reference));
  }
  if (!node.is_structured()) return;
  for (const Json& element : node) AppendReferences(element, references);
}

// The calls inside of one Functional model.
class FunctionalCall {
 public:
  FunctionalCall(Translation& translation, const KerasLayer& model)
      : translation_(translation), model_(model) {}

  absl::StatusOr<std::vector<TensorReference>> References(const std::string& key) const {
    std::vector<TensorReference> references;
    RETURN_IF_ERROR(FlattenReferences(model_.config.Get(key),
                                      absl::StrCat(model_.config.where(), ": ", key), references));
    return references;
  }

  void Bind(const std::string& input_layer, Operand operand) {
    results_[input_layer][0] = {operand};
  }

  // Translates the calls that the outputs need, in the order in which Keras would run them.
  absl::Status Run(const std::vector<TensorReference>& outputs) {
    std::vector<Call> calls;
    for (const KerasLayer* const layer : model_.order) {
      const Json& nodes = layer->entry.Get("inbound_nodes");
      if (!nodes.is_array()) continue;
      for (std::size_t i = 0; i < nodes.size(); ++i) {
        // Keras 2 counts a model's own inputs and outputs as its first call.
        const bool is_later = nodes[i].is_array() && IsModel(*layer);
        calls.push_back({layer, &nodes[i], i + (is_later ? 1 : 0)});
      }
    }
    const auto order = OrderOf(calls, outputs);
    if (!order.has_value()) {
      return absl::InvalidArgumentError(
          absl::StrCat(model_.config.where(), ": inbound_nodes: got a cycle of calls, wants none"));
    }
    for (const std::size_t i : *order) {
      ASSIGN_OR_RETURN(const bool done, Translate(calls[i]));
      if (!done) {
        return absl::InvalidArgumentError(
            absl::StrCat(calls[i].layer->entry.where(),
                         ": inbound_nodes: wants inputs that are outputs of other layers"));
      }
    }
    return absl::OkStatus();
  }

  absl::StatusOr<Operand> Result(const TensorReference& reference) const {
    const std::optional<Operand> found = Find(reference);
    if (!found.has_value()) {
      return absl::InvalidArgumentError(absl::StrCat(model_.config.where(), ": tensor [",
                                                     reference.layer, ", ", reference.node, ", ",
                                                     reference.tensor, "] is nowhere computed"));
    }
    return *found;
  }

 private:
  struct Call {
    const KerasLayer* layer;
    const Json* node;
    std::size_t index;  // among the layer's, as references count them
  };

  // Of indices of `calls`. A reference to something else is left to Translate.
  std::optional<std::vector<std::size_t>> OrderOf(
      const std::vector<Call>& calls, const std::vector<TensorReference>& outputs) const {
    std::map<std::pair<std::string, std::int64_t>, std::size_t> places;
    std::map<const KerasLayer*, std::size_t> layers;
    for (std::size_t i = 0; i < calls.size(); ++i) {
      places[{NameOf(*calls[i].layer), static_cast<std::int64_t>(calls[i].index)}] = i;
      layers.try_emplace(calls[i].layer, i);
    }
    const auto find = [&places](const std::vector<TensorReference>& references) {
      std::vector<std::size_t> found;
      for (const TensorReference& reference : references) {
        const auto place = places.find({reference.layer, reference.node});
        if (place != places.end()) found.push_back(place->second);
      }
      return found;
    };
    std::vector<CallNode> nodes;
    nodes.reserve(calls.size());
    for (const Call& call : calls) {
      std::vector<TensorReference> inputs;
      AppendReferences(*call.node, inputs);
      nodes.push_back({layers.at(call.layer), find(inputs)});
    }
    return CallOrder(nodes, find(outputs));
  }

  // A tensor that was computed, with the mask that it still has.
  std::optional<Operand> Find(const TensorReference& reference) const {
    const auto layer = results_.find(reference.layer);
    if (layer == results_.end()) return std::nullopt;
    const auto node = layer->second.find(reference.node);
    if (node == layer->second.end()) return std::nullopt;
    if (reference.tensor < 0 ||
        reference.tensor >= static_cast<std::int64_t>(node->second.size())) {
      return std::nullopt;
    }
    Operand operand = node->second[static_cast<std::size_t>(reference.tensor)];
    if (translation_.unmasked.contains(operand.value)) operand.mask = kNoValue;
    return operand;
  }

  // False where it is no tensor that was computed.
  bool ParseArgument(const Json& json, Argument& argument) const {
    if (json.is_object()) {
      const auto class_name = json.find("class_name");
      if (class_name != json.end() && *class_name == "__keras_tensor__") {
        const ConfigView config = ConfigView(json, "").Object("config");
        const std::optional<TensorReference> reference =
            ParseReference(config.Get("keras_history"));
        argument.tensor = reference.has_value() ? Find(*reference) : std::nullopt;
        return argument.tensor.has_value();
      }
      if (std::optional<ConstantTensor> constant = ParseTensorLiteral(json)) {
        const std::string name = absl::StrCat("constant_", translation_.num_constants++);
        argument.tensor =
            Operand{translation_.graph.AddConstant(name, *std::move(constant)), kNoValue};
        return true;
      }
      // A dictionary of tensors counts as the list of its values; other objects are literals.
      if (class_name == json.end()) {
        argument.list.emplace();
        for (const Json& element : json) {
          if (!ParseArgument(element, argument.list->emplace_back())) return false;
        }
        return true;
      }
    }
    if (json.is_array()) {
      argument.list.emplace();
      for (const Json& element : json) {
        if (!ParseArgument(element, argument.list->emplace_back())) return false;
      }
    }
    argument.literal = json;
    return true;
  }

  bool ParseLegacyKeyword(const Json& json, Argument& argument) const {
    argument = {};
    const std::optional<TensorReference> reference = ParseReference(json);
    if (!reference.has_value()) {
      argument.literal = json;
      return true;
    }
    argument.tensor = Find(*reference);
    return argument.tensor.has_value();
  }

  // The form of Keras 2: a list of [layer, node index, tensor index, keywords].
  bool ParseLegacyNode(const Json& node, std::vector<Argument>& arguments,
                       std::map<std::string, Argument>& keywords) const {
    Argument inputs;
    inputs.list.emplace();
    // A single input is not always wrapped in a list.
    const bool bare = ParseReference(node).has_value();
    const Json wrapped = bare ? Json::array({node}) : node;
    for (const Json& element : wrapped) {
      const std::optional<TensorReference> reference = ParseReference(element);
      const std::optional<Operand> found = reference.has_value() ? Find(*reference) : std::nullopt;
      if (!found.has_value()) return false;
      inputs.list->push_back({*found, std::nullopt, Json()});
      if (element.size() > 3 && element[3].is_object()) {
        for (const auto& [key, value] : element[3].items()) {
          if (!ParseLegacyKeyword(value, keywords[key])) return false;
        }
      }
    }
    if (inputs.list->size() == 1) {
      // Taken out first: the assignment would destroy what it reads.
      Argument single = std::move(inputs.list->front());
      inputs = std::move(single);
    }
    arguments.push_back(std::move(inputs));
    return true;
  }

  // False where an input is no tensor that was computed.
  absl::StatusOr<bool> Translate(const Call& call) {
    std::vector<Argument> arguments;
    std::map<std::string, Argument> keywords;
    if (call.node->is_array()) {
      if (!ParseLegacyNode(*call.node, arguments, keywords)) return false;
    } else {
      const ConfigView node(*call.node, call.layer->entry.where());
      const Json& args = node.Get("args");
      if (!args.is_array()) return node.Error("args", "a list");
      for (const Json& element : args) {
        if (!ParseArgument(element, arguments.emplace_back())) return false;
      }
      const Json& kwargs = node.Get("kwargs");
      if (kwargs.is_object()) {
        for (const auto& [key, value] : kwargs.items()) {
          if (!ParseArgument(value, keywords[key])) return false;
        }
      }
    }
    ASSIGN_OR_RETURN(
        std::vector<Operand> outputs,
        CallLayer(translation_, *call.layer, std::move(arguments), std::move(keywords)));
    results_[NameOf(*call.layer)][static_cast<std::int64_t>(call.index)] = std::move(outputs);
    return true;
  }

  // The layer's name in this model: its path without the model's.
  std::string NameOf(const KerasLayer& layer) const {
    return model_.path.empty() ? layer.path : layer.path.substr(model_.path.size() + 1);
  }

  Translation& translation_;
  const KerasLayer& model_;
  std::map<std::string, std::map<std::int64_t, std::vector<Operand>>> results_;
};

absl::StatusOr<std::vector<Operand>> CallFunctional(Translation& translation,
                                                    const KerasLayer& model,
                                                    const std::vector<Operand>& inputs,
                                                    std::vector<std::string>* output_names) {
  FunctionalCall call(translation, model);
  ASSIGN_OR_RETURN(const std::vector<TensorReference> input_layers,
                   call.References("input_layers"));
  if (input_layers.size() != inputs.size()) {
    return absl::InvalidArgumentError(absl::StrCat(model.config.where(), ": got ", inputs.size(),
                                                   " input tensors, wants ", input_layers.size()));
  }
  for (std::size_t i = 0; i < inputs.size(); ++i) call.Bind(input_layers[i].layer, inputs[i]);
  ASSIGN_OR_RETURN(const std::vector<TensorReference> output_layers,
                   call.References("output_layers"));
  RETURN_IF_ERROR(call.Run(output_layers));
  std::vector<Operand> outputs;
  for (const TensorReference& reference : output_layers) {
    ASSIGN_OR_RETURN(outputs.emplace_back(), call.Result(reference));
    if (output_names != nullptr) output_names->push_back(reference.layer);
  }
  return outputs;
}

absl::StatusOr<std::vector<Operand>> CallSequential(Translation& translation,
                                                    const KerasLayer& model,
                                                    std::vector<Operand> operands,
                                                    std::vector<std::string>* output_names) {
  std::string last;
  for (const KerasLayer* const layer : model.order) {
    if (layer->key == "InputLayer") continue;
    ASSIGN_OR_RETURN(operands, CallLayer(translation, *layer, operands));
    last = layer->path;
  }
  if (output_names != nullptr) output_names->assign(operands.size(), last);
  return operands;
}

absl::StatusOr<DataType> InputType(const ConfigView& config) {
  const Json& dtype = config.Get("dtype");
  std::string name = "float32";
  if (dtype.is_string()) name = dtype.get<std::string>();
  if (dtype.is_object()) {
    ASSIGN_OR_RETURN(name, config.Object("dtype").Object("config").String("name", name));
  }
  // All floats are computed, and therefore wanted, as float32.
  if (absl::StrContains(name, "float")) return DataType::kFloat32;
  const std::map<std::string, DataType> types = {
      {"bool", DataType::kBool},     {"int8", DataType::kInt8},     {"uint8", DataType::kUint8},
      {"int16", DataType::kInt16},   {"uint16", DataType::kUint16}, {"int32", DataType::kInt32},
      {"uint32", DataType::kUint32}, {"int64", DataType::kInt64},   {"uint64", DataType::kUint64}};
  const auto found = types.find(name);
  if (found == types.end()) return config.Unimplemented("dtype", "numbers");
  return found->second;
}

// The name of an open dimension: "length", or "question/length" where each input has its own.
std::string DimensionName(const std::string& input, std::size_t rank, std::size_t axis) {
  const std::string prefix = input.empty() ? "" : absl::StrCat(input, "/");
  if (rank <= 3 && axis == 1) return absl::StrCat(prefix, "length");
  if (rank == 4 && axis == 1) return absl::StrCat(prefix, "height");
  if (rank == 4 && axis == 2) return absl::StrCat(prefix, "width");
  return absl::StrCat(prefix, "dim_", axis);
}

// `symbols`: what names of open dimensions begin with, empty where all inputs share them.
absl::StatusOr<Operand> AddGraphInput(Translation& translation, const ConfigView& config,
                                      const std::string& name, const std::string& symbols,
                                      const Json& batch_shape) {
  if (!batch_shape.is_array() || batch_shape.empty()) {
    return absl::InvalidArgumentError(absl::StrCat(config.where(), ": batch_shape: got ",
                                                   Excerpt(batch_shape),
                                                   ", wants a list that starts with the batch"));
  }
  TensorType type;
  ASSIGN_OR_RETURN(type.data_type, InputType(config));
  for (std::size_t axis = 0; axis < batch_shape.size(); ++axis) {
    const Json& size = batch_shape[axis];
    if (axis == 0) {
      type.shape.emplace_back(kRows);
    } else if (size.is_null()) {
      type.shape.push_back(
          translation.graph.OpenDimension(DimensionName(symbols, batch_shape.size(), axis)));
    } else {
      constexpr std::int64_t kMaxSize = std::int64_t{1} << 31;
      if (!size.is_number_integer() || size.get<std::int64_t>() < 0 ||
          size.get<std::int64_t>() > kMaxSize) {
        return absl::InvalidArgumentError(absl::StrCat(config.where(), ": batch_shape: got ",
                                                       Excerpt(size), ", wants a length or null"));
      }
      type.shape.emplace_back(size.get<std::int64_t>());
    }
  }
  return Operand{translation.graph.AddInput(name, std::move(type)), kNoValue};
}

absl::StatusOr<Operand> AddGraphInput(Translation& translation, const KerasLayer& layer,
                                      const std::string& symbols) {
  for (const char* const key : {"batch_shape", "batch_input_shape"}) {
    if (layer.config.Has(key)) {
      return AddGraphInput(translation, layer.config, layer.path, symbols, layer.config.Get(key));
    }
  }
  return layer.config.Error("batch_shape", "the input's shape");
}

absl::StatusOr<std::vector<Operand>> AddGraphInputs(Translation& translation,
                                                    const KerasLayer& root) {
  std::vector<Operand> inputs;
  if (root.key != "Sequential") {
    std::vector<TensorReference> references;
    RETURN_IF_ERROR(FlattenReferences(root.config.Get("input_layers"), "config.json: input_layers",
                                      references));
    const bool own_symbols = references.size() > 1 && !translation.inputs_share_dimensions;
    for (const TensorReference& reference : references) {
      const auto layer = root.children.find(reference.layer);
      if (layer == root.children.end() || layer->second->key != "InputLayer") {
        return absl::InvalidArgumentError(absl::StrCat(
            "config.json: input_layers: \"", reference.layer, "\" is no InputLayer of the model"));
      }
      ASSIGN_OR_RETURN(
          inputs.emplace_back(),
          AddGraphInput(translation, *layer->second, own_symbols ? layer->second->path : ""));
    }
    return inputs;
  }
  if (root.order.empty()) return absl::InvalidArgumentError("config.json: the model is empty");
  const KerasLayer& first = *root.order.front();
  if (first.key == "InputLayer" || first.config.Has("batch_input_shape")) {
    ASSIGN_OR_RETURN(inputs.emplace_back(), AddGraphInput(translation, first, ""));
    return inputs;
  }
  for (const ConfigView& view : {root.config, root.entry.Object("build_config")}) {
    for (const char* const key : {"build_input_shape", "input_shape"}) {
      if (!view.Has(key)) continue;
      const ConfigView no_options(root.config.Get("no_such_key"), "config.json: input");
      ASSIGN_OR_RETURN(inputs.emplace_back(),
                       AddGraphInput(translation, no_options, "input", "", view.Get(key)));
      return inputs;
    }
  }
  return absl::InvalidArgumentError(
      "config.json: the model was saved before it had an input shape");
}

}  // namespace

absl::StatusOr<std::vector<Operand>> CallLayer(Translation& translation, const KerasLayer& layer,
                                               std::vector<Argument> arguments,
                                               std::map<std::string, Argument> keywords) {
  constexpr std::size_t kMaxCalls = 200000;
  if (++translation.num_calls > kMaxCalls) {
    return absl::ResourceExhaustedError(
        absl::StrCat("config.json: wants at most ", kMaxCalls, " calls of layers"));
  }
  LayerCall call(translation, layer, std::move(arguments), std::move(keywords));
  return translation.registry.Call(call);
}

absl::StatusOr<std::vector<Operand>> CallLayer(Translation& translation, const KerasLayer& layer,
                                               const std::vector<Operand>& inputs) {
  Argument argument;
  if (inputs.size() == 1) {
    argument.tensor = inputs.front();
  } else {
    argument.list.emplace();
    for (const Operand& input : inputs) argument.list->push_back({input, std::nullopt, Json()});
  }
  std::vector<Argument> arguments;
  arguments.push_back(std::move(argument));
  return CallLayer(translation, layer, std::move(arguments), {});
}

absl::StatusOr<std::vector<Operand>> TranslateNestedModel(LayerCall& call) {
  const KerasLayer& model = call.layer();
  std::vector<Operand> inputs = call.inputs();
  if (!inputs.empty()) inputs.front().mask = call.Mask();
  if (model.key == "Sequential") {
    return CallSequential(call.translation(), model, std::move(inputs), nullptr);
  }
  return CallFunctional(call.translation(), model, inputs, nullptr);
}

absl::StatusOr<Graph> TranslateModel(Translation& translation, const KerasLayer& root) {
  ASSIGN_OR_RETURN(std::vector<Operand> operands, AddGraphInputs(translation, root));
  std::vector<std::string> names;
  if (root.key == "Sequential") {
    ASSIGN_OR_RETURN(operands, CallSequential(translation, root, std::move(operands), &names));
  } else {
    ASSIGN_OR_RETURN(operands, CallFunctional(translation, root, operands, &names));
  }
  if (operands.empty()) return absl::InvalidArgumentError("config.json: the model has no outputs");
  std::vector<ValueId> outputs;
  for (const Operand& operand : operands) outputs.push_back(operand.value);
  if (names.front().empty()) names.assign(outputs.size(), "output");
  return translation.graph.Finish(outputs, names);
}

}  // namespace octet::keras
