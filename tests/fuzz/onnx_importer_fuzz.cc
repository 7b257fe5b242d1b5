// SPDX-License-Identifier: Apache-2.0
// Feeds bytes to the ONNX importer, and what it accepts to the gate for graphs.

#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <iostream>
#include <span>

#include "models/graph/verify.h"
#include "models/importers/onnx/onnx_importer.h"
#include "models/operators/operators.h"
#include "models/runtime/reference_run.h"

namespace {

constexpr std::int64_t kLimit = 1 << 24;

struct Host {
  Host() : operators(octet::BuiltInOperators()) {}
  octet::OperatorRegistry operators;
  octet::onnx::OnnxImporter importer;
};

}  // namespace

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  static const Host host;
  const auto bundle = host.importer.ImportBytes(
      std::as_bytes(std::span(data, size)),
      {.operators = &host.operators, .max_byte_size = kLimit, .run_graph = [](const auto& graph) {
         return octet::RunOnReference(graph, host.operators, {});
       }});
  if (!bundle.ok()) return 0;
  const absl::Status verified = octet::VerifyGraph(bundle->graph, host.operators);
  if (!verified.ok()) {
    std::cerr << "imported and not verified: " << verified << "\n";
    std::abort();
  }
  return 0;
}
