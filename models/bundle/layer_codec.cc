// SPDX-License-Identifier: Apache-2.0
#include <cstdint>
#include <optional>
#include <set>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/bundle/graph_codec.h"

namespace octet {

namespace {

absl::StatusOr<LayerVariable> DecodeVariable(const std::string& layer, int index,
                                             const bundle::v1::Variable& message,
                                             const TensorSource& source) {
  const auto error = [&](absl::string_view found, absl::string_view expected) {
    return absl::InvalidArgumentError(absl::StrCat("layer \"", layer, "\": variable ", index, " \"",
                                                   message.name(), "\": got ", found, ", wants ",
                                                   expected));
  };
  if (message.index() != index) {
    return error(absl::StrCat("index ", message.index()), absl::StrCat("index ", index));
  }
  if (message.name().empty()) return error("no name", "a name");
  const auto found = source.tensors.find(message.tensor());
  if (found == source.tensors.end()) {
    return error(absl::StrCat("tensor \"", message.tensor(), "\""),
                 "a tensor of weights.safetensors");
  }
  const SafetensorsEntry& entry = found->second;
  const Dims shape(message.shape().begin(), message.shape().end());
  if (DataTypeName(entry.data_type) != message.data_type() || entry.dims != shape) {
    return error(absl::StrCat(message.data_type(), " ", ToString(shape)),
                 absl::StrCat(DataTypeName(entry.data_type), " ", ToString(entry.dims),
                              " as tensor \"", message.tensor(), "\" is stored"));
  }
  const std::string& convention = message.scale_convention();
  if (!convention.empty() && convention != "reciprocal" && convention != "multiply") {
    return error(absl::StrCat("scale convention \"", convention, "\""),
                 "\"reciprocal\", \"multiply\" or none");
  }
  return LayerVariable{message.name(),
                       ConstantTensor(entry.data_type, entry.dims, entry.bytes, source.owner),
                       convention};
}

}  // namespace

bundle::v1::Layers EncodeLayers(const std::vector<Layer>& layers, TensorTable& tensors) {
  bundle::v1::Layers message;
  for (const Layer& layer : layers) {
    bundle::v1::Layer& to = *message.add_layers();
    to.set_path(layer.path);
    to.set_layer_class(layer.layer_class);
    to.set_registered_name(layer.registered_name);
    to.set_mode(layer.mode);
    to.set_dtype_policy(layer.dtype_policy);
    to.set_source_group(layer.source_group);
    for (const LayerVariable& variable : layer.variables) {
      const std::string name = absl::StrCat(layer.path, "/", variable.name);
      bundle::v1::Variable& out = *to.add_variables();
      out.set_index(to.variables_size() - 1);
      out.set_name(variable.name);
      out.set_tensor(tensors.AddVariable(name, variable.tensor));
      out.set_data_type(std::string(DataTypeName(variable.tensor.data_type())));
      for (const std::int64_t dim : variable.tensor.dims()) out.add_shape(dim);
      out.set_scale_convention(variable.scale_convention);
    }
    if (layer.packing.has_value()) {
      bundle::v1::Packing& packing = *to.mutable_packing();
      packing.set_bits(layer.packing->bits);
      packing.set_axis(layer.packing->axis);
      packing.set_original_length(layer.packing->original_length);
      packing.set_low_nibble_first(layer.packing->low_nibble_first);
      packing.set_is_signed(layer.packing->is_signed);
    }
    for (const auto& [key, value] : layer.config) {
      bundle::v1::ConfigEntry& entry = *to.add_config();
      entry.set_key(key);
      entry.set_value(value);
    }
  }
  return message;
}

absl::StatusOr<std::vector<Layer>> DecodeLayers(const bundle::v1::Layers& message,
                                                const TensorSource& source) {
  std::vector<Layer> layers;
  std::set<std::string> paths;
  for (const bundle::v1::Layer& from : message.layers()) {
    if (from.path().empty() || !paths.insert(from.path()).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("layer \"", from.path(), "\": paths must be unique and not empty"));
    }
    Layer layer;
    layer.path = from.path();
    layer.layer_class = from.layer_class();
    layer.registered_name = from.registered_name();
    layer.mode = from.mode();
    layer.dtype_policy = from.dtype_policy();
    layer.source_group = from.source_group();
    for (int i = 0; i < from.variables_size(); ++i) {
      ASSIGN_OR_RETURN(LayerVariable variable,
                       DecodeVariable(from.path(), i, from.variables(i), source));
      layer.variables.push_back(std::move(variable));
    }
    if (from.has_packing()) {
      layer.packing = Packing{.bits = from.packing().bits(),
                              .axis = from.packing().axis(),
                              .original_length = from.packing().original_length(),
                              .low_nibble_first = from.packing().low_nibble_first(),
                              .is_signed = from.packing().is_signed()};
    }
    for (const bundle::v1::ConfigEntry& entry : from.config()) {
      if (!layer.config.emplace(entry.key(), entry.value()).second) {
        return absl::InvalidArgumentError(absl::StrCat("layer \"", from.path(), "\": config key \"",
                                                       entry.key(), "\" is there twice"));
      }
    }
    layers.push_back(std::move(layer));
  }
  return layers;
}

}  // namespace octet
