// SPDX-License-Identifier: Apache-2.0
// A fixture for tests that import ONNX models which they write themselves.

#pragma once

#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

#include "absl/status/statusor.h"

#include "models/graph/verify.h"
#include "models/importers/onnx/onnx_importer.h"
#include "models/operators/operators.h"
#include "tests/support/onnx_writer.h"

namespace octet::testing {

class OnnxImportTest : public ::testing::Test {
 protected:
  // The bundle, whose graph must be a valid one.
  absl::StatusOr<Bundle> Import(const std::string& model) const {
    auto bundle =
        onnx::OnnxImporter::ImportBytes(std::as_bytes(std::span(model.data(), model.size())),
                                        {.operators = &operators_, .max_byte_size = 1 << 24});
    if (bundle.ok()) {
      EXPECT_TRUE(VerifyGraph(bundle->graph, operators_).ok());
    }
    return bundle;
  }
  absl::StatusOr<Bundle> Import(const OnnxGraph& graph) const { return Import(OnnxModel(graph)); }

  static std::vector<std::string> Ops(const Bundle& bundle) {
    std::vector<std::string> ops;
    for (const Node& node : bundle.graph.nodes) ops.push_back(node.op);
    return ops;
  }
  static std::string ShapeOf(const Bundle& bundle, ValueId id) {
    return ToString(bundle.graph.values[static_cast<std::size_t>(id)].type.shape,
                    bundle.graph.symbol_names);
  }

  const OperatorRegistry operators_ = BuiltInOperators();
};

}  // namespace octet::testing
