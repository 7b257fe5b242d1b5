// SPDX-License-Identifier: Apache-2.0
#include "tests/bench/engine/network_reader.h"

#include <cstdint>
#include <fstream>
#include <map>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>
#include <vector>

#include "client/cli/npy.h"
#include "models/importers/graph_builder.h"
#include "models/operators/operators.h"
#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

using nlohmann::json;

Attribute ToAttribute(const json& value) {
  if (value.is_string()) return value.get<std::string>();
  if (value.is_number_integer()) return value.get<std::int64_t>();
  if (value.is_number_float()) return value.get<double>();
  return value.get<std::vector<std::int64_t>>();
}

TensorType ToType(const json& input) {
  const auto name = input.at("data_type").get<std::string>();
  const std::optional<DataType> data_type = ParseDataType(name);
  if (!data_type) Fail("there is no data type \"" + name + "\"");
  Shape shape;
  for (const auto size : input.at("shape").get<std::vector<std::int64_t>>()) {
    shape.push_back(size < 0 ? Dim(kRows) : Dim(size));
  }
  return {*data_type, std::move(shape), std::nullopt};
}

class Reader {
 public:
  Reader(std::string folder, const OperatorRegistry& operators)
      : folder_(std::move(folder)), builder_(operators) {}

  Graph Read() {
    std::ifstream file(folder_ + "/network.json");
    if (!file) Fail(folder_ + "/network.json cannot be read");
    const json network = json::parse(file);
    for (const json& input : network.at("inputs")) {
      const auto name = input.at("name").get<std::string>();
      values_.emplace(name, builder_.AddInput(name, ToType(input)));
    }
    for (const json& node : network.at("nodes")) Append(node);
    const auto output = network.at("output").get<std::string>();
    absl::StatusOr<Graph> graph = builder_.Finish({ValueOf(output)}, {output});
    Require(graph.status());
    return *std::move(graph);
  }

 private:
  void Append(const json& node) {
    std::vector<ValueId> inputs;
    for (const auto& name : node.at("inputs").get<std::vector<std::string>>()) {
      inputs.push_back(ValueOf(name));
    }
    Attributes attributes;
    for (const auto& [key, value] : node.at("attributes").items()) {
      attributes.emplace(key, ToAttribute(value));
    }
    const auto name = node.at("name").get<std::string>();
    const absl::StatusOr<ValueId> id = builder_.Emit(node.at("op").get<std::string>(), name,
                                                     std::move(inputs), std::move(attributes));
    Require(id.status());
    values_.emplace(name, *id);
  }

  // A name that no node or input has is a constant's.
  ValueId ValueOf(const std::string& name) {
    if (name.empty()) return kNoValue;
    const auto found = values_.find(name);
    if (found != values_.end()) return found->second;
    const absl::StatusOr<Tensor> tensor = cli::ReadNpy(folder_ + "/" + name + ".npy");
    Require(tensor.status());
    const ValueId id = builder_.AddConstant(
        name, ConstantTensor::Copy(tensor->data_type(), tensor->dims(), tensor->bytes()));
    values_.emplace(name, id);
    return id;
  }

  const std::string folder_;
  GraphBuilder builder_;
  std::map<std::string, ValueId> values_;
};

}  // namespace

Graph ReadNetwork(const std::string& folder) {
  const OperatorRegistry operators = BuiltInOperators();
  return Reader(folder, operators).Read();
}

}  // namespace octet::bench
