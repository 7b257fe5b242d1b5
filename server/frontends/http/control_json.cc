// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/control_json.h"

#include <chrono>
#include <cstdint>
#include <utility>
#include <variant>

#include "absl/strings/str_cat.h"
#include "nlohmann/json.hpp"

#include "models/tensor/data_type.h"

namespace octet {
namespace {

using Json = nlohmann::ordered_json;

// What a client or a bundle said may be no UTF-8: replaced, not thrown at.
std::string Dump(const Json& json) {
  return json.dump(-1, ' ', false, Json::error_handler_t::replace);
}

Json ToMetadata(const std::vector<TensorDescription>& tensors) {
  Json array = Json::array();
  for (const TensorDescription& tensor : tensors) {
    array.push_back({{"name", tensor.name},
                     {"datatype", std::string(DataTypeName(tensor.data_type))},
                     {"shape", tensor.dims}});
  }
  return array;
}

Json ToConfiguration(const std::vector<TensorDescription>& tensors) {
  Json array = Json::array();
  for (const TensorDescription& tensor : tensors) {
    array.push_back({{"name", tensor.name},
                     {"data_type", absl::StrCat("TYPE_", DataTypeName(tensor.data_type))},
                     {"dims", tensor.dims}});
  }
  return array;
}

std::int64_t Microseconds(std::chrono::nanoseconds time) {
  return std::chrono::duration_cast<std::chrono::microseconds>(time).count();
}

Json ToJson(const WaitingPolicy& policy) {
  return {{"timeout_action", policy.action == TimeoutAction::kDelay ? "DELAY" : "REJECT"},
          {"default_timeout_microseconds", Microseconds(policy.timeout)},
          {"allow_timeout_override", policy.allows_override},
          {"max_queue_size", policy.max_requests}};
}

Json ToJson(const ModelScheduling& scheduling) {
  Json json = {{"preferred_batch_size", scheduling.preferred_rows},
               {"max_queue_delay_microseconds", Microseconds(scheduling.max_queue_delay)},
               {"preserve_ordering", scheduling.preserves_order},
               {"priority_levels", scheduling.priority_levels},
               {"default_priority_level", scheduling.default_level}};
  if (!scheduling.has_waiting_policy) return json;
  json["default_queue_policy"] = ToJson(scheduling.default_policy);
  Json levels = Json::object();
  for (const auto& [level, policy] : scheduling.policy_of_level) {
    levels[absl::StrCat(level)] = ToJson(policy);
  }
  json["priority_queue_policy"] = std::move(levels);
  return json;
}

Json ToJson(const CountedTime& time) { return {{"count", time.count}, {"ns", time.nanoseconds}}; }

Json ToJson(const InferenceStatistics& model) {
  Json batches = Json::array();
  for (const BatchStatistics& batch : model.batches) {
    batches.push_back({{"batch_size", batch.batch_size},
                       {"compute_input", ToJson(batch.compute_input)},
                       {"compute_infer", ToJson(batch.compute_infer)},
                       {"compute_output", ToJson(batch.compute_output)}});
  }
  return {{"name", model.name},
          {"version", model.version},
          {"last_inference", model.last_inference},
          {"inference_count", model.inference_count},
          {"execution_count", model.execution_count},
          {"inference_stats",
           {{"success", ToJson(model.success)},
            {"fail", ToJson(model.fail)},
            {"queue", ToJson(model.queue)},
            {"compute_input", ToJson(model.compute_input)},
            {"compute_infer", ToJson(model.compute_infer)},
            {"compute_output", ToJson(model.compute_output)},
            {"cache_hit", ToJson(CountedTime{})},
            {"cache_miss", ToJson(CountedTime{})}}},
          {"batch_stats", std::move(batches)}};
}

}  // namespace

std::string ToJson(const ModelDescription& description) {
  Json properties = Json::object();
  for (const auto& [name, value] : description.properties) properties[name] = value;
  return Dump({{"name", description.name},
               {"versions", description.versions},
               {"platform", description.platform},
               {"inputs", ToMetadata(description.inputs)},
               {"outputs", ToMetadata(description.outputs)},
               {"properties", std::move(properties)}});
}

std::string ToJson(const ModelConfiguration& configuration) {
  Json json = {{"name", configuration.name},
               {"platform", configuration.platform},
               {"backend", configuration.backend},
               {"max_batch_size", configuration.max_batch_size},
               {"input", ToConfiguration(configuration.inputs)},
               {"output", ToConfiguration(configuration.outputs)},
               {"model_transaction_policy", {{"decoupled", false}}}};
  if (configuration.max_batch_size > 0) json["dynamic_batching"] = ToJson(configuration.scheduling);
  Json parameters = Json::object();
  for (const auto& [name, value] : configuration.parameters) {
    parameters[name] = {{"string_value", value}};
  }
  json["parameters"] = std::move(parameters);
  return Dump(json);
}

std::string ToJson(const std::vector<InferenceStatistics>& statistics) {
  Json models = Json::array();
  for (const InferenceStatistics& model : statistics) models.push_back(ToJson(model));
  return Dump({{"model_stats", std::move(models)}});
}

std::string ToJson(const std::vector<IndexEntry>& index) {
  Json models = Json::array();
  for (const IndexEntry& entry : index) {
    models.push_back({{"name", entry.name},
                      {"version", entry.version},
                      {"state", VersionStateName(entry.state)},
                      {"reason", entry.reason}});
  }
  return Dump(models);
}

std::string ToJson(const TraceValues& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) {
    if (name == "trace_level") {
      json[name] = Json::array({value});
    } else {
      json[name] = value;
    }
  }
  return Dump(json);
}

std::string ToJson(const LogValues& values) {
  Json json = Json::object();
  for (const auto& [name, value] : values) {
    if (const bool* const flag = std::get_if<bool>(&value)) json[name] = *flag;
    if (const auto* const number = std::get_if<std::uint32_t>(&value)) json[name] = *number;
    if (const auto* const text = std::get_if<std::string>(&value)) json[name] = *text;
  }
  return Dump(json);
}

}  // namespace octet
