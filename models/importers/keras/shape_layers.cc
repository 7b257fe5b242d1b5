// SPDX-License-Identifier: Apache-2.0
// Layers that move, repeat, cut or resize, and Masking.

#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/image_layout.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

absl::StatusOr<ValueId> OnlyInput(const LayerCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1));
  return call.inputs()[0].value;
}

absl::StatusOr<std::vector<Operand>> TranslateFlatten(LayerCall& call) {
  ASSIGN_OR_RETURN(ValueId value, OnlyInput(call));
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(const std::string format, call.config().String("data_format", "channels_last"));
  const std::int64_t rank = graph.Rank(value);
  if (format == "channels_first" && rank > 2) {
    std::vector<std::int64_t> permutation = {0};
    for (std::int64_t axis = 2; axis < rank; ++axis) permutation.push_back(axis);
    permutation.push_back(1);
    ASSIGN_OR_RETURN(value, graph.Transpose(call.Name("channels_last"), value, permutation));
  }
  if (rank == 1) {
    ASSIGN_OR_RETURN(value, graph.Reshape(call.Name(), value, {0, 1}));
  } else if (rank > 2) {
    ASSIGN_OR_RETURN(value, graph.Reshape(call.Name(), value, {0, -1}));
  }
  return Single(value);
}

absl::StatusOr<std::vector<Operand>> TranslateReshape(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OnlyInput(call));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> shape, call.config().Ints("target_shape"));
  for (const std::int64_t length : shape) {
    if (length < -1 || length == 0) return call.config().Error("target_shape", "lengths or -1");
  }
  shape.insert(shape.begin(), 0);
  ASSIGN_OR_RETURN(const ValueId output, call.graph().Reshape(call.Name(), input, shape));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslatePermute(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OnlyInput(call));
  ASSIGN_OR_RETURN(std::vector<std::int64_t> permutation, call.config().Ints("dims"));
  permutation.insert(permutation.begin(), 0);
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Transpose(call.Name(), input, std::move(permutation)));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateRepeatVector(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, OnlyInput(call));
  ASSIGN_OR_RETURN(const std::int64_t count, call.config().Int("n"));
  ASSIGN_OR_RETURN(const std::int64_t width, call.Length(input, -1));
  if (count < 1) return call.config().Error("n", "a number of at least 1");
  if (call.graph().Rank(input) != 2) return call.Invalid("wants an input of 2 dimensions");
  GraphBuilder& graph = call.graph();
  ASSIGN_OR_RETURN(const ValueId row, graph.Reshape(call.Name("row"), input, {0, 1, width}));
  ASSIGN_OR_RETURN(const ValueId output,
                   graph.Emit("Tile", call.Name(), {row},
                              {{"repeats", std::vector<std::int64_t>{1, count, 1}}}));
  return Single(output);
}

// What ZeroPadding and Cropping have in common: (before, after) of (depth,) height and width.
absl::StatusOr<std::vector<std::int64_t>> Margins(const LayerCall& call, const char* key,
                                                  std::size_t num_spatial) {
  const Json& json = call.config().Get(key);
  const auto error = [&] {
    return call.config().Error(key, "a number, or (before, after) for each side");
  };
  std::vector<std::int64_t> margins;
  if (json.is_number_integer()) {
    margins.assign(2 * num_spatial, json.get<std::int64_t>());
  } else if (json.is_array()) {
    // One number for both ends of a side, or a pair of them. For a sequence, the pair itself.
    for (const Json& side : json) {
      if (side.is_number_integer()) {
        margins.push_back(side.get<std::int64_t>());
        if (num_spatial > 1) margins.push_back(side.get<std::int64_t>());
      } else if (side.is_array() && side.size() == 2 && side[0].is_number_integer() &&
                 side[1].is_number_integer()) {
        margins.push_back(side[0].get<std::int64_t>());
        margins.push_back(side[1].get<std::int64_t>());
      } else {
        return error();
      }
    }
  }
  if (margins.size() != 2 * num_spatial) return error();
  for (const std::int64_t margin : margins) {
    constexpr std::int64_t kMaxMargin = 1 << 24;
    if (margin < 0 || margin > kMaxMargin) return error();
  }
  return margins;
}

absl::StatusOr<std::vector<Operand>> TranslateZeroPadding(LayerCall& call) {
  const std::size_t num_spatial = SpatialRank(call);
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, num_spatial));
  ASSIGN_OR_RETURN(const ValueId input, OnlyInput(call));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> margins, Margins(call, "padding", num_spatial));
  const std::size_t rank = num_spatial + 2;
  std::vector<std::int64_t> pads(2 * rank, 0);
  const std::size_t first = layout.channels_first() ? 2 : 1;
  for (std::size_t i = 0; i < num_spatial; ++i) {
    pads[first + i] = margins[2 * i];
    pads[rank + first + i] = margins[2 * i + 1];
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Pad", call.Name(), {input}, {{"pads", pads}}));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateCropping(LayerCall& call) {
  const std::size_t num_spatial = SpatialRank(call);
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, num_spatial));
  ASSIGN_OR_RETURN(const ValueId input, OnlyInput(call));
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> margins, Margins(call, "cropping", num_spatial));
  std::vector<std::int64_t> axes;
  std::vector<std::int64_t> starts;
  std::vector<std::int64_t> ends;
  for (std::size_t i = 0; i < num_spatial; ++i) {
    axes.push_back(static_cast<std::int64_t>(i) + (layout.channels_first() ? 2 : 1));
    starts.push_back(margins[2 * i]);
    const std::int64_t after = margins[2 * i + 1];
    ends.push_back(after == 0 ? std::int64_t{1} << 40 : -after);
  }
  ASSIGN_OR_RETURN(const ValueId output,
                   call.graph().Emit("Slice", call.Name(), {input},
                                     {{"axes", axes},
                                      {"starts", starts},
                                      {"ends", ends},
                                      {"steps", std::vector<std::int64_t>(axes.size(), 1)}}));
  return Single(output);
}

// Repeats each plane, row and column: as axes of their own, since a repeated axis has itself
// behind.
absl::StatusOr<ValueId> RepeatVolume(const LayerCall& call, ValueId volume,
                                     const std::vector<std::int64_t>& times) {
  GraphBuilder& graph = call.graph();
  std::vector<std::int64_t> apart = {0};
  std::vector<std::int64_t> repeats = {1};
  std::vector<std::int64_t> joined = {0};
  for (std::size_t axis = 0; axis < times.size(); ++axis) {
    ASSIGN_OR_RETURN(const std::int64_t size,
                     call.Length(volume, static_cast<std::int64_t>(axis) + 1));
    apart.insert(apart.end(), {size, 1});
    repeats.insert(repeats.end(), {1, times[axis]});
    constexpr std::int64_t kMostRepeats = std::int64_t{1} << 31;
    if (times[axis] >= kMostRepeats) return call.config().Error("size", "lengths below 2^31");
    joined.push_back(size * times[axis]);
  }
  ASSIGN_OR_RETURN(const std::int64_t channels, call.Length(volume, 4));
  apart.push_back(channels);
  repeats.push_back(1);
  joined.push_back(channels);
  ASSIGN_OR_RETURN(const ValueId spread, graph.Reshape(call.Name("apart"), volume, apart));
  ASSIGN_OR_RETURN(const ValueId repeated,
                   graph.Emit("Tile", call.Name("repeated"), {spread}, {{"repeats", repeats}}));
  return graph.Reshape(call.Name(), repeated, joined);
}

absl::StatusOr<std::vector<Operand>> TranslateUpSampling3D(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, 3));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> times, layout.Sizes("size", 2));
  ASSIGN_OR_RETURN(ValueId output, RepeatVolume(call, input, times));
  ASSIGN_OR_RETURN(output, layout.Output(output));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateUpSampling(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, SpatialRank(call)));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  ASSIGN_OR_RETURN(const std::vector<std::int64_t> scale, layout.Sizes("size", 2));
  ASSIGN_OR_RETURN(const std::string interpolation,
                   call.config().String("interpolation", "nearest"));
  if (interpolation != "nearest" && interpolation != "bilinear") {
    return call.config().Unimplemented("interpolation", "nearest and bilinear");
  }
  ASSIGN_OR_RETURN(ValueId output,
                   call.graph().Emit("Resize2d", call.Name(), {input},
                                     {{"scale", scale}, {"interpolation", interpolation}}));
  ASSIGN_OR_RETURN(output, layout.Output(output));
  return Single(output);
}

absl::StatusOr<std::vector<Operand>> TranslateResizing(LayerCall& call) {
  ASSIGN_OR_RETURN(const ImageLayout layout, ImageLayout::Make(call, 2));
  ASSIGN_OR_RETURN(const ValueId input, layout.Input());
  for (const char* const key : {"crop_to_aspect_ratio", "pad_to_aspect_ratio", "antialias"}) {
    ASSIGN_OR_RETURN(const bool value, call.config().Bool(key, false));
    if (value) return call.config().Unimplemented(key, "false");
  }
  ASSIGN_OR_RETURN(const std::int64_t height, call.config().Int("height"));
  ASSIGN_OR_RETURN(const std::int64_t width, call.config().Int("width"));
  ASSIGN_OR_RETURN(const std::string interpolation,
                   call.config().String("interpolation", "bilinear"));
  if (interpolation != "nearest" && interpolation != "bilinear") {
    return call.config().Unimplemented("interpolation", "nearest and bilinear");
  }
  ASSIGN_OR_RETURN(ValueId output,
                   call.graph().Emit("Resize2d", call.Name(), {input},
                                     {{"size", std::vector<std::int64_t>{height, width}},
                                      {"interpolation", interpolation}}));
  ASSIGN_OR_RETURN(output, layout.Output(output));
  return Single(output);
}

// A step is kept if any of its elements differs from the mask value; others become zeros.
absl::StatusOr<std::vector<Operand>> TranslateMasking(LayerCall& call) {
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  ASSIGN_OR_RETURN(const double mask_value, call.config().Float("mask_value", 0.0));
  GraphBuilder& graph = call.graph();
  const std::int64_t last = graph.Rank(input) - 1;
  if (last < 2) return call.Invalid("wants an input of at least 3 dimensions");
  const ValueId scalar = graph.AddScalar(static_cast<float>(mask_value));
  ASSIGN_OR_RETURN(const ValueId differs,
                   graph.Emit("NotEqual", call.Name("not_equal"), {input, scalar}));
  const std::vector<std::int64_t> axes = {last};
  ASSIGN_OR_RETURN(const ValueId kept,
                   graph.Emit("ReduceAny", call.Name("any"), {differs},
                              {{"axes", axes}, {"keep_dims", std::int64_t{1}}}));
  ASSIGN_OR_RETURN(const ValueId factor,
                   graph.Cast(call.Name("mask_float"), kept, DataType::kFloat32));
  Operand output;
  ASSIGN_OR_RETURN(output.value, graph.Emit("Multiply", call.Name(), {input, factor}));
  ASSIGN_OR_RETURN(output.mask,
                   graph.Reshape(call.Name("mask"), kept,
                                 std::vector<std::int64_t>(static_cast<std::size_t>(last), 0)));
  return std::vector<Operand>{output};
}

}  // namespace

void AddShapeLayers(LayerRegistry& registry) {
  registry.Add({"Cropping1D", TranslateCropping});
  registry.Add({"Cropping2D", TranslateCropping});
  registry.Add({"Cropping3D", TranslateCropping});
  registry.Add({"Flatten", TranslateFlatten});
  registry.Add({"Masking", TranslateMasking, MaskRule::kTranslator});
  registry.Add({"Permute", TranslatePermute});
  registry.Add({"RepeatVector", TranslateRepeatVector});
  registry.Add({"Reshape", TranslateReshape});
  registry.Add({"Resizing", TranslateResizing});
  registry.Add({"UpSampling1D", TranslateUpSampling});
  registry.Add({"UpSampling2D", TranslateUpSampling});
  registry.Add({"UpSampling3D", TranslateUpSampling3D});
  registry.Add({"ZeroPadding1D", TranslateZeroPadding});
  registry.Add({"ZeroPadding2D", TranslateZeroPadding});
  registry.Add({"ZeroPadding3D", TranslateZeroPadding});
}

}  // namespace octet::keras
