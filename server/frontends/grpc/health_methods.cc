// SPDX-License-Identifier: Apache-2.0

#include <string>

#include "absl/status/status.h"
#include "absl/strings/str_cat.h"

#include "models/base/quoted.h"
#include "proto/grpc/health/v1/health.pb.h"
#include "server/frontends/grpc/control_methods.h"

namespace octet {
namespace {

using grpc::health::v1::HealthCheckRequest;
using grpc::health::v1::HealthCheckResponse;

bool IsKnown(const std::string& service) {
  return service.empty() || service == "inference.GRPCInferenceService";
}

HealthCheckResponse StateOf(const InferenceService& service) {
  HealthCheckResponse response;
  response.set_status(service.is_ready() ? HealthCheckResponse::SERVING
                                         : HealthCheckResponse::NOT_SERVING);
  return response;
}

}  // namespace

void AddHealthMethods(const ControlRooms& rooms, ControlMethods& methods) {
  const InferenceService& service = rooms.service;
  methods["/grpc.health.v1.Health/Check"] = {
      ControlMethod::Kind::kUnary,
      Handle<HealthCheckRequest, HealthCheckResponse>(
          [&service](const HealthCheckRequest& request) -> absl::StatusOr<HealthCheckResponse> {
            if (IsKnown(request.service())) return StateOf(service);
            return absl::NotFoundError(
                absl::StrCat("service ", Quoted(request.service()),
                             " is unknown; wants \"\" or \"inference.GRPCInferenceService\""));
          })};
  methods["/grpc.health.v1.Health/Watch"] = {
      ControlMethod::Kind::kWatch,
      Handle<HealthCheckRequest, HealthCheckResponse>(
          [&service](const HealthCheckRequest& request) -> absl::StatusOr<HealthCheckResponse> {
            if (IsKnown(request.service())) return StateOf(service);
            HealthCheckResponse response;
            response.set_status(HealthCheckResponse::SERVICE_UNKNOWN);
            return response;
          })};
}

}  // namespace octet
