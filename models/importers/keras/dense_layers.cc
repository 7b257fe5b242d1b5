// SPDX-License-Identifier: Apache-2.0
// Dense, EinsumDense, Embedding and ReversibleEmbedding: the layers that Keras quantizes.

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/activation.h"
#include "models/importers/keras/einsum_dense.h"
#include "models/importers/keras/packed_integers.h"
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
  if (!activation.is_softmax()) FuseActivation(activation, projection.attributes);
  ASSIGN_OR_RETURN(ValueId output,
                   call.graph().Emit("FullyConnected", call.Name(), inputs, projection.attributes));
  if (activation.is_softmax()) {
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

// A table of rows, as Gather takes it.
struct Table {
  std::vector<ValueId> inputs;  // table, scale?, zero point?, group index?
  Attributes attributes;
};

absl::StatusOr<ConstantTensor> FloatRows(const LayerCall& call, const ConstantTensor& tensor,
                                         const Dims& wanted, absl::string_view name) {
  absl::StatusOr<ConstantTensor> wide = WidenToFloat(tensor);
  if (!wide.ok()) return call.Invalid(absl::StrCat(name, ": ", wide.status().message()));
  if (wide->dims() != wanted) {
    return call.Invalid(
        absl::StrCat(name, ": got shape ", ToString(wide->dims()), ", wants ", ToString(wanted)));
  }
  return wide;
}

absl::StatusOr<Table> LoadGroupedTable(const LayerCall& call,
                                       const std::vector<ConstantTensor>& stored, Table table,
                                       std::int64_t rows, std::int64_t width) {
  const Dims& scale_dims = stored[1].dims();
  if (scale_dims.size() != 2 || scale_dims[1] < 1 || stored[2].dims() != scale_dims ||
      BitWidth(stored[2].data_type()) != 8) {
    return call.Invalid("embeddings_scale and embeddings_zero: want one row for each of the table");
  }
  const std::int64_t groups = scale_dims[1];
  ASSIGN_OR_RETURN(const ConstantTensor scale,
                   FloatRows(call, stored[1], {rows, groups}, "embeddings_scale"));
  ASSIGN_OR_RETURN(const ConstantTensor index, FloatRows(call, stored[3], {width}, "g_idx"));
  const std::int64_t group_size =
      groups == 1 ? width : std::count(index.as<float>().begin(), index.as<float>().end(), 0.0F);
  if (group_size == 0 || (width + group_size - 1) / group_size != groups) {
    return call.Invalid(absl::StrCat("g_idx: got ", group_size, " elements in the first of ",
                                     groups, " groups of ", width));
  }
  table.inputs.push_back(call.graph().AddConstant(call.Name("embeddings_scale"), scale));
  table.inputs.push_back(call.graph().AddConstant(call.Name("embeddings_zero"), stored[2]));
  table.inputs.push_back(call.graph().AddConstant(call.Name("g_idx"), index));
  table.attributes = {{"scale_convention", std::string("multiply")}, {"group_size", group_size}};
  return table;
}

// The stored names of an embedding, without those of a second table.
std::vector<std::string> EmbeddingNames(const std::string& mode, std::size_t num_variables) {
  if (mode == "int8" || (mode == "int4" && num_variables < 4)) {
    return {"embeddings", "embeddings_scale"};
  }
  if (mode == "int4") return {"embeddings", "embeddings_scale", "embeddings_zero", "g_idx"};
  return {"embeddings"};
}

absl::StatusOr<Table> LoadTable(const LayerCall& call, std::int64_t rows, std::int64_t width) {
  const std::string& mode = call.layer().policy.mode;
  ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, call.StoredVariables());
  const std::vector<std::string> names = EmbeddingNames(mode, stored.size());
  if (stored.size() != names.size()) {
    return call.Invalid(absl::StrCat("mode ", mode, ": got ", stored.size(),
                                     " stored variables, wants ", names.size()));
  }
  if (mode != "float" && mode != "int8" && mode != "int4" && mode != "float8") {
    return call.Unimplemented(absl::StrCat("the mode \"", mode, "\" cannot be imported"));
  }
  Table table;
  octet::Layer record;
  const bool packed = mode == "int4";
  const Dims wanted = {rows, packed ? (width + 1) / 2 : width};
  const bool integer = mode == "int8" || packed;
  if (stored[0].dims() != wanted || integer != (stored[0].data_type() == DataType::kInt8)) {
    return call.Invalid(absl::StrCat("embeddings: got ", DataTypeName(stored[0].data_type()), " ",
                                     ToString(stored[0].dims()), ", wants ",
                                     integer ? "INT8 " : "floats ", ToString(wanted)));
  }
  if (!integer) {
    ASSIGN_OR_RETURN(const ValueId id, call.FloatConstant("embeddings", stored[0]));
    table.inputs = {id};
  } else if (packed) {
    record.packing = {4, 1, width, true, true};
    table.inputs = {call.graph().AddConstant(
        call.Name("embeddings"),
        PackMatrix(DataType::kInt4, rows, width, Unpack(stored[0], 4, 1, width, true)))};
  } else {
    table.inputs = {call.graph().AddConstant(call.Name("embeddings"), stored[0])};
  }
  for (std::size_t i = 0; i < names.size(); ++i) {
    const bool scale = names[i] == "embeddings_scale";
    record.variables.push_back({names[i], stored[i],
                                !scale              ? ""
                                : names.size() == 4 ? "multiply"
                                                    : "reciprocal"});
  }
  record.mode = mode == "float8" ? "float" : mode;
  call.Record(std::move(record));
  if (names.size() == 4) return LoadGroupedTable(call, stored, std::move(table), rows, width);
  if (names.size() == 2) {
    ASSIGN_OR_RETURN(const ConstantTensor scale,
                     FloatRows(call, stored[1], {rows}, "embeddings_scale"));
    table.inputs.push_back(call.graph().AddConstant(call.Name("embeddings_scale"), scale));
    table.attributes["scale_convention"] = std::string("reciprocal");
  }
  return table;
}

absl::StatusOr<std::vector<Operand>> TranslateEmbedding(LayerCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1));
  const ValueId indices = call.inputs()[0].value;
  ASSIGN_OR_RETURN(const std::int64_t rows, call.config().Int("input_dim"));
  ASSIGN_OR_RETURN(const std::int64_t width, call.config().Int("output_dim"));
  ASSIGN_OR_RETURN(const bool mask_zero, call.config().Bool("mask_zero", false));
  ASSIGN_OR_RETURN(Table table, LoadTable(call, rows, width));
  GraphBuilder& graph = call.graph();
  table.inputs.insert(table.inputs.begin(), indices);
  Operand output;
  ASSIGN_OR_RETURN(output.value, graph.Emit("Gather", call.Name(), table.inputs, table.attributes));
  if (mask_zero) {
    ASSIGN_OR_RETURN(const ValueId numbers, call.ToFloat(indices));
    ASSIGN_OR_RETURN(output.mask,
                     graph.Emit("NotEqual", call.Name("mask"), {numbers, graph.AddScalar(0.0F)}));
  }
  return std::vector<Operand>{output};
}

absl::StatusOr<std::vector<Operand>> TranslateReversibleEmbedding(LayerCall& call) {
  const Argument* const reverse = call.Find(1, "reverse");
  if (reverse == nullptr || reverse->literal == false) return TranslateEmbedding(call);
  if (call.layer().policy.mode != "float") {
    return call.Unimplemented("a reversed embedding in a quantized mode cannot be imported");
  }
  ASSIGN_OR_RETURN(const bool tied, call.config().Bool("tie_weights", true));
  ASSIGN_OR_RETURN(const ValueId input,
                   call.ToFloat(call.inputs().empty() ? kNoValue : call.inputs()[0].value));
  std::vector<std::string> names = {"embeddings"};
  if (!tied) names.emplace_back("reverse_embeddings");
  ASSIGN_OR_RETURN(const auto variables, call.FloatVariables(names));
  // The tied table is [vocabulary, dim]: a weight stored by outputs.
  const ValueId weight = variables.at(tied ? "embeddings" : "reverse_embeddings");
  ASSIGN_OR_RETURN(ValueId logits,
                   call.graph().Emit("FullyConnected", call.Name("reverse"), {input, weight},
                                     {{"transpose_weight", std::int64_t{tied ? 1 : 0}}}));
  if (call.config().Has("logit_soft_cap")) {
    ASSIGN_OR_RETURN(const double cap, call.config().Float("logit_soft_cap", 1.0));
    const ValueId scalar = call.graph().AddScalar(static_cast<float>(cap));
    ASSIGN_OR_RETURN(logits, call.graph().Emit("Divide", call.Name("cap_divide"), {logits, scalar},
                                               {{"activation", std::string("tanh")}}));
    ASSIGN_OR_RETURN(logits,
                     call.graph().Emit("Multiply", call.Name("cap_multiply"), {logits, scalar}));
  }
  return Single(logits);
}

}  // namespace

void AddDenseLayers(LayerRegistry& registry) {
  registry.Add({"Dense", TranslateDense, MaskRule::kPass});
  registry.Add({"EinsumDense", TranslateEinsumDense});
  registry.Add({"Embedding", TranslateEmbedding, MaskRule::kTranslator});
  registry.Add({"ReversibleEmbedding", TranslateReversibleEmbedding, MaskRule::kTranslator});
}

}  // namespace octet::keras
