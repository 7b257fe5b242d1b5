// SPDX-License-Identifier: Apache-2.0
#include "client/cli/self_test_inputs.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <map>
#include <optional>
#include <random>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/tensor/shape.h"

namespace octet::cli {
namespace {

constexpr std::int64_t kMinRows = 4;
constexpr std::int64_t kMaxRows = 8;
constexpr std::int64_t kMaxIndex = 9;
constexpr std::size_t kMostBytes = std::size_t{256} << 20;

// The result holds elements of the first input and no others, perhaps as another type.
bool KeepsElements(const Node& node) {
  constexpr std::array<absl::string_view, 7> kOperators = {"Cast",  "Expand", "Identity", "Reshape",
                                                           "Slice", "Tile",   "Transpose"};
  return std::find(kOperators.begin(), kOperators.end(), node.op) != kOperators.end();
}

// How many rows the smallest table has that elements of an input are looked up in, by input.
std::map<ValueId, std::int64_t> TableRows(const Graph& graph) {
  std::map<ValueId, ValueId> origin;
  for (const ValueId input : graph.inputs) origin[input] = input;
  std::map<ValueId, std::int64_t> rows;
  for (const Node& node : graph.nodes) {
    const auto known = node.HasInput(0) ? origin.find(node.inputs[0]) : origin.end();
    if (known == origin.end()) continue;
    const ValueId input = known->second;
    if (KeepsElements(node)) origin[node.outputs[0]] = input;
    if (node.op != "Gather" || !node.HasInput(1)) continue;
    const Shape& table = graph.values[static_cast<std::size_t>(node.inputs[1])].type.shape;
    if (table.empty() || !table[0].is_constant()) continue;
    const auto added = rows.emplace(input, table[0].value());
    added.first->second = std::min(added.first->second, table[0].value());
  }
  return rows;
}

class RandomElements {
 public:
  // Indices into a table of `table_rows` where it is one.
  void Fill(Tensor& tensor, std::optional<std::int64_t> table_rows) {
    const std::int64_t last =
        std::min(std::max(table_rows.value_or(kMaxIndex + 1) - 1, std::int64_t{0}), kMaxIndex);
    std::uniform_int_distribution<int> index(0, static_cast<int>(last));
    std::uniform_int_distribution<int> byte(0, table_rows.has_value() ? index.max() : 255);
    switch (tensor.data_type()) {
      case DataType::kFloat32:
        for (float& value : tensor.as<float>()) {
          value = table_rows.has_value() ? static_cast<float>(index(random_)) : normal_(random_);
        }
        break;
      case DataType::kInt32:
        for (auto& value : tensor.as<std::int32_t>()) value = index(random_);
        break;
      case DataType::kInt64:
        for (auto& value : tensor.as<std::int64_t>()) value = index(random_);
        break;
      case DataType::kInt8:
      case DataType::kUint8:
        for (std::byte& value : tensor.bytes()) value = static_cast<std::byte>(byte(random_));
        break;
      default:
        for (std::byte& value : tensor.bytes()) value = static_cast<std::byte>(index(random_) % 2);
    }
  }

 private:
  std::mt19937 random_{20250101};
  std::normal_distribution<float> normal_;
};

}  // namespace

absl::StatusOr<std::vector<Tensor>> RandomSelfTestInputs(const Graph& graph,
                                                         std::int64_t open_dimension) {
  RandomElements random;
  const std::map<ValueId, std::int64_t> table_rows = TableRows(graph);
  std::vector<std::int64_t> symbols(graph.symbol_names.size(), open_dimension);
  symbols[static_cast<std::size_t>(kRows.index)] = kMinRows;
  std::vector<Tensor> inputs;
  std::size_t byte_size = 0;
  for (const ValueId id : graph.inputs) {
    const Value& input = graph.values[static_cast<std::size_t>(id)];
    const TensorType& type = input.type;
    Dims dims;
    for (const Dim& dim : type.shape) dims.push_back(dim.Evaluate(symbols));
    const bool is_countable = CheckedNumElements(dims).ok();
    if (is_countable) byte_size += std::min(ByteSize(type.data_type, dims), kMostBytes + 1);
    if (!is_countable || byte_size > kMostBytes) {
      return absl::ResourceExhaustedError(
          absl::StrCat("input ", Quoted(input.name), " ", ToString(dims),
                       ": rows for a self-test take more than ", kMostBytes, " bytes"));
    }
    const auto rows = table_rows.find(id);
    inputs.emplace_back(type.data_type, dims);
    random.Fill(inputs.back(),
                rows == table_rows.end() ? std::nullopt : std::optional(rows->second));
  }
  return inputs;
}

absl::StatusOr<std::vector<Tensor>> ReadSelfTestInputs(
    const std::vector<std::string>& arguments, const std::vector<InputSpecification>& inputs) {
  ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, ReadInputFiles(arguments, inputs));
  const std::int64_t num_rows = NumRows(tensors);
  if (num_rows < kMinRows) {
    return absl::InvalidArgumentError(absl::StrCat("--input ", arguments.front(), ": got ",
                                                   num_rows, " rows, wants at least ", kMinRows,
                                                   " for the self-test"));
  }
  return TakeRows(tensors, std::min(num_rows, kMaxRows));
}

}  // namespace octet::cli
