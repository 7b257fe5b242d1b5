// SPDX-License-Identifier: Apache-2.0
// Custom layers, by the name under which they were registered in Python. To add one: write a
// translator like the one below, add a line to AddCustomLayers, and its variable order to
// models/bundle/layer_orders.cc.

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

// y = x * kernel, the example of "Writing quantization-compatible layers" in Keras's guides:
//
//   @keras.saving.register_keras_serializable()
//   class SimpleScale(keras.layers.Layer): ...
//
// It stores [kernel], and [kernel, scale] in mode int8 with one scale for all elements.
absl::StatusOr<std::vector<Operand>> TranslateSimpleScale(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  const std::string& mode = call.layer().policy.mode;
  if (mode == "float") {
    ASSIGN_OR_RETURN(const auto variables, call.FloatVariables({"kernel"}));
    ASSIGN_OR_RETURN(const ValueId output,
                     call.graph().Emit("Multiply", call.Name(), {input, variables.at("kernel")}));
    return Single(output);
  }
  if (mode != "int8") {
    return call.Unimplemented(absl::StrCat("the mode \"", mode, "\" cannot be imported"));
  }
  ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, call.StoredVariables());
  if (stored.size() != 2 || stored[0].data_type() != DataType::kInt8 ||
      NumElements(stored[1].dims()) != 1) {
    return call.Invalid("mode int8: wants the variables [kernel (int8), scale (one float)]");
  }
  octet::Layer record;
  record.mode = mode;
  record.variables = {{"kernel", stored[0], ""}, {"scale", stored[1], "reciprocal"}};
  call.Record(std::move(record));
  ASSIGN_OR_RETURN(const ValueId kernel, call.FloatConstant("kernel", stored[0]));
  ASSIGN_OR_RETURN(const ValueId scale, call.FloatConstant("scale", stored[1], {1}));
  ASSIGN_OR_RETURN(const ValueId product,
                   call.graph().Emit("Multiply", call.Name("multiply"), {input, kernel}));
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Divide", call.Name(), {product, scale}));
  return Single(output);
}

}  // namespace

void AddCustomLayers(LayerRegistry& registry) {
  registry.Add({"Custom>SimpleScale", TranslateSimpleScale});
}

}  // namespace octet::keras
