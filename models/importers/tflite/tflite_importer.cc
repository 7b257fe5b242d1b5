// SPDX-License-Identifier: Apache-2.0

#include "models/importers/tflite/tflite_importer.h"

#include <algorithm>
#include <cstdint>
#include <memory>
#include <utility>

#include "models/base/status_macros.h"
#include "models/bundle/mapped_file.h"
#include "models/bundle/sha256.h"
#include "models/bundle/variable_order.h"
#include "models/importers/tflite/model_file.h"
#include "models/importers/tflite/model_translator.h"

namespace octet::tflite {
namespace {

std::string Precision(const Bundle& bundle) {
  const auto has = [&bundle](DataType type) {
    return std::any_of(bundle.graph.values.begin(), bundle.graph.values.end(),
                       [type](const Value& value) {
                         return value.type.quantization.has_value() && value.type.data_type == type;
                       });
  };
  if (has(DataType::kInt16)) return "int16x8-static";
  if (has(DataType::kInt8)) return "int8-static";
  const bool is_hybrid =
      std::any_of(bundle.layers.begin(), bundle.layers.end(),
                  [](const octet::Layer& layer) { return layer.mode == "int8"; });
  return is_hybrid ? "int8-dynamic" : "fp32";
}

}  // namespace

absl::StatusOr<Bundle> TfliteImporter::Import(const std::string& path,
                                              const ImportOptions& options) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  return OfFile(path, ImportBytes(file->bytes(), options));
}

absl::StatusOr<Bundle> TfliteImporter::ImportBytes(std::span<const std::byte> bytes,
                                                   const ImportOptions& options) {
  RETURN_IF_ERROR(CheckImport(bytes, options, kProfiles));
  // The format's numbers are aligned within the file, and so the file is to be: a copy is, by as
  // much as its elements.
  struct alignas(16) Block {
    std::byte bytes[16];
  };
  std::vector<Block> copy;
  if (reinterpret_cast<std::uintptr_t>(bytes.data()) % alignof(Block) != 0) {
    copy.resize((bytes.size() + sizeof(Block) - 1) / sizeof(Block));
    const auto aligned = std::as_writable_bytes(std::span(copy)).first(bytes.size());
    std::copy(bytes.begin(), bytes.end(), aligned.begin());
    bytes = aligned;
  }
  ASSIGN_OR_RETURN(const ModelFile file, ReadModelFile(bytes));
  const Profile profile(options.profile);
  Translation translation(*options.operators, file, profile, options.max_byte_size);
  Bundle bundle;
  ASSIGN_OR_RETURN(bundle.graph, TranslateModel(translation));
  bundle.layers = std::move(translation.layers);
  const LayerOrders orders = BuiltInLayerOrders();
  for (const octet::Layer& layer : bundle.layers) RETURN_IF_ERROR(CheckLayer(layer, orders));
  // The format's version, because the file does not say which release of the converter wrote it.
  bundle.source = {"tflite", absl::StrCat("3, profile ", profile.name()), Sha256Hex(bytes)};
  bundle.precision = Precision(bundle);
  return bundle;
}

}  // namespace octet::tflite
