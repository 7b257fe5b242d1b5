// SPDX-License-Identifier: Apache-2.0
// Imports models that Keras saved.

#pragma once

#include <cstddef>
#include <span>
#include <string>
#include <vector>

#include "models/importers/importer.h"
#include "models/importers/keras/layer_registry.h"

namespace octet::keras {

// Reads `.keras` archives of Keras 3, float or quantized, and whole models in HDF5 (`.h5`,
// `.hdf5`) of Keras 2 and 3. Everything is computed in float32, whatever the dtype policy; layers
// that Keras quantized keep their integers.
class KerasImporter final : public Importer {
 public:
  explicit KerasImporter(LayerRegistry layers = BuiltInLayerClasses())
      : layers_(std::move(layers)) {}

  [[nodiscard]] absl::string_view name() const override { return "Keras"; }
  [[nodiscard]] std::vector<std::string> extensions() const override;
  [[nodiscard]] absl::StatusOr<Bundle> Import(const std::string& path,
                                              const ImportOptions& options) const override;

  // The same for a file in memory, whose format its first bytes tell.
  [[nodiscard]] absl::StatusOr<Bundle> ImportBytes(std::span<const std::byte> bytes,
                                                   const ImportOptions& options) const;

 private:
  LayerRegistry layers_;
};

}  // namespace octet::keras
