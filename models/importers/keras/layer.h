// SPDX-License-Identifier: Apache-2.0
// One layer of a Keras model while it is translated, and one call of it.

#pragma once

#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/importers/config_view.h"
#include "models/importers/float_constant.h"
#include "models/importers/graph_builder.h"
#include "models/importers/keras/dtype_policy.h"
#include "models/importers/keras/h5_file.h"
#include "models/importers/keras/legacy_names.h"
#include "models/tensor/fake_quantization.h"

namespace octet::keras {

class LayerRegistry;

// A tensor that flows between layers, with Keras's mask ([rows, length] bool) where it has one.
struct Operand {
  ValueId value = kNoValue;
  ValueId mask = kNoValue;
};

// An argument of a layer's call: a tensor, a list, or a literal.
struct Argument {  // NOLINT(bugprone-exception-escape): nlohmann::json moves without a throw
  std::optional<Operand> tensor;
  std::optional<std::vector<Argument>> list;
  Json literal;  // null for the other two, and for Python's None

  [[nodiscard]] bool IsNone() const {
    return !tensor.has_value() && !list.has_value() && literal.is_null();
  }
};

// A layer, built from its entry in config.json. Layers that hold layers (models, wrappers) have
// them as children.
struct KerasLayer {
  KerasLayer(const Json& layer_entry, std::string layer_path)
      : entry(layer_entry, layer_path),
        config(entry.Object("config")),
        path(std::move(layer_path)) {}

  ConfigView entry;  // {"class_name": ..., "config": ..., "inbound_nodes": ...}
  ConfigView config;
  std::string path;  // "encoder/mha": the names of the models and layers around it, and its own
  std::string class_name;       // "Dense"
  std::string registered_name;  // "Custom>SimpleScale"; empty for Keras's own
  std::string key;              // in the registry
  std::string group;            // in the HDF5 file: "layers/dense"
  // What the names of its variables hold in the older HDF5 format, where the layer is inside of
  // others: a model's "dense", or "forward_" of a Bidirectional layer.
  std::vector<std::string> scopes;
  DtypePolicy policy;
  std::map<std::string, std::unique_ptr<KerasLayer>> children;  // by name
  std::vector<KerasLayer*> order;                               // the children as listed
  std::vector<std::unique_ptr<Json>> derived;  // entries of children that the file leaves out
};

// A layer inside of a wrapper of TensorFlow Model Optimization, while the wrapper translates it.
struct WrappedLayer {
  const KerasLayer* layer = nullptr;
  std::vector<ConstantTensor> variables;  // its own, in its order
  // How its kernels are quantized, by variable: one range, or one for each last index.
  std::map<std::string, std::vector<FakeQuantization>> kernels;
  bool is_linear = false;  // the wrapper applies its activation
};

// What is shared by all layers of a model while it is translated.
struct Translation {
  Translation(const OperatorRegistry& operators, const LayerRegistry& layer_registry,
              const H5File& h5_weights)
      : graph(operators), registry(layer_registry), weights(h5_weights) {}

  GraphBuilder graph;
  const LayerRegistry& registry;
  const H5File& weights;
  // The file is a whole model of the older HDF5 format, where a layer's group is called after the
  // layer and lists its variables in an attribute.
  bool legacy_weights = false;
  std::map<std::string, LegacyNames> legacy_names;  // by group, as far as they were needed
  bool is_keras_2 = false;                          // the file says so
  std::vector<octet::Layer> layers;  // with variables, in the order in which they were met
  std::set<std::string> recorded;    // paths of `layers`
  // Tensors whose mask a MultiHeadAttention took off. Whatever returns its input as it is (Dropout)
  // returns the same tensor in Keras, and the same value here.
  std::set<ValueId> unmasked;
  std::size_t num_constants = 0;  // that calls were given as arguments
  std::size_t num_calls = 0;      // of all layers; nested models may multiply them
  // The open dimensions of all inputs are the same symbols: one "length". Else those of each input
  // are its own, so that a request may bring a long and a short sequence.
  bool inputs_share_dimensions = false;
  const WrappedLayer* wrapped = nullptr;  // borrowed
};

struct NamedTensor {
  std::string name;
  ConstantTensor tensor;
};

// One call of a layer: what a translator turns into nodes.
class LayerCall {
 public:
  LayerCall(Translation& translation, const KerasLayer& layer, std::vector<Argument> arguments,
            std::map<std::string, Argument> keywords);

  [[nodiscard]] Translation& translation() const { return translation_; }
  [[nodiscard]] GraphBuilder& graph() const { return translation_.graph; }
  [[nodiscard]] const KerasLayer& layer() const { return layer_; }
  [[nodiscard]] const ConfigView& config() const { return layer_.config; }
  [[nodiscard]] const std::vector<Argument>& arguments() const { return arguments_; }
  [[nodiscard]] const std::map<std::string, Argument>& keywords() const { return keywords_; }
  // What a wrapper says of this layer; nullptr where it is in none.
  [[nodiscard]] const WrappedLayer* wrapped() const;
  // How the wrapper quantizes the variable `name`; nullptr where it does not.
  [[nodiscard]] const std::vector<FakeQuantization>* KernelQuantization(
      const std::string& name) const;

  // The name for a node: the layer's path, or a name below it.
  [[nodiscard]] std::string Name(absl::string_view part = "") const;

  // The tensors of the positional arguments, lists flattened.
  [[nodiscard]] const std::vector<Operand>& inputs() const { return inputs_; }
  // INVALID_ARGUMENT unless there are `count` of them.
  [[nodiscard]] absl::Status CheckInputs(std::size_t count) const;
  // The only input, as float32.
  [[nodiscard]] absl::StatusOr<ValueId> FloatInput() const;
  [[nodiscard]] absl::StatusOr<ValueId> ToFloat(ValueId value) const;
  // All inputs: as they are if their types are the same, else as float32.
  [[nodiscard]] absl::StatusOr<std::vector<ValueId>> InputsOfOneType() const;
  // The argument at `position` or with that keyword; nullptr where it is None or absent.
  [[nodiscard]] const Argument* Find(std::size_t position, absl::string_view keyword) const;
  [[nodiscard]] const Argument* Keyword(absl::string_view keyword) const;
  // The mask that the layer gets: the keyword `mask`, else what came with the first input.
  [[nodiscard]] ValueId Mask() const;
  // The constant length of `axis` of `value`.
  [[nodiscard]] absl::StatusOr<std::int64_t> Length(ValueId value, std::int64_t axis) const;

  // Reads the variables of the layer, or of its part `sub` ("cell"), as they are stored.
  [[nodiscard]] absl::StatusOr<std::vector<ConstantTensor>> StoredVariables(
      absl::string_view sub = "") const;
  // The same with the last part of each one's name: "kernel" of "dense/kernel:0". UNIMPLEMENTED for
  // an archive: only the older HDF5 format names them.
  [[nodiscard]] absl::StatusOr<std::vector<NamedTensor>> NamedVariables(
      absl::string_view sub = "") const;
  // The same for a layer in mode "float" that stores just `names`: lists the layer in the bundle
  // and returns its variables as float32 constants of the graph, by name. `layer_class` is the
  // class in the bundle where it is not the layer's own.
  [[nodiscard]] absl::StatusOr<std::map<std::string, ValueId>> FloatVariables(
      const std::vector<std::string>& names, absl::string_view sub = "",
      absl::string_view layer_class = "") const;
  // Lists a layer in the bundle, once. Fills in what `layer` says itself where it is empty.
  void Record(octet::Layer record, absl::string_view sub = "") const;
  // A float32 constant of the graph with the values of `tensor`, called `name` below the layer,
  // in the shape `dims` (as stored where it is empty).
  [[nodiscard]] absl::StatusOr<ValueId> FloatConstant(const std::string& name,
                                                      const ConstantTensor& tensor,
                                                      Dims dims = {}) const;

  // "layer "path" (Class): message"
  [[nodiscard]] absl::Status Invalid(absl::string_view message) const;
  [[nodiscard]] absl::Status Unimplemented(absl::string_view message) const;

 private:
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> VariableNames(const std::string& group,
                                                                       absl::string_view sub) const;

  Translation& translation_;
  const KerasLayer& layer_;
  std::vector<Argument> arguments_;
  std::map<std::string, Argument> keywords_;
  std::vector<Operand> inputs_;
};

// All tensors in `argument`, in order.
void AppendTensors(const Argument& argument, std::vector<Operand>& tensors);

// The same elements in another shape. Precondition: as many elements, not packed.
ConstantTensor WithDims(const ConstantTensor& tensor, Dims dims);

}  // namespace octet::keras
