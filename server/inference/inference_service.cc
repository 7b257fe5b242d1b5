// SPDX-License-Identifier: Apache-2.0

#include "server/inference/inference_service.h"

#include <chrono>
#include <functional>
#include <optional>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "server/inference/classification.h"
#include "server/inference/request_memory.h"
#include "server/inference/request_validation.h"

namespace octet {
namespace {

// The most text of one answer's classes.
constexpr std::size_t kMostClassBytes = std::size_t{256} << 20;

// Makes the classes that the request asks for; null if it asks for none.
std::function<absl::Status(InferenceAnswer&)> ClassesOf(const ModelHandle& model,
                                                        const InferenceRequest& request) {
  std::vector<OutputClasses> wanted;
  bool wants_any = false;
  for (std::size_t i = 0; i < request.outputs.size(); ++i) {
    OutputClasses& classes = wanted.emplace_back();
    classes.count = request.outputs[i].num_classes;
    wants_any |= classes.count > 0;
    // A bundle's labels are of its first output.
    if (request.output_indices[i] == 0) classes.labels = model->class_labels;
  }
  if (!wants_any) return nullptr;
  return [model, wanted = std::move(wanted)](InferenceAnswer& answer) {
    return Classify(wanted, model->executable->takes_batches(), kMostClassBytes, answer);
  };
}

}  // namespace

InferenceService::InferenceService(const ModelRepository& repository, Scheduler& scheduler,
                                   Metrics& metrics, SharedMemoryRegions* memory)
    : repository_(repository), scheduler_(scheduler), metrics_(metrics), memory_(memory) {
  for (const auto& [name, settings] : repository.settings()) {
    if (!settings.scheduling.preserves_order) continue;
    orders_[&settings.scheduling] = std::make_shared<AnswerOrder>();
  }
}

void InferenceService::TakePlace(InferenceRequest& request) {
  if (orders_.empty()) return;
  const auto order = orders_.find(request.scheduling);
  if (order == orders_.end()) return;
  request.completion = order->second->Enter(std::move(request.completion));
}

absl::Status InferenceService::Bind(const ModelHandle& model, InferenceRequest& request) {
  std::shared_ptr<RequestMemory> memory;
  if (NamesSharedMemory(request)) {
    ASSIGN_OR_RETURN(memory, RequestMemory::Find(memory_, request));
  }
  RETURN_IF_ERROR(BindRequest(*model->executable, request));
  request.finish = ClassesOf(model, request);
  if (memory == nullptr) return absl::OkStatus();
  RETURN_IF_ERROR(memory->ReadInputs(request));
  request.input_owner = memory;
  if (memory->has_outputs()) {
    request.finish = [memory, classify = std::move(request.finish)](InferenceAnswer& answer) {
      if (classify) RETURN_IF_ERROR(classify(answer));
      return memory->WriteOutputs(answer);
    };
  }
  return absl::OkStatus();
}

absl::Status InferenceService::Admit(InferenceRequest& request) {
  if (state() == ServerState::kStarting) {
    return absl::UnavailableError("the server is still loading its models; retry when it is ready");
  }
  std::optional<DrainGate::Pass> pass = gate_.Enter();
  if (!pass) return absl::UnavailableError("the server is shutting down; retry elsewhere");
  request.pass = *std::move(pass);
  if (request.model_name.empty()) {
    return absl::InvalidArgumentError("the request names no model, wants model_name");
  }
  ASSIGN_OR_RETURN(const ModelHandle model,
                   repository_.Find(request.model_name, request.model_version));
  request.metrics = model->metrics;
  if (const ModelSettings* const settings = repository_.SettingsOf(model->name)) {
    request.scheduling = &settings->scheduling;
  }
  request.model = {model->name, model->version_string, model->precision, model->kernel_set};
  request.executable = model->executable;
  request.model_owner = model;
  if (absl::Status status = Bind(model, request); !status.ok()) {
    return {status.code(), absl::StrCat("model \"", model->name, "\" version ",
                                        model->version_string, ": ", status.message())};
  }
  if (request.deadline <= std::chrono::steady_clock::now()) {
    return absl::DeadlineExceededError(
        "the deadline had passed when the request was read; nothing was computed");
  }
  return absl::OkStatus();
}

void InferenceService::Infer(std::size_t worker, std::unique_ptr<InferenceRequest> request) {
  if (absl::Status status = Admit(*request); !status.ok()) {
    Refuse(std::move(request), worker, metrics_, std::move(status));
    return;
  }
  TakePlace(*request);
  scheduler_.Submit(worker, std::move(request));
}

void InferenceService::Reject(std::size_t worker, std::unique_ptr<InferenceRequest> request,
                              absl::Status error) {
  Refuse(std::move(request), worker, metrics_, std::move(error));
}

}  // namespace octet
