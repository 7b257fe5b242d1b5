// SPDX-License-Identifier: Apache-2.0
// Pooling: windows, and whole sequences, images or volumes.

#include <numeric>
#include <utility>
#include <vector>

#include "absl/strings/match.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/image_layout.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

absl::StatusOr<std::vector<Operand>> TranslatePool(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  Attributes attributes;
  ASSIGN_OR_RETURN(const auto pool_size, layout.Sizes("pool_size", 2));
  attributes["pool_size"] = pool_size;
  attributes["strides"] = pool_size;
  if (call.config().Has("strides")) {
    ASSIGN_OR_RETURN(attributes["strides"], layout.Sizes("strides", 1));
  }
  ASSIGN_OR_RETURN(attributes["padding"], call.config().String("padding", "valid"));
  const bool max = absl::StartsWith(call.layer().class_name, "Max");
  ASSIGN_OR_RETURN(ValueId output,
                   call.graph().Emit(layout.Operator(max ? "MaxPool" : "AveragePool"), call.Name(),
                                     {input}, std::move(attributes)));
  ASSIGN_OR_RETURN(output, layout.Output(output));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateGlobalPool(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const bool keep_dims, call.config().Bool("keepdims", false));
  const std::int64_t first = layout.channels_first() ? 2 : 1;
  std::vector<std::int64_t> axes(layout.num_spatial());
  std::iota(axes.begin(), axes.end(), first);
  const bool max = absl::StrContains(call.layer().class_name, "Max");
  const std::int64_t keep = keep_dims ? 1 : 0;
  GraphBuilder& graph = call.graph();
  const ValueId mask = max || !layout.is_sequence() ? kNoValue : call.Mask();
  if (mask == kNoValue) {
    ASSIGN_OR_RETURN(const ValueId output, graph.Emit("Reduce", call.Name(), {input},
                                                      {{"kind", std::string(max ? "max" : "mean")},
                                                       {"axes", axes},
                                                       {"keep_dims", keep}}));
    return Single(output);
  }
  // The mean over the steps that are not masked.
  if (layout.channels_first()) return call.Unimplemented("a mask with channels_first");
  ASSIGN_OR_RETURN(const ValueId column, graph.Reshape(call.Name("mask"), mask, {0, 0, 1}));
  ASSIGN_OR_RETURN(const ValueId kept,
                   graph.Emit("Where", call.Name("kept"), {column, input, graph.AddScalar(0.0F)}));
  ASSIGN_OR_RETURN(const ValueId weights,
                   graph.Cast(call.Name("mask_float"), column, DataType::kFloat32));
  const Attributes sum = {{"kind", std::string("sum")}, {"axes", axes}, {"keep_dims", keep}};
  ASSIGN_OR_RETURN(const ValueId total, graph.Emit("Reduce", call.Name("sum"), {kept}, sum));
  ASSIGN_OR_RETURN(const ValueId count, graph.Emit("Reduce", call.Name("count"), {weights}, sum));
  ASSIGN_OR_RETURN(const ValueId output, graph.Emit("Divide", call.Name(), {total, count}));
  return Single(output);
}

}  // namespace

void AddPoolingLayers(LayerRegistry& registry) {
  registry.Add({"AveragePooling1D", TranslatePool});
  registry.Add({"AveragePooling2D", TranslatePool});
  registry.Add({"AveragePooling3D", TranslatePool});
  registry.Add({"GlobalAveragePooling1D", TranslateGlobalPool});
  registry.Add({"GlobalAveragePooling2D", TranslateGlobalPool});
  registry.Add({"GlobalAveragePooling3D", TranslateGlobalPool});
  registry.Add({"GlobalMaxPooling1D", TranslateGlobalPool});
  registry.Add({"GlobalMaxPooling2D", TranslateGlobalPool});
  registry.Add({"GlobalMaxPooling3D", TranslateGlobalPool});
  registry.Add({"MaxPooling1D", TranslatePool});
  registry.Add({"MaxPooling2D", TranslatePool});
  registry.Add({"MaxPooling3D", TranslatePool});
}

}  // namespace octet::keras
