// SPDX-License-Identifier: Apache-2.0
// `octet import`: a model file of another framework to a bundle.

#include <algorithm>
#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <random>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/local_model.h"
#include "models/base/status_macros.h"
#include "models/bundle/writer.h"
#include "models/graph/verify.h"
#include "models/importers/importers.h"
#include "models/operators/operators.h"
#include "models/quantization/self_test_vectors.h"

namespace octet::cli {
namespace {

constexpr std::int64_t kNumSelfTestRows = 4;
// Stand for a dimension that only a request decides, such as a sequence's length: the first that is
// long enough for the model's windows.
constexpr std::int64_t kSmallestOpenDimension = 8;
constexpr std::int64_t kLargestOpenDimension = 1024;

struct ImportArguments {
  std::string model;
  std::string output;
  bool replace = false;
};

// Random rows for the self-test: a real model's inputs are of the order of 1, an index is small.
std::vector<Tensor> SelfTestInputs(const Graph& graph, std::int64_t open_dimension) {
  std::mt19937 random(20250101);
  std::normal_distribution<float> normal;
  std::uniform_int_distribution<int> index(0, 9);
  std::vector<std::int64_t> symbols(graph.symbol_names.size(), open_dimension);
  symbols[static_cast<std::size_t>(kRows.index)] = kNumSelfTestRows;
  std::vector<Tensor> inputs;
  for (const ValueId id : graph.inputs) {
    const TensorType& type = graph.values[static_cast<std::size_t>(id)].type;
    Dims dims;
    for (const Dim& dim : type.shape) dims.push_back(dim.Evaluate(symbols));
    Tensor tensor(type.data_type, dims);
    switch (type.data_type) {
      case DataType::kFloat32:
        for (float& value : tensor.as<float>()) value = normal(random);
        break;
      case DataType::kInt32:
        for (auto& value : tensor.as<std::int32_t>()) value = index(random);
        break;
      case DataType::kInt64:
        for (auto& value : tensor.as<std::int64_t>()) value = index(random);
        break;
      default:
        for (std::byte& value : tensor.bytes()) value = static_cast<std::byte>(index(random) % 2);
    }
    inputs.push_back(std::move(tensor));
  }
  return inputs;
}

absl::StatusOr<SelfTest> SelfTestOf(const Graph& graph, const OperatorRegistry& operators) {
  std::int64_t size = kSmallestOpenDimension;
  for (;;) {
    absl::StatusOr<SelfTest> test = MakeSelfTest(graph, operators, SelfTestInputs(graph, size));
    const bool may_be_too_short =
        absl::IsInvalidArgument(test.status()) && graph.symbol_names.size() > 1;
    if (!may_be_too_short || size >= kLargestOpenDimension) return test;
    size *= 2;
  }
}

void Print(const Bundle& bundle, const std::string& path) {
  std::map<std::string, int> modes;
  std::size_t byte_size = 0;
  for (const Layer& layer : bundle.layers) {
    if (layer.variables.empty()) continue;
    ++modes[layer.mode];
    for (const LayerVariable& variable : layer.variables)
      byte_size += variable.tensor.bytes().size();
  }
  std::cout << path << "  " << bundle.precision << ", " << bundle.graph.nodes.size()
            << " operators, " << byte_size << " bytes of variables; layers with variables:";
  for (const auto& [mode, count] : modes) std::cout << " " << count << " " << mode;
  std::cout << "\n";
}

absl::Status RunImport(const ImportArguments& arguments) {
  const OperatorRegistry operators = BuiltInOperators();
  ASSIGN_OR_RETURN(Bundle bundle,
                   ImportModel(arguments.model, ImportOptions{.operators = &operators}));
  RETURN_IF_ERROR(VerifyGraph(bundle.graph, operators));
  ASSIGN_OR_RETURN(bundle.self_test, SelfTestOf(bundle.graph, operators));
  RETURN_IF_ERROR(WriteBundle(bundle, arguments.output,
                              {.if_exists = arguments.replace ? WriteOptions::IfExists::kReplace
                                                              : WriteOptions::IfExists::kRefuse}));
  Print(bundle, arguments.output);
  return absl::OkStatus();
}

}  // namespace

void AddImport(CLI::App& app, absl::Status& result) {
  auto* const command =
      app.add_subcommand("import",
                         "Make a bundle from a model file.\n"
                         "Example: octet import model.keras --output models/digits/1");
  const auto arguments = std::make_shared<ImportArguments>();
  command->add_option("model", arguments->model, "A .keras file")->required();
  command
      ->add_option("--output", arguments->output,
                   "The bundle: REPOSITORY/NAME/VERSION, or a name ending in .octet")
      ->required();
  command->add_flag("--replace", arguments->replace, "Replace a bundle that is there");
  command->callback([arguments, &result] { result = RunImport(*arguments); });
}

}  // namespace octet::cli
