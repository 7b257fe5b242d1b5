// SPDX-License-Identifier: Apache-2.0
// Recurrent layers, and the wrappers Bidirectional and TimeDistributed.

#include <set>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/model_translator.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// "LSTM", "GRU" or "SimpleRNN" of a layer, of an RNN by its cell.
std::string CellKind(const KerasLayer& layer) {
  const auto cell = layer.children.find("cell");
  const std::string& name =
      cell == layer.children.end() ? layer.class_name : cell->second->class_name;
  return std::string(absl::StripSuffix(name, "Cell"));
}

// Adds the attribute `key` to those of a cell, and what belongs to it.
absl::Status AddActivation(const LayerCall& call, const ConfigView& config, const std::string& key,
                           const char* fallback, Attributes& attributes) {
  attributes[key] = std::string(fallback);
  if (!config.json().contains(key)) return absl::OkStatus();
  ASSIGN_OR_RETURN(const ActivationFunction function, ParseActivation(call, config, key));
  if (function.name == ActivationFunction::kHardSigmoidOfKeras2) {
    attributes[key] = std::string("hard_sigmoid");
    attributes[key + "_alpha"] = 0.2;
    attributes[key + "_beta"] = 0.5;
    return absl::OkStatus();
  }
  if (function.is_separate()) return config.Unimplemented(key, "a function of one element");
  attributes[key] = function.name;
  if (key == "activation") {
    attributes.insert(function.parameters.begin(), function.parameters.end());
    return absl::OkStatus();
  }
  // The others have the parameters that a function has by its name alone.
  ASSIGN_OR_RETURN(const ActivationFunction by_name, FindActivation(function.name, call));
  if (function.parameters == by_name.parameters) return absl::OkStatus();
  return config.Unimplemented(key, "a function with the parameters that Keras gives it");
}

absl::StatusOr<Attributes> RecurrentAttributes(const LayerCall& call, const std::string& kind,
                                               const ConfigView& cell, bool zero_output_for_mask) {
  Attributes attributes;
  RETURN_IF_ERROR(AddActivation(call, cell, "activation", "tanh", attributes));
  if (kind != "SimpleRNN") {
    RETURN_IF_ERROR(AddActivation(call, cell, "recurrent_activation", "sigmoid", attributes));
  }
  if (kind == "GRU") {
    ASSIGN_OR_RETURN(const bool reset_after, cell.Bool("reset_after", true));
    attributes["reset_after"] = std::int64_t{reset_after ? 1 : 0};
  }
  for (const char* const key : {"return_sequences", "go_backwards"}) {
    ASSIGN_OR_RETURN(const bool value, call.config().Bool(key, false));
    attributes[key] = std::int64_t{value ? 1 : 0};
  }
  ASSIGN_OR_RETURN(const bool zero, call.config().Bool("zero_output_for_mask", false));
  attributes["zero_output_for_mask"] = std::int64_t{zero || zero_output_for_mask ? 1 : 0};
  return attributes;
}

absl::StatusOr<std::vector<Operand>> EmitRecurrent(const LayerCall& call,
                                                   bool zero_output_for_mask) {
  const std::string kind = CellKind(call.layer());
  const auto child = call.layer().children.find("cell");
  const bool has_cell = child != call.layer().children.end();
  const ConfigView& cell = has_cell ? child->second->config : call.config();
  if (call.layer().policy.mode != "float") {
    return call.Unimplemented(
        absl::StrCat("the mode \"", call.layer().policy.mode, "\" cannot be imported"));
  }
  ASSIGN_OR_RETURN(const bool stateful, call.config().Bool("stateful", false));
  if (stateful) return call.config().Unimplemented("stateful", "false");
  if (call.inputs().empty()) return call.Invalid("wants an input");
  ASSIGN_OR_RETURN(const ValueId input, call.ToFloat(call.inputs()[0].value));
  if (call.graph().Rank(input) != 3) {
    return call.Invalid(absl::StrCat("got an input of ", call.graph().Rank(input),
                                     " dimensions, wants sequences [batch, time, features]"));
  }
  ASSIGN_OR_RETURN(const bool use_bias, cell.Bool("use_bias", true));
  std::vector<std::string> names = {"kernel", "recurrent_kernel"};
  if (use_bias) names.emplace_back("bias");
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables(names, "cell", kind));
  ASSIGN_OR_RETURN(Attributes attributes,
                   RecurrentAttributes(call, kind, cell, zero_output_for_mask));

  // Initial states are given by keyword, or, in older files, after the sequence.
  std::vector<Operand> states(call.inputs().begin() + 1, call.inputs().end());
  if (const Argument* const given = call.Keyword("initial_state"); given != nullptr) {
    AppendTensors(*given, states);
  }
  const std::size_t num_states = kind == "LSTM" ? 2 : 1;
  if (!states.empty() && states.size() != num_states) {
    return call.Invalid(absl::StrCat("got ", states.size(), " initial states, wants ", num_states));
  }
  std::vector<ValueId> inputs = {input, variables.at("kernel"), variables.at("recurrent_kernel"),
                                 use_bias ? variables.at("bias") : kNoValue, call.Mask()};
  for (const Operand& state : states) {
    ASSIGN_OR_RETURN(inputs.emplace_back(), call.ToFloat(state.value));
  }
  ASSIGN_OR_RETURN(const bool return_state, call.config().Bool("return_state", false));
  const std::size_t num_outputs = return_state ? 1 + num_states : 1;
  const char* const op = kind == "LSTM" ? "Lstm" : kind == "GRU" ? "Gru" : "SimpleRnn";
  ASSIGN_OR_RETURN(const std::vector<ValueId> values,
                   call.graph().EmitMany(op, call.Name(), std::move(inputs), std::move(attributes),
                                         num_outputs));
  std::vector<Operand> outputs;
  for (const ValueId value : values) outputs.push_back({value, kNoValue});
  ASSIGN_OR_RETURN(const bool sequences, call.config().Bool("return_sequences", false));
  if (sequences) outputs.front().mask = call.Mask();
  return outputs;
}

absl::StatusOr<std::vector<Operand>> TranslateRecurrent(LayerCall& call) {
  return EmitRecurrent(call, false);
}

absl::StatusOr<std::vector<Operand>> TranslateCell(LayerCall& call) {
  return call.Unimplemented("a cell cannot be imported outside of an RNN layer");
}

absl::StatusOr<ValueId> Merge(const LayerCall& call, const std::string& mode, ValueId forward,
                              ValueId backward) {
  GraphBuilder& graph = call.graph();
  if (mode == "concat") {
    return graph.Emit("Concat", call.Name(), {forward, backward},
                      {{"axis", graph.Rank(forward) - 1}});
  }
  if (mode == "mul") return graph.Emit("Multiply", call.Name(), {forward, backward});
  if (mode != "sum" && mode != "ave") {
    return call.config().Error("merge_mode", "concat, sum, ave, mul or null");
  }
  ASSIGN_OR_RETURN(const ValueId sum, graph.Emit("Add", call.Name("sum"), {forward, backward}));
  if (mode == "sum") return sum;
  return graph.Emit("Divide", call.Name(), {sum, graph.AddScalar(2.0F)});
}

// One direction of a Bidirectional layer.
absl::StatusOr<std::vector<Operand>> Direction(const LayerCall& call, const std::string& attribute,
                                               std::span<const Operand> states) {
  const auto child = call.layer().children.find(attribute);
  if (child == call.layer().children.end()) {
    return call.Invalid(absl::StrCat("wants a ", attribute));
  }
  std::vector<Argument> arguments(1);
  arguments[0].tensor = Operand{call.inputs()[0].value, call.Mask()};
  for (const Operand& state : states) arguments.push_back({state, std::nullopt, Json()});
  const LayerCall inner(call.translation(), *child->second, std::move(arguments), {});
  const std::set<std::string> kinds = {"LSTM", "GRU", "SimpleRNN"};
  if (!kinds.contains(CellKind(*child->second))) {
    return inner.Unimplemented("only recurrent layers can be made bidirectional");
  }
  ASSIGN_OR_RETURN(const bool sequences, inner.config().Bool("return_sequences", false));
  return EmitRecurrent(inner, sequences);
}

absl::StatusOr<std::vector<Operand>> TranslateBidirectional(LayerCall& call) {
  if (call.inputs().empty()) return call.Invalid("wants an input");
  std::vector<Operand> states(call.inputs().begin() + 1, call.inputs().end());
  if (const Argument* const given = call.Keyword("initial_state"); given != nullptr) {
    AppendTensors(*given, states);
  }
  const std::size_t half = states.size() / 2;
  ASSIGN_OR_RETURN(const std::vector<Operand> forward,
                   Direction(call, "forward_layer", std::span(states).first(half)));
  ASSIGN_OR_RETURN(std::vector<Operand> backward,
                   Direction(call, "backward_layer", std::span(states).subspan(half)));
  if (forward.size() != backward.size()) return call.Invalid("wants two directions that are alike");
  GraphBuilder& graph = call.graph();
  const bool sequences = graph.Rank(forward[0].value) == 3;
  if (sequences) {
    // The layer that runs backwards gives its last step first.
    const std::vector<std::int64_t> axis = {1};
    const std::vector<std::int64_t> start = {-1};
    const std::vector<std::int64_t> end = {-(std::int64_t{1} << 50)};
    const std::vector<std::int64_t> step = {-1};
    ASSIGN_OR_RETURN(
        backward[0].value,
        graph.Emit("Slice", call.Name("flip"), {backward[0].value},
                   {{"axes", axis}, {"starts", start}, {"ends", end}, {"steps", step}}));
  }
  std::vector<Operand> outputs;
  const ValueId mask = sequences ? call.Mask() : kNoValue;
  if (call.config().json().contains("merge_mode") && !call.config().Has("merge_mode")) {
    outputs = {{forward[0].value, mask}, {backward[0].value, mask}};
  } else {
    ASSIGN_OR_RETURN(const std::string mode, call.config().String("merge_mode", "concat"));
    ASSIGN_OR_RETURN(const ValueId merged, Merge(call, mode, forward[0].value, backward[0].value));
    outputs = {{merged, mask}};
  }
  outputs.insert(outputs.end(), forward.begin() + 1, forward.end());
  outputs.insert(outputs.end(), backward.begin() + 1, backward.end());
  return outputs;
}

// Whether a layer treats every step of a sequence alike without being told.
bool IsStepwise(const KerasLayer& layer) {
  const std::set<std::string> classes = {"Activation", "Dense", "Dropout",   "ELU",      "Identity",
                                         "LeakyReLU",  "ReLU",  "Rescaling", "Embedding"};
  if (classes.contains(layer.key)) return true;
  if (layer.key != "LayerNormalization" && layer.key != "BatchNormalization" &&
      layer.key != "Softmax" && layer.key != "RMSNormalization") {
    return false;
  }
  const Json& axis = layer.config.Get("axis");
  return axis.is_null() || axis == -1 || axis == Json::array({-1});
}

absl::StatusOr<std::vector<Operand>> TranslateTimeDistributed(LayerCall& call) {
  if (call.inputs().empty()) return call.Invalid("wants an input");
  const ValueId input = call.inputs()[0].value;
  const KerasLayer& inner = *call.layer().children.at("layer");
  if (IsStepwise(inner)) {
    ASSIGN_OR_RETURN(std::vector<Operand> outputs,
                     CallLayer(call.translation(), inner, {Operand{input, kNoValue}}));
    return outputs;
  }
  constexpr std::int64_t kMaxSteps = 1024;
  ASSIGN_OR_RETURN(const std::int64_t steps, call.Length(input, 1));
  if (steps < 1 || steps > kMaxSteps) {
    return call.Unimplemented(absl::StrCat("got ", steps, " steps, wants 1 to ", kMaxSteps));
  }
  GraphBuilder& graph = call.graph();
  std::vector<std::int64_t> rest;
  for (std::int64_t axis = 2; axis < graph.Rank(input); ++axis) {
    ASSIGN_OR_RETURN(rest.emplace_back(), call.Length(input, axis));
  }
  std::vector<ValueId> outputs;
  for (std::int64_t step = 0; step < steps; ++step) {
    const std::vector<std::int64_t> axis = {1};
    const std::vector<std::int64_t> start = {step};
    const std::vector<std::int64_t> end = {step + 1};
    const std::vector<std::int64_t> stride = {1};
    ASSIGN_OR_RETURN(
        ValueId value,
        graph.Emit("Slice", call.Name("step"), {input},
                   {{"axes", axis}, {"starts", start}, {"ends", end}, {"steps", stride}}));
    std::vector<std::int64_t> shape = {0};
    shape.insert(shape.end(), rest.begin(), rest.end());
    ASSIGN_OR_RETURN(value, graph.Reshape(call.Name("without_time"), value, shape));
    ASSIGN_OR_RETURN(const std::vector<Operand> result,
                     CallLayer(call.translation(), inner, {Operand{value, kNoValue}}));
    if (result.size() != 1) return call.Unimplemented("a layer with several outputs");
    shape = {0, 1};
    for (std::int64_t i = 1; i < graph.Rank(result[0].value); ++i) {
      ASSIGN_OR_RETURN(shape.emplace_back(), call.Length(result[0].value, i));
    }
    ASSIGN_OR_RETURN(outputs.emplace_back(),
                     graph.Reshape(call.Name("with_time"), result[0].value, shape));
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   graph.Emit("Concat", call.Name(), outputs, {{"axis", std::int64_t{1}}}));
  return Single(output);
}

}  // namespace

void AddRecurrentLayers(LayerRegistry& registry) {
  registry.Add({"Bidirectional", TranslateBidirectional, MaskRule::kTranslator});
  registry.Add({"GRU", TranslateRecurrent, MaskRule::kTranslator});
  registry.Add({"GRUCell", TranslateCell});
  registry.Add({"LSTM", TranslateRecurrent, MaskRule::kTranslator});
  registry.Add({"LSTMCell", TranslateCell});
  registry.Add({"RNN", TranslateRecurrent, MaskRule::kTranslator});
  registry.Add({"SimpleRNN", TranslateRecurrent, MaskRule::kTranslator});
  registry.Add({"SimpleRNNCell", TranslateCell});
  registry.Add({"TimeDistributed", TranslateTimeDistributed, MaskRule::kPass});
}

}  // namespace octet::keras
