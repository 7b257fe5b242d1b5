// SPDX-License-Identifier: Apache-2.0
// A client for one server that speaks the Open Inference Protocol over gRPC: Octet, Triton, KServe,
// MLServer, and more.

#pragma once

#include <chrono>
#include <cstdint>
#include <map>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"

#include "client/credentials.h"

namespace octet::client {

// A tensor as it goes over the wire: row-major, little-endian.
struct WireTensor {
  std::string name;
  std::string datatype;  // "FP32", "INT8", ...
  std::vector<std::int64_t> shape;
  std::string bytes;
};

// What the server says of one input or output.
struct TensorMetadata {
  std::string name;
  std::string datatype;
  std::vector<std::int64_t> shape;  // -1: open
};

struct ModelMetadata {
  std::string name;
  std::vector<std::string> versions;
  std::string platform;
  std::vector<TensorMetadata> inputs;
  std::vector<TensorMetadata> outputs;
};

struct ServerMetadata {
  std::string name;
  std::string version;
};

// A row of the server's repository index.
struct IndexedModel {
  std::string name;
  std::string version;
  std::string state;  // "READY", "UNAVAILABLE", "LOADING", "UNLOADING"
  std::string reason;
};

struct InferRequest {
  std::string model;
  std::string version = {};  // empty: the server's choice
  std::string id = {};
  std::vector<WireTensor> inputs = {};
  bool wants_timing = false;  // asks Octet for what ran and how long it took
};

struct InferResponse {
  std::string model;
  std::string version;
  std::string id;
  std::vector<WireTensor> outputs;
  std::map<std::string, std::string> parameters;
};

// Thread safety: any thread may call any method.
class Client {
 public:
  // `address` is host:port or unix:PATH. Does not connect yet. Without `credentials` there is
  // neither TLS nor a token.
  explicit Client(const std::string& address,
                  std::shared_ptr<const Credentials> credentials = nullptr);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  // Each returns the server's error, or UNAVAILABLE if there is no server, or DEADLINE_EXCEEDED, or
  // what Credentials::CheckUseAt says of the address. client/explanation.h says why a server that
  // is there may be UNAVAILABLE.
  absl::StatusOr<bool> ServerReady(std::chrono::milliseconds timeout);
  absl::StatusOr<ServerMetadata> GetServerMetadata(std::chrono::milliseconds timeout);
  // Every version that the server knows of, ready or not.
  absl::StatusOr<std::vector<IndexedModel>> GetRepositoryIndex(std::chrono::milliseconds timeout);
  absl::StatusOr<ModelMetadata> GetModelMetadata(const std::string& model,
                                                 const std::string& version,
                                                 std::chrono::milliseconds timeout);
  absl::StatusOr<InferResponse> Infer(const InferRequest& request,
                                      std::chrono::milliseconds timeout);

 private:
  class Connection;
  std::unique_ptr<Connection> connection_;
};

// `request` in the protocol's bytes, tensors as raw contents: what the load generator sends.
std::string SerializeInferRequest(const InferRequest& request);
// The inverse of what a server answers. Returns INVALID_ARGUMENT for bytes that are no response, or
// whose raw contents do not match its outputs.
absl::StatusOr<InferResponse> ParseInferResponse(const std::string& bytes);

}  // namespace octet::client
