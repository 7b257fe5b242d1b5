// SPDX-License-Identifier: Apache-2.0

#include "server/inference/inference_service.h"

#include <chrono>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "server/inference/request_validation.h"

namespace octet {

InferenceService::InferenceService(const ModelRepository& repository, Scheduler& scheduler,
                                   Metrics& metrics)
    : repository_(repository), scheduler_(scheduler), metrics_(metrics) {}

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
  request.model = {model->name, model->version_string, model->precision, model->kernel_set};
  request.executable = model->executable;
  request.model_owner = model;
  if (absl::Status status = BindRequest(*model->executable, request); !status.ok()) {
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
  scheduler_.Submit(worker, std::move(request));
}

void InferenceService::Reject(std::size_t worker, std::unique_ptr<InferenceRequest> request,
                              absl::Status error) {
  Refuse(std::move(request), worker, metrics_, std::move(error));
}

}  // namespace octet
