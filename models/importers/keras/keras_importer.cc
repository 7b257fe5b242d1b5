// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/keras_importer.h"

#include <algorithm>
#include <array>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/match.h"

#include "models/base/status_macros.h"
#include "models/bundle/mapped_file.h"
#include "models/bundle/sha256.h"
#include "models/bundle/variable_order.h"
#include "models/importers/config_view.h"
#include "models/importers/keras/archive.h"
#include "models/importers/keras/h5_file.h"
#include "models/importers/keras/model_config.h"
#include "models/importers/keras/model_translator.h"

namespace octet::keras {

namespace {

bool IsHdf5(std::span<const std::byte> bytes) {
  constexpr std::array<unsigned char, 8> kSignature = {0x89, 'H', 'D', 'F', '\r', '\n', 0x1a, '\n'};
  return bytes.size() >= kSignature.size() &&
         std::equal(kSignature.begin(), kSignature.end(), bytes.begin(),
                    [](unsigned char a, std::byte b) { return static_cast<std::byte>(a) == b; });
}

// What the file says before it is understood.
struct ModelFile {
  std::string version;
  std::string config_json;
  H5File weights;
  bool legacy = false;
};

absl::StatusOr<ModelFile> ReadArchive(std::span<const std::byte> bytes,
                                      const ImportOptions& options) {
  ASSIGN_OR_RETURN(KerasArchive archive, ReadKerasArchive(bytes, options.max_byte_size));
  std::string version = "unknown";
  if (!archive.metadata_json.empty()) {
    ASSIGN_OR_RETURN(const Json metadata, ParseJson(archive.metadata_json, "metadata.json"));
    ASSIGN_OR_RETURN(version,
                     ConfigView(metadata, "metadata.json").String("keras_version", "unknown"));
  }
  ASSIGN_OR_RETURN(H5File weights, H5File::Open(archive.weights, options.max_byte_size));
  return ModelFile{std::move(version), std::move(archive.config_json), std::move(weights), false};
}

absl::StatusOr<ModelFile> ReadHdf5Model(std::span<const std::byte> bytes,
                                        const ImportOptions& options) {
  ASSIGN_OR_RETURN(H5File file, H5File::Open(bytes, options.max_byte_size));
  if (!file.HasAttribute("", "model_config")) {
    return absl::InvalidArgumentError(
        "the HDF5 file has no \"model_config\": it holds weights, not a model; wants one that was "
        "saved with model.save()");
  }
  ASSIGN_OR_RETURN(const std::vector<std::string> config, file.ReadStrings("", "model_config"));
  if (config.size() != 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"model_config\" has ", config.size(), " strings, wants one"));
  }
  std::string version = "unknown";
  if (const auto stored = file.ReadStrings("", "keras_version"); stored.ok() && !stored->empty()) {
    version = stored->front();
  }
  return ModelFile{std::move(version), config.front(), std::move(file), true};
}

// Whether two inputs have dimensions of their own that only a request decides.
bool HasSeveralOpenInputs(const Graph& graph) {
  const auto is_open = [&graph](ValueId id) {
    const Shape& shape = graph.values[static_cast<std::size_t>(id)].type.shape;
    return std::any_of(shape.begin(), shape.end(), [](const Dim& dim) {
      return !dim.is_constant() && !(dim.symbol() == kRows);
    });
  };
  return std::count_if(graph.inputs.begin(), graph.inputs.end(), is_open) > 1;
}

std::string Precision(const Bundle& bundle) {
  const auto has_mode = [&bundle](absl::string_view mode) {
    return std::any_of(bundle.layers.begin(), bundle.layers.end(),
                       [mode](const octet::Layer& layer) { return layer.mode == mode; });
  };
  for (const char* const mode : {"gptq", "awq", "int4"}) {
    if (has_mode(mode)) return mode;
  }
  if (has_mode("int8_trained")) return "int8-weight-only";
  if (!has_mode("int8")) return "fp32";
  const bool dynamic = std::any_of(
      bundle.graph.nodes.begin(), bundle.graph.nodes.end(),
      [](const Node& node) { return node.attributes.contains("activation_quantization"); });
  return dynamic ? "int8-dynamic" : "int8-weight-only";
}

}  // namespace

std::vector<std::string> KerasImporter::extensions() const { return {".keras", ".h5", ".hdf5"}; }

absl::StatusOr<Bundle> KerasImporter::Import(const std::string& path,
                                             const ImportOptions& options) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return OfFile(path, ImportBytes(file->bytes(), options));
}

absl::StatusOr<Bundle> KerasImporter::ImportBytes(std::span<const std::byte> bytes,
                                                  const ImportOptions& options) const {
  RETURN_IF_ERROR(CheckImport(bytes, options));
  ASSIGN_OR_RETURN(const ModelFile file,
                   IsHdf5(bytes) ? ReadHdf5Model(bytes, options) : ReadArchive(bytes, options));
  ASSIGN_OR_RETURN(const Json config, ParseJson(file.config_json, "config.json"));
  ASSIGN_OR_RETURN(const std::unique_ptr<KerasLayer> model, BuildModel(config, layers_));
  Bundle bundle;
  // Where the operators do not take dimensions of two inputs together (their sum, or a join), the
  // inputs get the same ones.
  for (const bool shared : {false, true}) {
    Translation translation(*options.operators, layers_, file.weights);
    translation.legacy_weights = file.legacy;
    translation.is_keras_2 = absl::StartsWith(file.version, "2.");
    translation.inputs_share_dimensions = shared;
    absl::StatusOr<Graph> graph = TranslateModel(translation, *model);
    if (!graph.ok() && !shared && HasSeveralOpenInputs(translation.graph.graph())) continue;
    RETURN_IF_ERROR(graph.status());
    bundle.graph = *std::move(graph);
    bundle.layers = std::move(translation.layers);
    break;
  }
  const LayerOrders orders = BuiltInLayerOrders();
  for (const octet::Layer& layer : bundle.layers) RETURN_IF_ERROR(CheckLayer(layer, orders));
  bundle.source = {"keras", file.version, Sha256Hex(bytes)};
  bundle.precision = Precision(bundle);
  return bundle;
}

}  // namespace octet::keras
