// SPDX-License-Identifier: Apache-2.0
// Dense and EinsumDense. With the embeddings, the layers that Keras quantizes.

#include <algorithm>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/einsum_dense.h"
#include "models/importers/keras/projection.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

ProjectionSource SourceOf(const LayerCall& call) {
  const KerasLayer& layer = call.layer();
  return {.sub = "",
          .path = layer.path,
          .layer_class = layer.class_name,
          .policy = layer.policy,
          .config = layer.config,
          .kernel_dims = {},
          .contracted_axes = {},
          .free_axes = {}};
}

absl::StatusOr<std::vector<Operand>> TranslateDense(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const std::int64_t units, call.config().Int("units"));
  ASSIGN_OR_RETURN(const std::int64_t width, call.Length(input, -1));
  ASSIGN_OR_RETURN(const ActivationFunction activation, ParseActivation(call, call.config()));
  ProjectionSource source = SourceOf(call);
  ASSIGN_OR_RETURN(source.use_bias, call.config().Bool("use_bias", true));
  source.kernel_dims = {width, units};
  source.contracted_axes = {0};
  source.free_axes = {1};
  ASSIGN_OR_RETURN(Projection projection, LoadProjection(call, source));
  std::vector<ValueId>& inputs = projection.inputs;
  inputs.insert(inputs.begin(), input);
  if (projection.bias.has_value()) {
    inputs.resize(std::max<std::size_t>(inputs.size(), 5), kNoValue);
    inputs[4] = call.graph().AddConstant(call.Name("bias"), *projection.bias);
  }
  if (!activation.is_separate()) FuseActivation(activation, projection.attributes);
  ASSIGN_OR_RETURN(ValueId output,
                   call.graph().Emit("FullyConnected", call.Name(), inputs, projection.attributes));
  if (activation.is_separate()) {
    ASSIGN_OR_RETURN(output, ApplyActivation(call, call.Name("activation"), output, activation));
  }
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateEinsumDense(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const std::string equation, call.config().String("equation"));
  ASSIGN_OR_RETURN(const std::string bias_axes, call.config().String("bias_axes", ""));
  ASSIGN_OR_RETURN(const ActivationFunction activation, ParseActivation(call, call.config()));
  EinsumDenseSpec spec{equation, bias_axes, {}, activation, SourceOf(call)};
  const Json& output_shape = call.config().Get("output_shape");
  if (output_shape.is_number_integer()) {
    spec.output_dims = {output_shape.get<std::int64_t>()};
  } else if (output_shape.is_array()) {
    for (const Json& length : output_shape) {
      spec.output_dims.push_back(length.is_number_integer() ? length.get<std::int64_t>() : -1);
    }
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   EmitEinsumDense(call, call.Name(), input, std::move(spec)));
  return Single(output);
}

}  // namespace

void AddDenseLayers(LayerRegistry& registry) {
  registry.Add({"Dense", TranslateDense, MaskRule::kPass});
  registry.Add({"EinsumDense", TranslateEinsumDense});
}

}  // namespace octet::keras
