// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/reader.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <map>
#include <memory>
#include <optional>
#include <span>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/bundle/graph_codec.h"
#include "models/bundle/layout.h"
#include "models/bundle/mapped_file.h"
#include "models/bundle/safetensors.h"
#include "models/bundle/sha256.h"
#include "models/bundle/zip_archive.h"
#include "models/graph/operator_registry.h"
#include "models/graph/verify.h"
#include "proto/octet/bundle/v1/bundle.pb.h"

namespace octet {

namespace {

using Bytes = std::span<const std::byte>;

constexpr std::size_t kMaxManifestSize = std::size_t{1} << 20;
constexpr std::size_t kMaxJsonSize = std::size_t{16} << 20;
constexpr std::size_t kWeightAlignment = 64;
constexpr std::int64_t kMinTestRows = 4;
constexpr std::array kKnownFiles = {kGraphFile, kLayersFile, kTestsFile, kWeightsFile};

// The mapped files of a bundle, by name.
struct Files {
  std::map<std::string, Bytes> bytes;
  std::map<std::string, std::shared_ptr<const MappedFile>> owners;
};

bool IsKnown(absl::string_view file) {
  return std::find(kKnownFiles.begin(), kKnownFiles.end(), file) != kKnownFiles.end();
}

absl::StatusOr<std::shared_ptr<const MappedFile>> OpenFile(const std::string& path,
                                                           const ReadOptions& options) {
  return options.copies_files ? MappedFile::ReadCopy(path) : MappedFile::Open(path);
}

absl::Status MapInto(Files& files, const std::string& path, const std::string& name,
                     const ReadOptions& options) {
  absl::StatusOr<std::shared_ptr<const MappedFile>> file = OpenFile(path, options);
  if (!file.ok()) return file.status();
  files.bytes[name] = (*file)->bytes();
  files.owners[name] = *std::move(file);
  return absl::OkStatus();
}

// Maps the manifest, and for an archive all the rest.
absl::StatusOr<Files> OpenBundle(const std::string& path, bool is_directory,
                                 const ReadOptions& options) {
  Files files;
  const std::string manifest(kManifestFile);
  if (is_directory) {
    RETURN_IF_ERROR(MapInto(files, absl::StrCat(path, "/", manifest), manifest, options));
    return files;
  }
  absl::StatusOr<std::shared_ptr<const MappedFile>> archive = OpenFile(path, options);
  if (!archive.ok()) return archive.status();
  ASSIGN_OR_RETURN(files.bytes, ReadStoredZip((*archive)->bytes()));
  for (const auto& [name, bytes] : files.bytes) {
    if (name != manifest && !IsKnown(name)) {
      return absl::InvalidArgumentError(absl::StrCat("\"", name, "\" is not a file of a bundle"));
    }
    files.owners[name] = *archive;
  }
  if (!files.bytes.contains(manifest)) return absl::DataLossError("no manifest.json");
  return files;
}

// Checks that the manifest lists just the files that there are, and that they are as it says.
absl::Status CheckFiles(const bundle::v1::Manifest& manifest, const std::string& path,
                        bool is_directory, const ReadOptions& options, Files& files) {
  std::string last;
  for (const bundle::v1::File& file : manifest.files()) {
    const std::string& name = file.path();
    if (!IsKnown(name) || name <= last) {
      return absl::InvalidArgumentError(
          absl::StrCat("manifest.json lists \"", name,
                       "\"; it wants the files of a bundle in alphabetical order, each once"));
    }
    last = name;
    if (is_directory) {
      const absl::Status mapped = MapInto(files, absl::StrCat(path, "/", name), name, options);
      if (absl::IsNotFound(mapped)) return absl::DataLossError(mapped.message());
      RETURN_IF_ERROR(mapped);
    }
    const auto found = files.bytes.find(name);
    if (found == files.bytes.end()) {
      return absl::DataLossError(absl::StrCat(name, " is in the manifest, but not there"));
    }
    if (static_cast<std::int64_t>(found->second.size()) != file.bytes()) {
      return absl::DataLossError(absl::StrCat(name, " has ", found->second.size(),
                                              " bytes; the manifest says ", file.bytes()));
    }
    const std::string sha256 = Sha256Hex(found->second);
    if (sha256 != file.sha256()) {
      return absl::DataLossError(
          absl::StrCat(name, " has the SHA-256 ", sha256, "; the manifest says ", file.sha256()));
    }
  }
  if (files.bytes.size() != static_cast<std::size_t>(manifest.files_size()) + 1) {
    return absl::InvalidArgumentError("the archive holds a file that manifest.json does not list");
  }
  for (const absl::string_view needed : {kGraphFile, kLayersFile, kWeightsFile}) {
    if (!files.bytes.contains(std::string(needed))) {
      return absl::InvalidArgumentError(absl::StrCat("manifest.json does not list ", needed));
    }
  }
  if (files.bytes.contains(std::string(kTestsFile)) != manifest.has_self_test()) {
    return absl::InvalidArgumentError(
        "self_test and tests.safetensors are there together or not at all");
  }
  return absl::OkStatus();
}

bool IsAligned(const void* data) {
  return reinterpret_cast<std::uintptr_t>(data) % kWeightAlignment == 0;
}

absl::StatusOr<TensorSource> ReadWeights(Bytes file, std::shared_ptr<const void> owner) {
  TensorSource source{.tensors = {}, .owner = std::move(owner)};
  if (!IsAligned(file.data())) {  // an archive that another program packed
    auto copy = std::make_shared<const ConstantTensor>(
        ConstantTensor::Copy(DataType::kUint8, {static_cast<std::int64_t>(file.size())}, file));
    file = copy->bytes();
    source.owner = std::move(copy);
  }
  absl::StatusOr<std::map<std::string, SafetensorsEntry>> tensors = ReadSafetensors(file);
  if (!tensors.ok()) return Annotate(tensors.status(), kWeightsFile);
  for (const auto& [name, entry] : *tensors) {
    if (!entry.bytes.empty() && !IsAligned(entry.bytes.data())) {
      return absl::InvalidArgumentError(absl::StrCat(
          kWeightsFile, ": tensor \"", name, "\" does not begin at a multiple of 64 bytes"));
    }
  }
  source.tensors = *std::move(tensors);
  return source;
}

// The tensors "<prefix>.<i>" for the graph's `values`.
absl::StatusOr<std::vector<Tensor>> ReadTestTensors(
    const std::map<std::string, SafetensorsEntry>& entries, absl::string_view prefix,
    const Graph& graph, const std::vector<ValueId>& values) {
  std::vector<Tensor> tensors;
  // Without inputs there is one row.
  const bool has_one_row = graph.inputs.empty();
  for (std::size_t i = 0; i < values.size(); ++i) {
    const std::string key = absl::StrCat(prefix, ".", i);
    const auto found = entries.find(key);
    if (found == entries.end()) {
      return absl::InvalidArgumentError(absl::StrCat("tests.safetensors has no \"", key, "\""));
    }
    const SafetensorsEntry& entry = found->second;
    const Value& value = graph.values[static_cast<std::size_t>(values[i])];
    bool fits = entry.data_type == value.type.data_type &&
                entry.dims.size() == value.type.shape.size() && !entry.dims.empty() &&
                (has_one_row ? entry.dims[0] == 1 : entry.dims[0] >= kMinTestRows);
    for (std::size_t d = 0; fits && d < entry.dims.size(); ++d) {
      const Dim& dim = value.type.shape[d];
      fits = !dim.is_constant() || dim.value() == entry.dims[d];
    }
    if (!fits) {
      return absl::InvalidArgumentError(absl::StrCat(
          "tests.safetensors: \"", key, "\" is ", DataTypeName(entry.data_type), " ",
          ToString(entry.dims), "; \"", value.name, "\" wants ", DataTypeName(value.type.data_type),
          " ", ToString(value.type.shape, graph.symbol_names),
          has_one_row ? " and one row" : " and at least 4 rows"));
    }
    Tensor tensor(entry.data_type, entry.dims);
    std::copy(entry.bytes.begin(), entry.bytes.end(), tensor.bytes().begin());
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

absl::StatusOr<SelfTest> ReadSelfTest(const bundle::v1::SelfTest& message, Bytes file,
                                      const Graph& graph) {
  SelfTest test;
  test.tolerance = message.tolerance();
  if (!(test.tolerance >= 0.0 && test.tolerance <= 1.0)) {
    return absl::InvalidArgumentError(
        absl::StrCat("self_test has the tolerance ", test.tolerance, "; it wants 0 to 1"));
  }
  absl::StatusOr<std::map<std::string, SafetensorsEntry>> entries = ReadSafetensors(file);
  if (!entries.ok()) return Annotate(entries.status(), kTestsFile);
  ASSIGN_OR_RETURN(test.inputs, ReadTestTensors(*entries, "input", graph, graph.inputs));
  ASSIGN_OR_RETURN(test.outputs, ReadTestTensors(*entries, "output", graph, graph.outputs));
  if (entries->size() != graph.inputs.size() + graph.outputs.size()) {
    return absl::InvalidArgumentError("tests.safetensors holds tensors that no test uses");
  }
  const std::int64_t rows = test.inputs.empty() ? 0 : test.inputs[0].dims()[0];
  for (const Tensor& input : test.inputs) {
    if (input.dims()[0] != rows) {
      return absl::InvalidArgumentError("tests.safetensors: inputs with unlike numbers of rows");
    }
  }
  return test;
}

absl::StatusOr<Bundle> ReadFiles(const std::string& path, const ReadOptions& options) {
  std::error_code ignored;
  const bool is_directory = std::filesystem::is_directory(path, ignored);
  ASSIGN_OR_RETURN(Files files, OpenBundle(path, is_directory, options));
  const Bytes manifest_bytes = files.bytes.at(std::string(kManifestFile));
  bundle::v1::Manifest manifest;
  RETURN_IF_ERROR(FromJson(kManifestFile, manifest_bytes, kMaxManifestSize, manifest));
  if (manifest.format_version() != kBundleFormatVersion) {
    return absl::UnimplementedError(absl::StrCat("bundle format ", manifest.format_version(),
                                                 "; this reader knows ", kBundleFormatVersion));
  }
  RETURN_IF_ERROR(CheckFiles(manifest, path, is_directory, options, files));

  const std::string weights(kWeightsFile);
  ASSIGN_OR_RETURN(const TensorSource source,
                   ReadWeights(files.bytes[weights], files.owners[weights]));
  Bundle bundle;
  bundle::v1::Graph graph_message;
  RETURN_IF_ERROR(
      FromJson(kGraphFile, files.bytes[std::string(kGraphFile)], kMaxJsonSize, graph_message));
  ASSIGN_OR_RETURN(bundle.graph, DecodeGraph(graph_message, source));
  bundle::v1::Layers layers_message;
  RETURN_IF_ERROR(
      FromJson(kLayersFile, files.bytes[std::string(kLayersFile)], kMaxJsonSize, layers_message));
  ASSIGN_OR_RETURN(bundle.layers, DecodeLayers(layers_message, source));
  std::optional<LayerOrders> built_in;
  if (options.layer_orders == nullptr) built_in = BuiltInLayerOrders();
  const LayerOrders& orders = built_in.has_value() ? *built_in : *options.layer_orders;
  for (const Layer& layer : bundle.layers) RETURN_IF_ERROR(CheckLayer(layer, orders));
  if (options.operators != nullptr) {
    RETURN_IF_ERROR(VerifyGraph(bundle.graph, *options.operators));
  }
  if (manifest.has_self_test()) {
    ASSIGN_OR_RETURN(
        bundle.self_test,
        ReadSelfTest(manifest.self_test(), files.bytes[std::string(kTestsFile)], bundle.graph));
  }
  bundle.source = {manifest.source().framework(), manifest.source().version(),
                   manifest.source().file_sha256()};
  bundle.precision = manifest.precision();
  bundle.class_labels.assign(manifest.class_labels().begin(), manifest.class_labels().end());
  bundle.digest = Sha256Hex(manifest_bytes);
  return bundle;
}

}  // namespace

std::span<const absl::string_view> BundleFileNames() {
  static constexpr std::array kNames = {kManifestFile, kGraphFile, kLayersFile, kTestsFile,
                                        kWeightsFile};
  return kNames;
}

absl::StatusOr<Bundle> ReadBundle(const std::string& path, const ReadOptions& options) {
  absl::StatusOr<Bundle> bundle = ReadFiles(path, options);
  if (!bundle.ok()) return Annotate(bundle.status(), absl::StrCat("bundle \"", path, "\""));
  return bundle;
}

}  // namespace octet
