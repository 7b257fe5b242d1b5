// SPDX-License-Identifier: Apache-2.0
// Appends nodes to a graph and gives their outputs types at once.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/graph/graph.h"
#include "models/graph/operator_registry.h"

namespace octet {

using Attributes = std::map<std::string, Attribute>;

// Names need not be unique: one that is taken gets a number.
class GraphBuilder {
 public:
  // `operators` is borrowed.
  explicit GraphBuilder(const OperatorRegistry& operators) : operators_(operators) {}

  [[nodiscard]] const Graph& graph() const { return graph_; }
  [[nodiscard]] const TensorType& TypeOf(ValueId id) const;
  [[nodiscard]] const Shape& ShapeOf(ValueId id) const { return TypeOf(id).shape; }
  [[nodiscard]] std::int64_t Rank(ValueId id) const;

  // The open dimension called `name`, added where there is none yet.
  Dim OpenDimension(const std::string& name);

  ValueId AddInput(const std::string& name, TensorType type);

  // The constant called `name`. A second call with the same name returns the first one's: a layer
  // that is used twice has its weights once.
  ValueId AddConstant(const std::string& name, ConstantTensor tensor);
  // A constant of one float, which broadcasts.
  ValueId AddScalar(float value);

  // Appends a node and returns its first output. Returns the operator's error for inputs or
  // attributes that do not fit it.
  absl::StatusOr<ValueId> Emit(const std::string& op, const std::string& name,
                               std::vector<ValueId> inputs, Attributes attributes = {});
  // The same for a node with `num_outputs` outputs.
  absl::StatusOr<std::vector<ValueId>> EmitMany(const std::string& op, const std::string& name,
                                                std::vector<ValueId> inputs, Attributes attributes,
                                                std::size_t num_outputs);

  // Reshape, but nothing where the shape is what it was.
  absl::StatusOr<ValueId> Reshape(const std::string& name, ValueId input,
                                  std::vector<std::int64_t> shape);
  // Transpose, but nothing for the identity.
  absl::StatusOr<ValueId> Transpose(const std::string& name, ValueId input,
                                    std::vector<std::int64_t> permutation);
  // A cast to `type`, where the value has another.
  absl::StatusOr<ValueId> Cast(const std::string& name, ValueId input, DataType type);

  // Makes `ids` the outputs, called `names`, and hands the graph over. Outputs that are inputs,
  // constants or outputs already get an Identity.
  absl::StatusOr<Graph> Finish(const std::vector<ValueId>& ids,
                               const std::vector<std::string>& names);

 private:
  std::string UniqueName(const std::string& name, std::set<std::string>& used);

  const OperatorRegistry& operators_;
  Graph graph_;
  std::map<std::string, ValueId> constants_;
  std::set<std::string> value_names_;
  std::set<std::string> node_names_;
  std::map<std::string, std::int64_t> name_counts_;  // the last number that a name got
};

}  // namespace octet
