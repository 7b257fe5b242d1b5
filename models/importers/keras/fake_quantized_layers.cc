// SPDX-License-Identifier: Apache-2.0
// The layers that TensorFlow Model Optimization puts around others for training with quantization
// in mind: its ranges are learned, and what is computed is fake-quantized with them.

#include <algorithm>
#include <map>
#include <optional>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/model_translator.h"
#include "models/importers/keras/quantize_config.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// Classes whose activation comes last, with the toolkit's names for their kernels and ours.
const std::map<std::string, std::map<std::string, std::string>>& Kernels() {
  static const auto* const kernels = [] {
    auto* const map = new std::map<std::string, std::map<std::string, std::string>>;
    for (const char* const name :
         {"Dense", "EinsumDense", "Conv1D", "Conv2D", "Conv1DTranspose", "Conv2DTranspose"}) {
      (*map)[name] = {{"kernel", "kernel"}};
    }
    for (const char* const name : {"DepthwiseConv1D", "DepthwiseConv2D"}) {
      (*map)[name] = {{"depthwise_kernel", "kernel"}};
    }
    for (const char* const name : {"SeparableConv1D", "SeparableConv2D"}) {
      (*map)[name] = {{"depthwise_kernel", "depthwise_kernel"},
                      {"pointwise_kernel", "pointwise_kernel"}};
    }
    return map;
  }();
  return *kernels;
}

// The variables of a wrapper or a QuantizeLayer.
class RangeVariables {
 public:
  explicit RangeVariables(std::vector<NamedTensor> variables) : variables_(std::move(variables)) {}

  // Takes the variable called `name` out.
  absl::StatusOr<ConstantTensor> Take(const LayerCall& call, const std::string& name) {
    const auto found =
        std::find_if(variables_.begin(), variables_.end(),
                     [&name](const NamedTensor& variable) { return variable.name == name; });
    if (found == variables_.end()) {
      return call.Invalid(absl::StrCat("weights: wants a variable \"", name, "\""));
    }
    ConstantTensor tensor = std::move(found->tensor);
    variables_.erase(found);
    return tensor;
  }
  // The same as float32: one number, or a vector.
  absl::StatusOr<ConstantTensor> TakeRange(const LayerCall& call, const RangeQuantizer& quantizer,
                                           const std::string& name) {
    ASSIGN_OR_RETURN(const ConstantTensor stored, Take(call, name));
    ASSIGN_OR_RETURN(ConstantTensor wide, WidenToFloat(stored));
    if (wide.dims().size() == (quantizer.per_axis ? 1 : 0)) return wide;
    return call.Invalid(absl::StrCat(name, ": got shape ", ToString(wide.dims()), ", wants ",
                                     quantizer.per_axis ? "one number a channel" : "one number"));
  }
  // What nobody took.
  [[nodiscard]] std::vector<NamedTensor>& rest() { return variables_; }

 private:
  std::vector<NamedTensor> variables_;
};

// The names of a quantizer's variables.
void AppendRange(const RangeQuantizer& quantizer, const std::string& name,
                 std::vector<std::string>& names) {
  if (quantizer.fixed.has_value()) return;
  names.push_back(absl::StrCat(name, "_min"));
  names.push_back(absl::StrCat(name, "_max"));
}

// The variables of a QuantizeLayer or a wrapper, then those of the layer inside of it. An archive
// does not name them: its own end with `names`, in the order in which the toolkit makes them,
// behind what QuantizeWrapperV2 has a second time of a layer that was there before it; those inside
// have no name.
absl::StatusOr<std::vector<NamedTensor>> ReadVariables(const LayerCall& call,
                                                       const std::vector<std::string>& names) {
  if (call.translation().legacy_weights) return call.NamedVariables();
  ASSIGN_OR_RETURN(std::vector<ConstantTensor> own, call.StoredVariables());
  if (own.size() < names.size()) {
    return call.Invalid(absl::StrCat("got ", own.size(), " stored variables, wants ", names.size(),
                                     " (", absl::StrJoin(names, ", "), ")"));
  }
  std::vector<NamedTensor> variables;
  for (std::size_t i = 0; i < names.size(); ++i) {
    variables.push_back({names[i], std::move(own[own.size() - names.size() + i])});
  }
  ASSIGN_OR_RETURN(std::vector<ConstantTensor> inside, call.StoredVariables("layer"));
  for (ConstantTensor& tensor : inside) variables.push_back({"", std::move(tensor)});
  return variables;
}

// Appends the quantization of `value` by `quantizer`, whose variables are called `name` and _min
// or _max.
absl::StatusOr<ValueId> FakeQuantize(const LayerCall& call, const RangeQuantizer& quantizer,
                                     const std::string& name, RangeVariables& variables,
                                     ValueId value) {
  ASSIGN_OR_RETURN(value, call.ToFloat(value));
  const std::string min_name = absl::StrCat(name, "_min");
  const std::string max_name = absl::StrCat(name, "_max");
  Attributes attributes = {{"num_bits", quantizer.num_bits},
                           {"narrow_range", std::int64_t{quantizer.narrow_range ? 1 : 0}}};
  ValueId min = kNoValue;
  ValueId max = kNoValue;
  if (quantizer.fixed.has_value()) {
    const auto constant = [&call](const std::string& part, float number) {
      return call.graph().AddConstant(
          call.Name(part),
          ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{number}));
    };
    min = constant(min_name, quantizer.fixed->min);
    max = constant(max_name, quantizer.fixed->max);
    attributes["divides"] = std::int64_t{0};
  } else {
    ASSIGN_OR_RETURN(ConstantTensor stored_min, variables.TakeRange(call, quantizer, min_name));
    ASSIGN_OR_RETURN(ConstantTensor stored_max, variables.TakeRange(call, quantizer, max_name));
    min = call.graph().AddConstant(call.Name(min_name), std::move(stored_min));
    max = call.graph().AddConstant(call.Name(max_name), std::move(stored_max));
  }
  return call.graph().Emit("FakeQuantize", call.Name(name), {value, min, max},
                           std::move(attributes));
}

absl::StatusOr<std::vector<Operand>> TranslateQuantizeLayer(LayerCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1));
  ASSIGN_OR_RETURN(const std::optional<RangeQuantizer> quantizer,
                   ParseQuantizer(call.config().Object("quantizer")));
  if (!quantizer.has_value()) return Single(call.inputs()[0].value);
  std::string name = "range";
  std::vector<std::string> names;
  AppendRange(*quantizer, name, names);
  names.emplace_back("optimizer_step");
  ASSIGN_OR_RETURN(std::vector<NamedTensor> stored, ReadVariables(call, names));
  // They may be called as the layer was when it was made.
  for (const NamedTensor& variable : stored) {
    if (absl::EndsWith(variable.name, "_min")) {
      name = variable.name.substr(0, variable.name.size() - 4);
    }
  }
  RangeVariables variables(std::move(stored));
  ASSIGN_OR_RETURN(const ValueId output,
                   FakeQuantize(call, *quantizer, name, variables, call.inputs()[0].value));
  return Single(output);
}

// The ranges of the kernel `name`.
absl::StatusOr<std::vector<FakeQuantization>> KernelRanges(const LayerCall& call,
                                                           const RangeQuantizer& quantizer,
                                                           const std::string& name,
                                                           RangeVariables& variables) {
  ASSIGN_OR_RETURN(const ConstantTensor min,
                   variables.TakeRange(call, quantizer, absl::StrCat(name, "_min")));
  ASSIGN_OR_RETURN(const ConstantTensor max,
                   variables.TakeRange(call, quantizer, absl::StrCat(name, "_max")));
  if (min.dims() != max.dims()) {
    return call.Invalid(absl::StrCat(name, "_min and ", name, "_max: got shapes ",
                                     ToString(min.dims()), " and ", ToString(max.dims()),
                                     ", wants the same"));
  }
  std::vector<FakeQuantization> ranges;
  for (std::size_t i = 0; i < min.as<float>().size(); ++i) {
    const absl::StatusOr<FakeQuantization> range = FakeQuantization::Make(
        {min.as<float>()[i], max.as<float>()[i], quantizer.num_bits, quantizer.narrow_range},
        quantizer.per_axis ? FakeQuantizationStep::kInverse : FakeQuantizationStep::kDivide);
    if (!range.ok()) return call.Invalid(absl::StrCat(name, ": ", range.status().message()));
    ranges.push_back(*range);
  }
  return ranges;
}

// Gives `wrapped` its variables and the ranges of its kernels.
absl::Status LoadWrapped(const LayerCall& call, const QuantizeConfig& config,
                         RangeVariables& variables, WrappedLayer& wrapped) {
  const auto kernels = Kernels().find(wrapped.layer->key);
  const bool has_kernels = kernels != Kernels().end();
  if (config.quantizes_activation && !has_kernels) {
    return call.Unimplemented(
        absl::StrCat("a quantized activation of a ", wrapped.layer->key, " cannot be imported"));
  }
  for (const std::string& attribute : config.weight_attributes) {
    if (!has_kernels || !kernels->second.contains(attribute)) {
      return call.Unimplemented(absl::StrCat("a quantized \"", attribute, "\" of a ",
                                             wrapped.layer->key, " cannot be imported"));
    }
    ASSIGN_OR_RETURN(wrapped.kernels[kernels->second.at(attribute)],
                     KernelRanges(call, config.weights, attribute, variables));
    // Quantized ones first: QuantizeWrapper, unlike QuantizeWrapperV2, lists them behind the bias.
    ASSIGN_OR_RETURN(wrapped.variables.emplace_back(), variables.Take(call, attribute));
  }
  return absl::OkStatus();
}

// Where QuantizeAwareActivation quantizes.
struct ActivationSides {
  bool before = false;
  bool after = false;
};
ActivationSides SidesOf(const std::string& name) {
  return {.before = name == "softmax" || name == "sigmoid" || name == "tanh" || name == "gelu",
          .after = name == "linear" || name == "relu" || name == "silu" || name == "gelu"};
}

// The names of a wrapper's own variables, in the order in which it makes them.
std::vector<std::string> WrapperNames(const QuantizeConfig& config, const std::string& activation) {
  std::vector<std::string> names = config.weight_attributes;
  names.emplace_back("optimizer_step");
  for (const std::string& attribute : config.weight_attributes) {
    AppendRange(config.weights, attribute, names);
  }
  const ActivationSides sides = SidesOf(activation);
  if (config.quantizes_activation && sides.before) {
    AppendRange(config.activations, "pre_activation", names);
  }
  if (config.quantizes_activation && sides.after) {
    AppendRange(config.activations, "post_activation", names);
  }
  if (config.quantizes_output) AppendRange(config.activations, "output", names);
  return names;
}

// The activation between its quantizers.
absl::StatusOr<ValueId> QuantizedActivation(const LayerCall& call, const RangeQuantizer& quantizer,
                                            const ActivationFunction& activation,
                                            RangeVariables& variables, ValueId value) {
  const std::string& name = activation.name;
  const ActivationSides sides = SidesOf(name);
  if (!sides.before && !sides.after) {
    return call.Unimplemented(absl::StrCat("the activation \"", name, "\" cannot be quantized"));
  }
  if (sides.before) {
    ASSIGN_OR_RETURN(value, FakeQuantize(call, quantizer, "pre_activation", variables, value));
  }
  ASSIGN_OR_RETURN(value, ApplyActivation(call, call.Name("activation"), value, activation));
  if (!sides.after) return value;
  return FakeQuantize(call, quantizer, "post_activation", variables, value);
}

// Whether the activation is the toolkit's NoOpActivation, around which nothing is quantized.
bool IsNoOperation(const ConfigView& config) {
  const ConfigView outer = config.Object("activation");
  const ConfigView inner = outer.Object("config").Object("activation");
  return outer.Get("class_name") == "NoOpActivation" || inner.Get("class_name") == "NoOpActivation";
}

absl::StatusOr<std::vector<Operand>> CallWrapped(LayerCall& call, const WrappedLayer& wrapped) {
  const WrappedLayer* const outer = std::exchange(call.translation().wrapped, &wrapped);
  absl::StatusOr<std::vector<Operand>> outputs =
      CallLayer(call.translation(), *wrapped.layer, call.arguments(), call.keywords());
  call.translation().wrapped = outer;
  return outputs;
}

std::vector<ConstantTensor> Tensors(const std::vector<NamedTensor>& variables) {
  std::vector<ConstantTensor> tensors;
  for (const NamedTensor& variable : variables) tensors.push_back(variable.tensor);
  return tensors;
}

absl::StatusOr<std::vector<Operand>> TranslateQuantizeWrapper(LayerCall& call) {
  const KerasLayer& layer = *call.layer().children.at("layer");
  ASSIGN_OR_RETURN(const ActivationFunction activation, ParseActivation(call, layer.config));
  ASSIGN_OR_RETURN(QuantizeConfig config,
                   ParseQuantizeConfig(call.config().Object("quantize_config"), activation.name));
  config.quantizes_activation = config.quantizes_activation && !IsNoOperation(layer.config);
  ASSIGN_OR_RETURN(std::vector<NamedTensor> stored,
                   ReadVariables(call, WrapperNames(config, activation.name)));
  RangeVariables variables(std::move(stored));
  RETURN_IF_ERROR(variables.Take(call, "optimizer_step").status());
  WrappedLayer wrapped;
  wrapped.layer = &layer;
  wrapped.is_linear = config.quantizes_activation;
  RETURN_IF_ERROR(LoadWrapped(call, config, variables, wrapped));
  // What is left, but for the ranges, is the layer's.
  std::vector<NamedTensor> own;
  for (const NamedTensor& variable : variables.rest()) {
    const bool is_range = absl::StartsWith(variable.name, "pre_activation_") ||
                          absl::StartsWith(variable.name, "post_activation_") ||
                          absl::StartsWith(variable.name, "output_m");
    if (!is_range) own.push_back(variable);
  }
  for (ConstantTensor& tensor : Tensors(own)) wrapped.variables.push_back(std::move(tensor));
  ASSIGN_OR_RETURN(std::vector<Operand> outputs, CallWrapped(call, wrapped));
  if (!config.quantizes_activation && !config.quantizes_output) return outputs;
  if (outputs.size() != 1) return call.Unimplemented("several outputs cannot be quantized");
  ValueId& value = outputs[0].value;
  if (config.quantizes_activation) {
    ASSIGN_OR_RETURN(value,
                     QuantizedActivation(call, config.activations, activation, variables, value));
  }
  if (config.quantizes_output) {
    ASSIGN_OR_RETURN(value, FakeQuantize(call, config.activations, "output", variables, value));
  }
  return outputs;
}

// What was annotated, and never quantized.
absl::StatusOr<std::vector<Operand>> TranslateQuantizeAnnotate(LayerCall& call) {
  ASSIGN_OR_RETURN(const std::vector<NamedTensor> stored, ReadVariables(call, {}));
  WrappedLayer wrapped;
  wrapped.layer = call.layer().children.at("layer").get();
  wrapped.variables = Tensors(stored);
  return CallWrapped(call, wrapped);
}

}  // namespace

void AddFakeQuantizedLayers(LayerRegistry& registry) {
  registry.Add({"QuantizeAnnotate", TranslateQuantizeAnnotate, MaskRule::kTranslator});
  registry.Add({"QuantizeLayer", TranslateQuantizeLayer, MaskRule::kPass});
  registry.Add({"QuantizeWrapper", TranslateQuantizeWrapper, MaskRule::kTranslator});
  registry.Add({"QuantizeWrapperV2", TranslateQuantizeWrapper, MaskRule::kTranslator});
}

}  // namespace octet::keras
