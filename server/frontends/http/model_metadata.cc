// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/model_metadata.h"

#include "nlohmann/json.hpp"

#include "models/tensor/data_type.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

Json ToJson(const std::vector<TensorSignature>& signature) {
  Json tensors = Json::array();
  for (const TensorSignature& tensor : signature) {
    Json shape = Json::array();
    for (const Dim& dim : tensor.type.shape) shape.push_back(dim.is_constant() ? dim.value() : -1);
    const absl::string_view type = DataTypeName(tensor.type.data_type);
    tensors.push_back(
        {{"name", tensor.name}, {"datatype", std::string(type)}, {"shape", std::move(shape)}});
  }
  return tensors;
}

}  // namespace

std::string ModelMetadataJson(const ModelVersion& model, const std::vector<ModelHandle>& ready) {
  Json versions = Json::array();
  for (const ModelHandle& other : ready) {
    if (other->name == model.name) versions.push_back(other->version_string);
  }
  const Json metadata = {{"name", model.name},
                         {"versions", std::move(versions)},
                         {"platform", "octet"},
                         {"inputs", ToJson(model.executable->inputs())},
                         {"outputs", ToJson(model.executable->outputs())}};
  return metadata.dump(-1, ' ', false, Json::error_handler_t::replace);
}

}  // namespace octet
