// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/activation.h"

#include <map>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"

namespace octet::keras {

absl::StatusOr<ActivationFunction> FindActivation(const std::string& name, const LayerCall& call) {
  // Keras's name, ours, and the parameters of Keras's function where they are not ours.
  const std::map<std::string, ActivationFunction> functions = {
      {"linear", {"linear", {}}},
      {"relu", {"relu", {}}},
      {"relu6", {"relu6", {}}},
      {"leaky_relu", {"leaky_relu", {{"activation_alpha", 0.2}}}},
      {"elu", {"elu", {{"activation_alpha", 1.0}}}},
      {"selu", {"selu", {}}},
      {"celu", {"celu", {{"activation_alpha", 1.0}}}},
      {"gelu", {"gelu", {}}},
      {"silu", {"silu", {}}},
      {"swish", {"silu", {}}},
      {"sigmoid", {"sigmoid", {}}},
      {"hard_sigmoid", {"hard_sigmoid", {}}},
      {"hard_silu", {"hard_silu", {}}},
      {"hard_swish", {"hard_silu", {}}},
      {"tanh", {"tanh", {}}},
      {"softplus", {"softplus", {}}},
      {"softsign", {"softsign", {}}},
      {"softmax", {"softmax", {}}},
      {"log_softmax", {"log_softmax", {}}},
      {"exponential", {"exponential", {}}},
      {"mish", {"mish", {}}},
      {"hard_tanh", {"hard_tanh", {}}},
      {"tanh_shrink", {"tanh_shrink", {}}},
      {"soft_shrink", {"soft_shrink", {{"activation_alpha", 0.5}}}},
      {"hard_shrink", {"hard_shrink", {{"activation_alpha", 0.5}}}},
      {"squareplus", {"squareplus", {{"activation_alpha", 4.0}}}},
      {"log_sigmoid", {"log_sigmoid", {}}},
      {"sparse_plus", {"sparse_plus", {}}},
  };
  if (name == "hard_sigmoid" && call.translation().is_keras_2) {
    return ActivationFunction{std::string(ActivationFunction::kHardSigmoidOfKeras2), {}};
  }
  const auto found = functions.find(name);
  if (found == functions.end()) {
    return call.Unimplemented(absl::StrCat("the activation \"", name, "\" cannot be imported"));
  }
  return found->second;
}

absl::StatusOr<ActivationFunction> ParseActivation(const LayerCall& call, const ConfigView& config,
                                                   absl::string_view key) {
  if (call.wrapped() != nullptr && call.wrapped()->is_linear) return ActivationFunction{};
  const Json& json = config.Get(key);
  if (json.is_null()) return ActivationFunction{};
  if (json.is_string()) return FindActivation(json.get<std::string>(), call);
  const ConfigView view = config.Object(key);
  ASSIGN_OR_RETURN(const std::string class_name, view.String("class_name"));
  // {"class_name": "function", "config": "relu"}, or a layer used as an activation.
  if (class_name == "function") {
    ASSIGN_OR_RETURN(const std::string name, view.String("config"));
    return FindActivation(name, call);
  }
  // Of TensorFlow Model Optimization, whose wrapper quantizes what is around the function.
  if (class_name == "NoOpActivation") return ActivationFunction{};
  if (class_name == "QuantizeAwareActivation") {
    return ParseActivation(call, view.Object("config"));
  }
  if (class_name == "LeakyReLU") {
    const ConfigView options = view.Object("config");
    ASSIGN_OR_RETURN(const double old, options.Float("alpha", 0.3));
    ASSIGN_OR_RETURN(const double slope, options.Float("negative_slope", old));
    return ActivationFunction{"leaky_relu", {{"activation_alpha", slope}}};
  }
  return view.Unimplemented("class_name", "Keras's own activation functions");
}

void FuseActivation(const ActivationFunction& function, Attributes& attributes) {
  if (function.is_linear()) return;
  attributes["activation"] = function.name;
  attributes.insert(function.parameters.begin(), function.parameters.end());
}

absl::StatusOr<ValueId> ApplyActivation(const LayerCall& call, const std::string& name,
                                        ValueId value, const ActivationFunction& function) {
  if (function.is_linear()) return value;
  if (function.name == ActivationFunction::kHardSigmoidOfKeras2) {
    GraphBuilder& graph = call.graph();
    ASSIGN_OR_RETURN(const ValueId scaled, graph.Emit("Multiply", absl::StrCat(name, "/scaled"),
                                                      {value, graph.AddScalar(0.2F)}));
    return graph.Emit("Add", name, {scaled, graph.AddScalar(0.5F)},
                      {{"activation", std::string("relu")}, {"activation_beta", 1.0}});
  }
  if (function.is_separate()) {
    const char* const op = function.name == "softmax" ? "Softmax" : "LogSoftmax";
    return call.graph().Emit(op, name, {value});
  }
  Attributes attributes;
  FuseActivation(function, attributes);
  return call.graph().Emit("Activation", name, {value}, std::move(attributes));
}

}  // namespace octet::keras
