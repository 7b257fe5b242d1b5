// SPDX-License-Identifier: Apache-2.0

#include <string>
#include <utility>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "proto/inference/open_inference_grpc.pb.h"
#include "server/frontends/grpc/control_methods.h"
#include "server/inference/repository_requests.h"

namespace octet {
namespace {

template <typename Parameters>
absl::Status CheckParameters(const Parameters& parameters) {
  for (const auto& [name, value] : parameters) {
    RETURN_IF_ERROR(CheckRepositoryParameter(name));
  }
  return absl::OkStatus();
}

// What both methods ask of a request.
template <typename Request>
absl::StatusOr<std::string> ReadModelName(absl::string_view message) {
  Request request;
  if (!request.ParseFromArray(message.data(), static_cast<int>(message.size()))) {
    return absl::InvalidArgumentError(
        absl::StrCat("the request's bytes are no ", Request::descriptor()->full_name()));
  }
  if (!request.repository_name().empty() && request.model_name().empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got repository_name ", Quoted(request.repository_name()),
                     " and no model_name, wants the model's name in model_name, which is field 2 "
                     "here and in Triton, field 1 in KServe's clients"));
  }
  RETURN_IF_ERROR(CheckRepositoryName(request.repository_name()));
  RETURN_IF_ERROR(CheckModelName(request.model_name()));
  RETURN_IF_ERROR(CheckParameters(request.parameters()));
  return request.model_name();
}

using LoaderCall = void (RepositoryLoader::*)(const std::string&, RepositoryLoader::Done);

template <typename Request, typename Response>
ControlMethod Method(const ControlRooms& rooms, LoaderCall operation) {
  ControlMethod method;
  method.begin = [rooms, operation](absl::string_view message, const std::string& /*peer*/,
                                    LaterAnswer answer) {
    const absl::StatusOr<std::string> model = ReadModelName<Request>(message);
    if (!model.ok()) return answer(model.status());
    (rooms.loader->*operation)(*model, [answer = std::move(answer)](const absl::Status& status) {
      if (!status.ok()) return answer(status);
      answer(Response().SerializeAsString());
    });
  };
  return method;
}

}  // namespace

void AddRepositoryMethods(const ControlRooms& rooms, ControlMethods& methods) {
  methods["/inference.GRPCInferenceService/RepositoryModelLoad"] =
      Method<inference::RepositoryModelLoadRequest, inference::RepositoryModelLoadResponse>(
          rooms, &RepositoryLoader::Load);
  methods["/inference.GRPCInferenceService/RepositoryModelUnload"] =
      Method<inference::RepositoryModelUnloadRequest, inference::RepositoryModelUnloadResponse>(
          rooms, &RepositoryLoader::Unload);
}

}  // namespace octet
