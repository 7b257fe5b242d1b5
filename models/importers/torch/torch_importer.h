// SPDX-License-Identifier: Apache-2.0
// Weights of PyTorch, on the graph of an ONNX model.

#pragma once

#include <string>
#include <vector>

#include "models/importers/importer.h"

namespace octet::torch {

// `.safetensors` of a module's state dict (state_dict.h), with ImportOptions::graph an ONNX file of
// the same module in floats: each tensor takes the place of the initializer of its name. Quantized
// ones keep their integers through whatever moves elements, and products with them are computed as
// torchao does.
class TorchImporter final : public Importer {
 public:
  [[nodiscard]] absl::string_view name() const override { return "PyTorch"; }
  [[nodiscard]] std::vector<std::string> extensions() const override { return {".safetensors"}; }
  // Beside Importer::Import: INVALID_ARGUMENT without a graph, and naming the tensors that it has
  // no initializers for.
  [[nodiscard]] absl::StatusOr<Bundle> Import(const std::string& path,
                                              const ImportOptions& options) const override;
};

}  // namespace octet::torch
