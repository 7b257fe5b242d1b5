// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/onnx_importer.h"

#include <algorithm>
#include <limits>
#include <memory>
#include <utility>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/bundle/mapped_file.h"
#include "models/bundle/sha256.h"
#include "models/bundle/variable_order.h"
#include "models/importers/onnx/bias_fusion.h"
#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/model_translator.h"

namespace octet::onnx {

namespace {

constexpr std::int64_t kOldestOpset = 7;

absl::Status CheckModel(const ModelProto& model) {
  if (!model.graph.has_value()) {
    return absl::InvalidArgumentError("not an ONNX model: it has no graph");
  }
  if (model.graph->has_sparse_initializers) {
    return absl::UnimplementedError("the model has sparse initializers");
  }
  if (!model.functions.empty()) {
    return absl::UnimplementedError(absl::StrCat(
        "the model brings functions of its own (", Quoted(absl::StrJoin(model.functions, ", ")),
        "), which cannot be imported; wants them inlined, as onnx.inliner does"));
  }
  const auto opset = model.opsets.find("");
  if (opset == model.opsets.end() || opset->second < kOldestOpset) {
    return absl::UnimplementedError(absl::StrCat(
        "the model is of opset ",
        opset == model.opsets.end() ? "none" : absl::StrCat(opset->second), ", wants ",
        kOldestOpset, " or newer; onnx.version_converter makes newer ones of older ones"));
  }
  return absl::OkStatus();
}

// As the layers are, or the products without a layer.
std::string Precision(const Bundle& bundle) {
  const bool is_static =
      std::any_of(bundle.layers.begin(), bundle.layers.end(),
                  [](const Layer& layer) { return layer.mode == "int8_static"; });
  if (is_static) return "int8-static";
  const bool is_dynamic = std::any_of(
      bundle.graph.nodes.begin(), bundle.graph.nodes.end(),
      [](const Node& node) { return node.op == "IntegerMatMul" || node.op == "IntegerConv2d"; });
  return is_dynamic ? "int8-dynamic" : "fp32";
}

absl::StatusOr<Bundle> ImportModelProto(std::span<const std::byte> bytes,
                                        const std::shared_ptr<const void>& owner,
                                        ExternalData& external, const ImportOptions& options) {
  RETURN_IF_ERROR(CheckImport(bytes, options));
  ASSIGN_OR_RETURN(const ModelProto model,
                   ParseModelProto({reinterpret_cast<const char*>(bytes.data()), bytes.size()}));
  RETURN_IF_ERROR(CheckModel(model));
  ASSIGN_OR_RETURN(TranslatedModel translated, TranslateModel(model, external, owner, options));
  FuseBiases(translated.graph, translated.layers);
  const LayerOrders orders = BuiltInLayerOrders();
  for (const Layer& layer : translated.layers) RETURN_IF_ERROR(CheckLayer(layer, orders));
  Bundle bundle;
  bundle.graph = std::move(translated.graph);
  bundle.layers = std::move(translated.layers);
  const std::string producer = model.producer_version.empty()
                                   ? model.producer_name
                                   : absl::StrCat(model.producer_name, " ", model.producer_version);
  bundle.source = {"onnx",
                   producer.empty() ? absl::StrCat("opset ", model.opsets.at("")) : producer,
                   Sha256Hex(bytes)};
  bundle.precision = Precision(bundle);
  return bundle;
}

}  // namespace

absl::StatusOr<Bundle> OnnxImporter::Import(const std::string& path,
                                            const ImportOptions& options) const {
  ASSIGN_OR_RETURN(const std::shared_ptr<const MappedFile> file, MappedFile::Open(path));
  ExternalData external(path, options.max_byte_size);
  return OfFile(path, ImportModelProto(file->bytes(), file, external, options));
}

absl::StatusOr<Bundle> OnnxImporter::ImportBytes(std::span<const std::byte> bytes,
                                                 const ImportOptions& options) {
  ExternalData external;
  return ImportModelProto(bytes, nullptr, external, options);
}

}  // namespace octet::onnx
