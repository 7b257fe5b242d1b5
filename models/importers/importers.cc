// SPDX-License-Identifier: Apache-2.0
#include "models/importers/importers.h"

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/importers/keras/keras_importer.h"
#include "models/importers/onnx/onnx_importer.h"
#include "models/importers/tflite/tflite_importer.h"
#include "models/importers/torch/torch_importer.h"

namespace octet {

std::vector<std::unique_ptr<const Importer>> BuiltInImporters() {
  std::vector<std::unique_ptr<const Importer>> importers;
  importers.push_back(std::make_unique<keras::KerasImporter>());
  importers.push_back(std::make_unique<onnx::OnnxImporter>());
  importers.push_back(std::make_unique<tflite::TfliteImporter>());
  importers.push_back(std::make_unique<torch::TorchImporter>());
  return importers;
}

absl::StatusOr<Bundle> ImportModel(const std::string& path, const ImportOptions& options) {
  std::vector<std::string> known;
  const std::string lower = absl::AsciiStrToLower(path);
  for (const auto& importer : BuiltInImporters()) {
    for (const std::string& extension : importer->extensions()) {
      if (absl::EndsWith(lower, extension)) return importer->Import(path, options);
      known.push_back(extension);
    }
  }
  return absl::InvalidArgumentError(absl::StrCat(
      "\"", path, "\": no importer knows this ending; wants one of ", absl::StrJoin(known, ", ")));
}

}  // namespace octet
