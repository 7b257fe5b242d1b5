// SPDX-License-Identifier: Apache-2.0
// `octet import`: a model file of another framework to a bundle.

#include <cstdint>
#include <iostream>
#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/graph_report.h"
#include "client/cli/isolated_run.h"
#include "client/cli/local_model.h"
#include "client/cli/self_test_inputs.h"
#include "models/base/status_macros.h"
#include "models/bundle/writer.h"
#include "models/graph/verify.h"
#include "models/importers/importers.h"
#include "models/operators/operators.h"
#include "models/quantization/self_test_vectors.h"
#include "models/runtime/reference_run.h"

namespace octet::cli {
namespace {

// Stand for a dimension that only a request decides, such as a sequence's length: the first that is
// long enough for the model's windows.
constexpr std::int64_t kSmallestOpenDimension = 8;
constexpr std::int64_t kLargestOpenDimension = 1024;

struct ImportArguments {
  std::string model;
  std::string output;
  std::vector<std::string> inputs;
  std::string profile;
  std::string graph;
  bool replace = false;
};

// A self-test on random rows.
absl::StatusOr<SelfTest> RandomSelfTest(const Graph& graph, const OperatorRegistry& operators) {
  std::int64_t size = kSmallestOpenDimension;
  for (;;) {
    ASSIGN_OR_RETURN(std::vector<Tensor> inputs, RandomSelfTestInputs(graph, size));
    absl::StatusOr<SelfTest> test = MakeSelfTest(graph, operators, std::move(inputs));
    const bool may_be_too_short =
        absl::IsInvalidArgument(test.status()) && graph.symbol_names.size() > 1;
    if (!may_be_too_short || size >= kLargestOpenDimension) return test;
    size *= 2;
  }
}

absl::Status Print(const Bundle& bundle, const OperatorRegistry& operators,
                   const std::string& path) {
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
  ASSIGN_OR_RETURN(const GraphReport report, MakeGraphReport(bundle.graph, operators));
  if (const std::string share = ShareText(report); !share.empty()) std::cout << share << "\n";
  return absl::OkStatus();
}

absl::Status RunImport(const ImportArguments& arguments) {
  const OperatorRegistry operators = BuiltInOperators();
  ASSIGN_OR_RETURN(Bundle bundle,
                   ImportModel(arguments.model, ImportOptions{.operators = &operators,
                                                              .profile = arguments.profile,
                                                              .run_graph =
                                                                  [&operators](const Graph& graph) {
                                                                    return RunOnReference(
                                                                        graph, operators, {});
                                                                  },
                                                              .graph = arguments.graph}));
  RETURN_IF_ERROR(VerifyGraph(bundle.graph, operators));
  if (arguments.inputs.empty()) {
    ASSIGN_OR_RETURN(bundle.self_test, RandomSelfTest(bundle.graph, operators));
  } else {
    ASSIGN_OR_RETURN(auto rows,
                     ReadSelfTestInputs(arguments.inputs, InputSpecifications(bundle.graph)));
    ASSIGN_OR_RETURN(bundle.self_test, MakeSelfTest(bundle.graph, operators, std::move(rows)));
  }
  RETURN_IF_ERROR(WriteBundle(bundle, arguments.output,
                              {.if_exists = arguments.replace ? WriteOptions::IfExists::kReplace
                                                              : WriteOptions::IfExists::kRefuse}));
  return Print(bundle, operators, arguments.output);
}

}  // namespace

void AddImport(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "import",
      "Make a bundle from a model file.\n"
      "Example: octet import model.keras --output models/digits/1 --input x.npy");
  const auto arguments = std::make_shared<ImportArguments>();
  command
      ->add_option("model", arguments->model,
                   "A .keras, .h5, .hdf5, .onnx, .tflite or .safetensors file")
      ->required();
  command
      ->add_option("--output", arguments->output,
                   "The bundle: REPOSITORY/NAME/VERSION, or a name ending in .octet")
      ->required();
  command->add_option("--input", arguments->inputs,
                      "NAME=FILE.npy, or FILE.npy for a single input: rows like those it will "
                      "serve, 4 at least, for the self-test; default: random rows");
  command->add_option("--profile", arguments->profile,
                      "Whose rounding a .tflite file follows: tflite-reference (default), "
                      "tflite-single-rounding or xnnpack (docs/formats.md)");
  command->add_option("--graph", arguments->graph,
                      "The graph that the weights of a .safetensors file belong to: an .onnx file "
                      "of the same model in floats");
  command->add_flag("--replace", arguments->replace, "Replace a bundle that is there");
  command->callback([arguments, &result] {
    result = RunIsolated(arguments->model, [&arguments] { return RunImport(*arguments); });
  });
}

}  // namespace octet::cli
