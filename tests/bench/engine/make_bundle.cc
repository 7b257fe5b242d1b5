// SPDX-License-Identifier: Apache-2.0
// A network of the benchmark as a bundle.
//
//   make_bundle NETWORK_FOLDER CALIBRATION.npy BUNDLE PRECISION
//
// PRECISION is fp32, a mode of `octet quantize`, int4-group-dynamic: 4-bit weights in groups of 128
// with int8 activations, or as-is: the nodes are quantized already.

#include <string>
#include <utility>
#include <vector>

#include "client/cli/npy.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "models/quantization/quantize.h"
#include "tests/bench/engine/contender.h"
#include "tests/bench/engine/network_reader.h"

namespace octet::bench {
namespace {

// Gives nodes with 4-bit weights int8 activations.
void QuantizeActivations(Graph& graph) {
  for (Node& node : graph.nodes) {
    if (node.op == "FullyConnected") {
      node.attributes["activation_quantization"] = std::string("dynamic");
    }
  }
}

Bundle MakeBundle(Graph network, const Tensor& calibration, const std::string& precision) {
  Bundle bundle;
  bundle.graph = std::move(network);
  bundle.source = {"octet benchmark", "1", std::string(64, '0')};
  bundle.precision = precision == "as-is" ? "int8-static" : "fp32";
  if (precision == "fp32" || precision == "as-is") return bundle;
  const OperatorRegistry operators = BuiltInOperators();
  const bool is_group_dynamic = precision == "int4-group-dynamic";
  const auto mode = ParseQuantizationMode(is_group_dynamic ? "int4" : precision);
  Require(mode.status());
  absl::StatusOr<Bundle> quantized =
      Quantize(bundle, operators, {.mode = *mode, .calibration = std::span(&calibration, 1)});
  Require(quantized.status());
  if (is_group_dynamic) QuantizeActivations(quantized->graph);
  quantized->self_test.reset();  // run.py compares the answers
  return *std::move(quantized);
}

void Run(const std::vector<std::string>& arguments) {
  if (arguments.size() != 4) {
    Fail("usage: make_bundle NETWORK_FOLDER CALIBRATION.npy BUNDLE PRECISION");
  }
  const absl::StatusOr<Tensor> calibration = cli::ReadNpy(arguments[1]);
  Require(calibration.status());
  const Bundle bundle = MakeBundle(ReadNetwork(arguments[0]), *calibration, arguments[3]);
  Require(WriteBundle(bundle, arguments[2], {.if_exists = WriteOptions::IfExists::kReplace}));
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  octet::bench::Run(std::vector<std::string>(argv + 1, argv + argc));
}
