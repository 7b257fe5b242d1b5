// SPDX-License-Identifier: Apache-2.0

#include "server/inference/model_description.h"

#include "models/runtime/executable.h"
#include "server/inference/request_validation.h"

namespace octet {
namespace {

std::vector<TensorDescription> Describe(const std::vector<TensorSignature>& tensors,
                                        std::size_t first_dim) {
  std::vector<TensorDescription> described;
  for (const TensorSignature& tensor : tensors) {
    TensorDescription& one = described.emplace_back();
    one.name = tensor.name;
    one.data_type = tensor.type.data_type;
    const Shape& shape = tensor.type.shape;
    for (std::size_t i = first_dim; i < shape.size(); ++i) {
      one.dims.push_back(shape[i].is_constant() ? shape[i].value() : -1);
    }
  }
  return described;
}

std::vector<std::pair<std::string, std::string>> PropertiesOf(const ModelVersion& model) {
  return {
      {"precision", model.precision}, {"kernel_set", model.kernel_set}, {"digest", model.digest}};
}

}  // namespace

ModelDescription DescribeModel(const ModelRepository& repository, const ModelVersion& model) {
  ModelDescription description;
  description.name = model.name;
  for (const ModelHandle& other : repository.ReadyVersions()) {
    if (other->name == model.name) description.versions.push_back(other->version_string);
  }
  description.inputs = Describe(model.executable->inputs(), 0);
  description.outputs = Describe(model.executable->outputs(), 0);
  description.properties = PropertiesOf(model);
  return description;
}

ModelConfiguration ConfigurationOf(const ModelRepository& repository, const ModelVersion& model) {
  ModelConfiguration configuration;
  configuration.name = model.name;
  const bool takes_batches = model.executable->takes_batches();
  if (takes_batches) {
    configuration.max_batch_size = kMaxRequestRows;
    const ModelSettings* const settings = repository.SettingsOf(model.name);
    if (settings != nullptr) configuration.scheduling = settings->scheduling;
  }
  configuration.inputs = Describe(model.executable->inputs(), takes_batches ? 1 : 0);
  configuration.outputs = Describe(model.executable->outputs(), takes_batches ? 1 : 0);
  configuration.parameters = PropertiesOf(model);
  return configuration;
}

}  // namespace octet
