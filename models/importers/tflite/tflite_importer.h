// SPDX-License-Identifier: Apache-2.0
// Imports TensorFlow Lite models.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "models/importers/importer.h"

namespace octet::tflite {

// Reads `.tflite` files: float32, float16 weights, int8 with scales for a tensor or its channels,
// and uint8. The graph takes any number of rows, whatever batch the file was written for.
class TfliteImporter final : public Importer {
 public:
  [[nodiscard]] absl::string_view name() const override { return "TensorFlow Lite"; }
  [[nodiscard]] std::vector<std::string> extensions() const override { return {".tflite"}; }
  [[nodiscard]] absl::StatusOr<Bundle> Import(const std::string& path,
                                              const ImportOptions& options) const override;

  // The same for a file in memory.
  [[nodiscard]] static absl::StatusOr<Bundle> ImportBytes(std::span<const std::byte> bytes,
                                                          const ImportOptions& options);
};

}  // namespace octet::tflite
