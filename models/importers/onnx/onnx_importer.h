// SPDX-License-Identifier: Apache-2.0
// Imports ONNX models.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "models/importers/importer.h"

namespace octet::onnx {

// Reads `.onnx` files of opset 7 and newer, with or without tensors in files beside them.
// Everything real is computed in float32, whatever the file's float type.
class OnnxImporter final : public Importer {
 public:
  [[nodiscard]] absl::string_view name() const override { return "ONNX"; }
  [[nodiscard]] std::vector<std::string> extensions() const override { return {".onnx"}; }
  [[nodiscard]] absl::StatusOr<Bundle> Import(const std::string& path,
                                              const ImportOptions& options) const override;

  // The same for a file in memory, which has no others beside it.
  [[nodiscard]] static absl::StatusOr<Bundle> ImportBytes(std::span<const std::byte> bytes,
                                                          const ImportOptions& options);
};

}  // namespace octet::onnx
