// SPDX-License-Identifier: Apache-2.0
#include "server/assembly/model_store.h"

#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"
#include "spdlog/spdlog.h"

#include "models/operators/operators.h"
#include "models/runtime/kernel_choices_file.h"

namespace octet {
namespace {

// A file that outlives the server; empty without a state directory.
std::string StatePath(const ServerConfig& config, absl::string_view name) {
  return config.state_directory.empty() ? "" : absl::StrCat(config.state_directory, "/", name);
}

// What was measured before; null without a path.
std::shared_ptr<const KernelChoices> StoredChoices(const std::string& path) {
  if (path.empty()) return nullptr;
  StoredKernelChoices stored = ReadKernelChoices(path);
  if (!stored.warning.empty()) spdlog::warn("kernel choices: {}", stored.warning);
  spdlog::info("kernel choices: {} layers in {}, fixed rules for the others",
               stored.choices.entries().size(), path);
  return std::make_shared<const KernelChoices>(std::move(stored.choices));
}

}  // namespace

ModelStore::ModelStore(const ServerConfig& config, const kernels::KernelSet& kernels,
                       Metrics& metrics)
    : operators_(BuiltInOperators()),
      choices_path_(StatePath(config, "kernel-choices.txt")),
      choices_(StoredChoices(choices_path_)),
      costs_(StatePath(config, "cost-curves.txt")),
      loader_({.compile = {.choices = choices_, .attention_precision = config.attention_precision},
               .kernel_set_name = std::string(kernels.name),
               .costs = &costs_},
              operators_, kernels, metrics),
      repository_(config.models) {
  if (!costs_.warning().empty()) spdlog::warn("cost curves: {}", costs_.warning());
}

}  // namespace octet
