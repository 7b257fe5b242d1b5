// SPDX-License-Identifier: Apache-2.0
// Activation, and the activations that are layers of their own.

#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

absl::StatusOr<std::vector<Operand>> Apply(LayerCall& call, const ActivationFunction& function) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const ValueId output, ApplyActivation(call, call.Name(), input, function));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateActivation(LayerCall& call) {
  ASSIGN_OR_RETURN(const ActivationFunction function, ParseActivation(call, call.config()));
  return Apply(call, function);
}

absl::StatusOr<std::vector<Operand>> TranslateRelu(LayerCall& call) {
  ActivationFunction function{"relu", {}};
  ASSIGN_OR_RETURN(const double slope, call.config().Float("negative_slope", 0.0));
  ASSIGN_OR_RETURN(const double threshold, call.config().Float("threshold", 0.0));
  if (slope != 0.0) function.parameters["activation_alpha"] = slope;
  if (threshold != 0.0) function.parameters["activation_threshold"] = threshold;
  if (call.config().Has("max_value")) {
    ASSIGN_OR_RETURN(const double max_value, call.config().Float("max_value", 0.0));
    function.parameters["activation_beta"] = max_value;
  }
  return Apply(call, function);
}

absl::StatusOr<std::vector<Operand>> TranslateLeakyRelu(LayerCall& call) {
  // "alpha" is the name in Keras 2.
  ASSIGN_OR_RETURN(const double old, call.config().Float("alpha", 0.3));
  ASSIGN_OR_RETURN(const double slope, call.config().Float("negative_slope", old));
  return Apply(call, {"leaky_relu", {{"activation_alpha", slope}}});
}

absl::StatusOr<std::vector<Operand>> TranslateElu(LayerCall& call) {
  ASSIGN_OR_RETURN(const double alpha, call.config().Float("alpha", 1.0));
  return Apply(call, {"elu", {{"activation_alpha", alpha}}});
}

absl::StatusOr<std::vector<Operand>> TranslatePRelu(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables({"alpha"}));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("PRelu", call.Name(), {input, variables.at("alpha")}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateSoftmax(LayerCall& call) {
  if (call.inputs().empty()) return call.Invalid("wants an input");
  ASSIGN_OR_RETURN(const ValueId input, call.ToFloat(call.inputs()[0].value));
  std::vector<std::int64_t> axes = {-1};
  if (call.config().Has("axis")) {
    ASSIGN_OR_RETURN(axes, call.config().Ints("axis"));
  }
  if (axes.size() != 1) return call.config().Unimplemented("axis", "one axis");
  // The mask of a softmax is an argument: true is kept. One that flows along is used, too.
  const Argument* const given = call.Find(1, "mask");
  ValueId mask = kNoValue;
  if (given != nullptr && given->tensor.has_value()) {
    mask = given->tensor->value;
  } else if (call.Mask() != kNoValue) {
    return call.Unimplemented("a softmax of a masked tensor cannot be imported");
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Softmax", call.Name(), {input, mask}, {{"axis", axes[0]}}));
  return Single(output);
}

}  // namespace

void AddActivationLayers(LayerRegistry& registry) {
  registry.Add({"Activation", TranslateActivation, MaskRule::kPass});
  registry.Add({"ELU", TranslateElu, MaskRule::kPass});
  registry.Add({"LeakyReLU", TranslateLeakyRelu, MaskRule::kPass});
  registry.Add({"PReLU", TranslatePRelu, MaskRule::kPass});
  registry.Add({"ReLU", TranslateRelu, MaskRule::kPass});
  registry.Add({"Softmax", TranslateSoftmax, MaskRule::kPass});
}

}  // namespace octet::keras
