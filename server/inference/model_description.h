// SPDX-License-Identifier: Apache-2.0
// What clients may know of a version, whatever protocol they ask in.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/tensor/data_type.h"
#include "server/repository/model_repository.h"
#include "server/repository/model_version.h"
#include "server/scheduling/model_scheduling.h"

namespace octet {

struct TensorDescription {
  std::string name;
  DataType data_type = DataType::kFloat32;
  std::vector<std::int64_t> dims;  // -1: open
};

// The protocol's metadata.
struct ModelDescription {
  std::string name;
  std::vector<std::string> versions;  // every ready one of the model
  std::string platform = "octet";
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
  std::vector<std::pair<std::string, std::string>> properties;
};
ModelDescription DescribeModel(const ModelRepository& repository, const ModelVersion& model);

// The protocol's configuration, as far as there is any.
struct ModelConfiguration {
  std::string name;
  std::string platform = "octet";
  std::string backend = "octet";
  // 0: it takes no batches. Else the tensors are without the dimension of rows.
  std::int64_t max_batch_size = 0;
  ModelScheduling scheduling;  // of one that does
  std::vector<TensorDescription> inputs;
  std::vector<TensorDescription> outputs;
  std::vector<std::pair<std::string, std::string>> parameters;
};
ModelConfiguration ConfigurationOf(const ModelRepository& repository, const ModelVersion& model);

}  // namespace octet
