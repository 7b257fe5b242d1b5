// SPDX-License-Identifier: Apache-2.0
// What models are read with and kept in, with what an earlier server measured of them.

#pragma once

#include <memory>
#include <string>

#include "kernels/kernel_set.h"
#include "models/graph/operator_registry.h"
#include "models/runtime/cost_curve_cache.h"
#include "models/runtime/kernel_choices.h"
#include "server/config/server_config.h"
#include "server/metrics/metrics.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/model_repository.h"

namespace octet {

class ModelStore {
 public:
  // Reads what is in the state directory, if there is one, and says so in the log. `kernels` and
  // `metrics` are borrowed for as long as it lives.
  ModelStore(const ServerConfig& config, const kernels::KernelSet& kernels, Metrics& metrics);
  ModelStore(const ModelStore&) = delete;
  ModelStore& operator=(const ModelStore&) = delete;

  [[nodiscard]] const BundleLoader& loader() const { return loader_; }
  [[nodiscard]] ModelRepository& repository() { return repository_; }
  [[nodiscard]] CostCurveCache& costs() { return costs_; }
  // The file of kernel choices, "" without a state directory; and what was in it, else null.
  [[nodiscard]] const std::string& choices_path() const { return choices_path_; }
  [[nodiscard]] const std::shared_ptr<const KernelChoices>& choices() const { return choices_; }

 private:
  const OperatorRegistry operators_;
  const std::string choices_path_;
  const std::shared_ptr<const KernelChoices> choices_;
  CostCurveCache costs_;
  const BundleLoader loader_;
  ModelRepository repository_;
};

}  // namespace octet
