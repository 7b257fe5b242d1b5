// SPDX-License-Identifier: Apache-2.0
// One node of an ONNX graph while it is translated: its operands and attributes on one side, the
// graph that is built on the other.

#pragma once

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/importers/graph_builder.h"
#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/operand.h"

namespace octet::onnx {

// What all nodes of a model share while it is translated.
struct Translation {
  explicit Translation(const OperatorRegistry& operators) : graph(operators) {}

  GraphBuilder graph;
  // Axes that every value has in front of those of its ONNX tensor: 0 where the tensors' own first
  // axis is the batch, 1 where the model as a whole is run once a row.
  std::size_t lead = 0;
  // How many rows the file says there are, where it says so and the graph leaves it open; else -1.
  std::int64_t written_rows = -1;
  // Names of constants that were 4-bit integers in the file.
  std::set<std::string> has_half_bytes;
  // How many nodes, and outputs of the model, take each of ONNX's values; none that nobody takes.
  std::map<std::string, std::size_t> uses;
  // Names of the model's outputs.
  std::set<std::string> outputs;
  // The most bytes that the constants which are computed may have together.
  std::int64_t max_folded_bytes = 0;
  std::vector<Layer> layers;
  // Those of all that were computed so far, taken as 8 bytes an element.
  std::int64_t folded_bytes = 0;
  // What running nodes of constants took so far, in multiplications and elements.
  double constant_work = 0;

  // A dimension as a key.
  using DimKey = std::array<std::int64_t, 4>;
  static DimKey KeyOf(const Dim& dim) {
    return {dim.is_constant() ? -1 : dim.symbol().index, dim.scale(), dim.offset(), dim.divisor()};
  }
  // That tables are no longer than `longest` along `dim`: a request with more is to be refused.
  void NoteLongest(const Dim& dim, std::int64_t longest_size) {
    const auto [entry, is_new] = longest.emplace(KeyOf(dim), longest_size);
    if (!is_new) entry->second = std::min(entry->second, longest_size);
  }
  // 0: as long as it likes.
  [[nodiscard]] std::int64_t Longest(const Dim& dim) const {
    const auto found = longest.find(KeyOf(dim));
    return found == longest.end() ? 0 : found->second;
  }
  std::map<DimKey, std::int64_t> longest;
  // Whether `id` is computed of an input's elements, not only of how many there are: what is not
  // has the batch where ONNX's tensor has an axis of 1.
  [[nodiscard]] bool IsOfElements(ValueId id);
  // Of each value, as far as the first nodes_seen nodes make it.
  std::vector<bool> of_elements;
  std::size_t nodes_seen = 0;
  // The values that count along a dimension, by it and its limit.
  std::map<std::pair<DimKey, std::int64_t>, ValueId> counting;
};

class NodeCall {
 public:
  // All are borrowed; `inputs` has an entry for each of node.inputs.
  NodeCall(const NodeProto& node, std::int64_t opset, const std::vector<Operand>& inputs,
           Translation& translation, ExternalData& external);

  [[nodiscard]] const NodeProto& node() const { return node_; }
  [[nodiscard]] std::int64_t opset() const { return opset_; }
  // What the graph's nodes are called after: the node's name, or that of its first output.
  [[nodiscard]] const std::string& name() const { return name_; }
  [[nodiscard]] GraphBuilder& graph() const { return translation_.graph; }
  [[nodiscard]] Translation& translation() const { return translation_; }
  [[nodiscard]] std::size_t lead() const { return translation_.lead; }

  // INVALID_ARGUMENT and UNIMPLEMENTED with the node in front: `Conv "features/0": `.
  [[nodiscard]] absl::Status Invalid(absl::string_view message) const;
  [[nodiscard]] absl::Status Unimplemented(absl::string_view message) const;
  [[nodiscard]] absl::Status WithNode(const absl::Status& status) const;

  // --- Attributes. Those that nobody asked for are an error in the end: CheckAttributes.
  [[nodiscard]] absl::StatusOr<std::int64_t> Int(absl::string_view key, std::int64_t fallback);
  [[nodiscard]] absl::StatusOr<float> Float(absl::string_view key, float fallback);
  [[nodiscard]] absl::StatusOr<std::string> String(absl::string_view key,
                                                   absl::string_view fallback);
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Ints(
      absl::string_view key, std::vector<std::int64_t> fallback = {});
  [[nodiscard]] absl::StatusOr<std::vector<float>> Floats(absl::string_view key);
  [[nodiscard]] absl::StatusOr<std::vector<std::string>> Strings(absl::string_view key);
  [[nodiscard]] absl::StatusOr<ConstantTensor> Tensor(absl::string_view key);
  [[nodiscard]] bool HasAttribute(absl::string_view key) const;
  // Takes note of an attribute that changes nothing here.
  void Ignore(absl::string_view key) { asked_.insert(std::string(key)); }
  [[nodiscard]] absl::Status CheckAttributes() const;

  // --- Inputs.
  [[nodiscard]] std::size_t num_inputs() const { return inputs_.size(); }
  [[nodiscard]] std::size_t num_outputs() const { return node_.outputs.size(); }
  [[nodiscard]] bool Has(std::size_t index) const {
    return index < inputs_.size() && !inputs_[index].is_absent();
  }
  // Whether another node, or the model, takes output `index`.
  [[nodiscard]] bool Wants(std::size_t index) const {
    return index < node_.outputs.size() && translation_.uses.contains(node_.outputs[index]);
  }
  [[nodiscard]] const Operand& input(std::size_t index) const { return inputs_[index]; }
  [[nodiscard]] const std::vector<Operand>& inputs() const { return inputs_; }
  // Between `at_least` (all of them given) and `at_most` inputs.
  [[nodiscard]] absl::Status CheckInputs(std::size_t at_least, std::size_t at_most) const;
  // Input `index`, called `what` in messages, which must be a constant.
  [[nodiscard]] absl::StatusOr<ConstantTensor> Constant(std::size_t index,
                                                        absl::string_view what) const;
  // The same in float32.
  [[nodiscard]] absl::StatusOr<ConstantTensor> FloatConstant(std::size_t index,
                                                             absl::string_view what) const;
  // The numbers of a constant of whole numbers, and those of one that may depend on open shapes.
  [[nodiscard]] absl::StatusOr<std::vector<std::int64_t>> Numbers(std::size_t index,
                                                                  absl::string_view what) const;
  [[nodiscard]] absl::StatusOr<std::vector<Dim>> SizesOf(std::size_t index,
                                                         absl::string_view what) const;
  // The first of the sizes that a tensor of shape `from` is to have: the batch, where the file has
  // it as large as its inputs' was when it was written.
  [[nodiscard]] Dim FirstSize(const Shape& from, const Dim& wanted) const {
    const bool is_batch = lead() == 0 && translation_.written_rows > 0 && !from.empty() &&
                          from[0] == Dim(kRows) && wanted == Dim(translation_.written_rows);
    return is_batch ? from[0] : wanted;
  }
  // A list of axes or sizes, which is input `index` in newer opsets and attribute `key` in older
  // ones. Nothing where neither is there.
  [[nodiscard]] absl::StatusOr<std::optional<std::vector<std::int64_t>>> NumbersOrAttribute(
      std::size_t index, absl::string_view key);
  // An input that depends on the model's inputs. Constants become one where that is possible.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<Activation>> ActivationOf(std::size_t index) const;

  // `axis` of `rank` axes, counted from the end where it is negative.
  [[nodiscard]] absl::StatusOr<std::size_t> Axis(std::int64_t axis, std::size_t rank) const;
  [[nodiscard]] absl::StatusOr<std::vector<std::size_t>> Axes(const std::vector<std::int64_t>& axes,
                                                              std::size_t rank) const;

  // The outputs of another of ONNX's own operators, with this node's name and the attributes of it
  // that are called so, over `inputs`. For operators that are defined by others.
  [[nodiscard]] absl::StatusOr<std::vector<Operand>> As(
      absl::string_view op_type, const std::vector<Operand>& inputs,
      const std::vector<AttributeProto>& attributes, absl::string_view suffix) const;
  // The outputs of this node over other `inputs`, with `attributes` in place of its own, all of
  // which count as asked for.
  [[nodiscard]] absl::StatusOr<std::vector<Operand>> AsItself(
      const std::vector<Operand>& inputs, const std::vector<AttributeProto>& attributes);
  // This node's attributes of these names, which are asked for by that.
  [[nodiscard]] std::vector<AttributeProto> AttributesNamed(const std::vector<std::string>& names);

  // --- The graph.
  // The value of `activation` whose axes are in `order`.
  [[nodiscard]] absl::StatusOr<ValueId> InOrder(Activation& activation, const Order& order) const;
  // Any value of it, with its order.
  [[nodiscard]] static std::pair<Order, ValueId> AnyForm(const Activation& activation);
  // One whose last axis is ONNX's last.
  [[nodiscard]] absl::StatusOr<std::pair<Order, ValueId>> FormWithLastAxis(
      Activation& activation) const;
  // Where axis `axis` of the ONNX tensor is in a value of `order`.
  [[nodiscard]] std::int64_t AxisIn(const Order& order, std::size_t axis) const;

  // Appends a node called after this one.
  [[nodiscard]] absl::StatusOr<ValueId> Emit(const std::string& op, std::vector<ValueId> inputs,
                                             Attributes attributes = {},
                                             absl::string_view suffix = "") const;
  // A constant of the graph, called `name`; the same name means the same constant.
  [[nodiscard]] ValueId AddConstant(const std::string& name, ConstantTensor tensor) const;
  [[nodiscard]] ValueId AddFloats(absl::string_view suffix, Dims dims,
                                  const std::vector<float>& values) const;

  // The activation that `id`, whose axes are in `order`, is.
  [[nodiscard]] std::shared_ptr<Activation> FromValue(ValueId id, const Order& order) const;
  [[nodiscard]] Operand Result(ValueId id, const Order& order) const {
    return {"", FromValue(id, order)};
  }

  // Reshapes `id`, whose axes in front of the ONNX tensor's stay. 0 in `shape` copies the dimension
  // at its place.
  [[nodiscard]] absl::StatusOr<ValueId> Reshape(ValueId id, const std::vector<std::int64_t>& shape,
                                                absl::string_view suffix = "reshape") const;
  // `id` with axes of 1 put in and taken out: axis i of the result is axis axes[i] of `id`, in
  // rising order, or a new one for kNewAxis. All axes are those of the value, the leading one
  // included.
  static constexpr std::size_t kNewAxis = ~std::size_t{0};
  [[nodiscard]] absl::StatusOr<ValueId> Rearrange(ValueId id, const std::vector<std::size_t>& axes,
                                                  absl::string_view suffix) const;
  // `activation` with axes of 1 at `axes`, sorted, of the result.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<Activation>> Unsqueeze(
      Activation& activation, const std::vector<std::size_t>& axes) const;
  // Without the axes at `axes`, which are 1.
  [[nodiscard]] absl::StatusOr<std::shared_ptr<Activation>> Squeeze(
      Activation& activation, const std::vector<std::size_t>& axes) const;

  // `value`, which is an activation, as a tensor of `shape`, which it stretches to.
  [[nodiscard]] absl::StatusOr<Operand> AsStretched(Operand value, const Shape& shape) const;
  // The node `op` over operands that are stretched to one shape as NumPy does it. The result may be
  // one that is to be stretched further.
  [[nodiscard]] absl::StatusOr<Operand> Broadcast(const std::string& op,
                                                  std::vector<Operand> operands,
                                                  Attributes attributes = {},
                                                  absl::string_view suffix = "") const;
  // The node `op`, which computes each element for itself, in whatever order `activation` is.
  [[nodiscard]] absl::StatusOr<Operand> Elementwise(const std::string& op, const Operand& operand,
                                                    Attributes attributes = {},
                                                    absl::string_view suffix = "") const;
  // A constant of one float that broadcasts.
  [[nodiscard]] static Operand Scalar(float value);

  // Notes a layer with variables, called as the graph's node is that was appended last.
  void Record(absl::string_view layer_class, const std::string& source,
              std::vector<LayerVariable> variables, absl::string_view mode = "float") const;

 private:
  // The outputs of `node`, which the importer has made, over `inputs`.
  [[nodiscard]] absl::StatusOr<std::vector<Operand>> OutputsOf(
      const NodeProto& node, const std::vector<Operand>& inputs) const;
  [[nodiscard]] const AttributeProto* Find(absl::string_view key);
  [[nodiscard]] absl::StatusOr<ValueId> BroadcastInput(const Operand& operand, std::size_t rank,
                                                       const Order& order) const;

  const NodeProto& node_;
  const std::int64_t opset_;
  const std::vector<Operand>& inputs_;
  Translation& translation_;
  ExternalData& external_;
  std::string name_;
  std::set<std::string> asked_;
};

}  // namespace octet::onnx
