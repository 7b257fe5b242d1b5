// SPDX-License-Identifier: Apache-2.0
// Latency and throughput of one endpoint at 1, 8 and 32 requests in flight, beside the bare echo.
//
// Usage: endpoint_bench OCTET_ADDRESS MODEL ECHO_ADDRESS [SECONDS]

#include <chrono>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <random>
#include <string>
#include <vector>

#include "client/client.h"
#include "client/load_generator/load_generator.h"

namespace octet::client {
namespace {

// One row of random values between 0 and 1 for a model of FP32 inputs.
absl::StatusOr<std::string> MakeRequest(const std::string& address, const std::string& model) {
  Client client(address);
  const absl::StatusOr<ModelMetadata> metadata =
      client.GetModelMetadata(model, "", std::chrono::seconds(5));
  if (!metadata.ok()) return metadata.status();
  InferRequest request;
  request.model = model;
  std::mt19937 random(7);
  for (const TensorMetadata& input : metadata->inputs) {
    if (input.datatype != "FP32") {
      return absl::UnimplementedError("input \"" + input.name + "\" is not FP32");
    }
    WireTensor tensor{input.name, input.datatype, input.shape, ""};
    std::int64_t elements = 1;
    for (std::int64_t& dim : tensor.shape) elements *= dim = dim < 0 ? 1 : dim;
    for (std::int64_t i = 0; i < elements; ++i) {
      const float value = static_cast<float>(random() % 1024) / 1024.0F;
      tensor.bytes.append(reinterpret_cast<const char*>(&value), sizeof(value));
    }
    request.inputs.push_back(std::move(tensor));
  }
  return SerializeInferRequest(request);
}

int Measure(const char* name, const std::string& address, const std::string& request,
            std::chrono::milliseconds duration) {
  for (const std::size_t num_in_flight : {1U, 8U, 32U}) {
    LoadOptions options;
    options.address = address;
    options.requests = {request};
    options.num_in_flight = num_in_flight;
    options.duration = duration;
    const absl::StatusOr<LoadReport> report = GenerateLoad(options);
    if (!report.ok()) {
      std::cerr << name << ": " << report.status() << "\n";
      return 1;
    }
    std::printf("%-24s %9zu %9.1f %9.1f %9.1f %12.0f %7llu\n", name, num_in_flight,
                report->Percentile(0.5), report->Percentile(0.9), report->Percentile(0.99),
                report->throughput(), static_cast<unsigned long long>(report->num_failed()));
    std::fflush(stdout);
  }
  return 0;
}

int Main(int argc, char** argv) {
  if (argc < 4) {
    std::cerr << "usage: endpoint_bench OCTET_ADDRESS MODEL ECHO_ADDRESS [SECONDS]\n";
    return 2;
  }
  const std::chrono::milliseconds duration(argc > 4 ? 1000 * std::atoi(argv[4]) : 5000);
  const absl::StatusOr<std::string> request = MakeRequest(argv[1], argv[2]);
  if (!request.ok()) {
    std::cerr << request.status() << "\n";
    return 1;
  }
  std::printf("request: %zu bytes\n%-24s %9s %9s %9s %9s %12s %7s\n", request->size(), "endpoint",
              "in flight", "p50 us", "p90 us", "p99 us", "requests/s", "failed");
  if (const int failed = Measure("bare gRPC echo", argv[3], *request, duration)) return failed;
  return Measure(argv[2], argv[1], *request, duration);
}

}  // namespace
}  // namespace octet::client

int main(int argc, char** argv) { return octet::client::Main(argc, argv); }
