// SPDX-License-Identifier: Apache-2.0
#include "models/importers/torch/torch_importer.h"

#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/bundle/mapped_file.h"
#include "models/bundle/sha256.h"
#include "models/importers/onnx/onnx_importer.h"
#include "models/importers/torch/state_dict.h"

namespace octet::torch {

absl::StatusOr<Bundle> TorchImporter::Import(const std::string& path,
                                             const ImportOptions& options) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  ImportOptions without_graph = options;
  without_graph.graph.clear();
  if (absl::Status status = CheckImport(file->bytes(), without_graph); !status.ok()) {
    return OfFile(path, std::move(status));
  }
  if (options.graph.empty()) {
    return OfFile(path, absl::InvalidArgumentError(
                            "weights without a graph, wants --graph with an ONNX file of the same "
                            "model in floats"));
  }
  absl::StatusOr<NamedWeights> weights = ReadStateDict(file->bytes());
  if (!weights.ok()) return OfFile(path, weights.status());
  ASSIGN_OR_RETURN(Bundle bundle,
                   onnx::OnnxImporter::ImportWith(options.graph, *weights, without_graph));
  // Both files make the model.
  bundle.source = {"pytorch",
                   absl::StrCat("graph of ", bundle.source.framework, " ", bundle.source.version,
                                " ", bundle.source.file_sha256),
                   Sha256Hex(file->bytes())};
  return bundle;
}

}  // namespace octet::torch
