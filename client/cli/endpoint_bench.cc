// SPDX-License-Identifier: Apache-2.0
#include "client/cli/endpoint_bench.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <random>
#include <span>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"

#include "client/cli/input_files.h"
#include "client/cli/table.h"
#include "client/client.h"
#include "models/base/status_macros.h"
#include "models/quality/agreement.h"
#include "models/quality/cosine.h"

namespace octet::cli {
namespace {

constexpr std::size_t kMaxInFlightWhileCollecting = 8;
constexpr std::int64_t kNumRandomRows = 64;

// One endpoint, ready to be measured.
struct Endpoint {
  client::ModelMetadata metadata;
  std::vector<std::string> requests;  // serialized
  std::int64_t num_rows = 0;          // of the input files; the last request may have fewer
};

absl::StatusOr<std::vector<InputSpecification>> Specifications(
    const client::ModelMetadata& metadata) {
  std::vector<InputSpecification> inputs;
  for (const client::TensorMetadata& input : metadata.inputs) {
    const auto type = ParseDataType(input.datatype);
    if (!type || input.shape.empty()) {
      return absl::UnimplementedError(absl::StrCat("input \"", input.name, "\" is ", input.datatype,
                                                   ToString(input.shape),
                                                   ", wants numbers in rows"));
    }
    inputs.push_back({.name = input.name, .data_type = *type, .dims = input.shape});
  }
  return inputs;
}

absl::StatusOr<std::vector<Tensor>> RandomInputs(const std::vector<InputSpecification>& inputs) {
  std::mt19937 random(20250101);
  std::normal_distribution<float> normal;
  std::vector<Tensor> tensors;
  for (const InputSpecification& input : inputs) {
    Dims dims = input.dims;
    dims[0] = kNumRandomRows;
    if (!CheckedNumElements(dims).ok()) {
      return absl::InvalidArgumentError(absl::StrCat("input \"", input.name,
                                                     "\" has the open shape ", ToString(input.dims),
                                                     ": give its rows with --input"));
    }
    Tensor tensor(input.data_type, dims);
    if (input.data_type == DataType::kFloat32) {
      for (float& value : tensor.as<float>()) value = normal(random);
    }
    tensors.push_back(std::move(tensor));
  }
  return tensors;
}

std::vector<std::string> Serialize(const std::string& model,
                                   const std::vector<InputSpecification>& inputs,
                                   const std::vector<Tensor>& tensors, std::int64_t batch) {
  std::vector<std::string> requests;
  const std::int64_t num_rows = NumRows(tensors);
  for (std::int64_t row = 0; row < num_rows; row += batch) {
    client::InferRequest request{.model = model};
    for (std::size_t i = 0; i < inputs.size(); ++i) {
      Dims dims;
      const TensorView view = Rows(tensors[i], row, dims);
      dims[0] = std::min(batch, num_rows - row);
      request.inputs.push_back(
          {.name = inputs[i].name,
           .datatype = std::string(DataTypeName(view.data_type)),
           .shape = dims,
           .bytes = std::string(view.as<char>(), ByteSize(view.data_type, dims))});
    }
    requests.push_back(client::SerializeInferRequest(request));
  }
  return requests;
}

absl::StatusOr<Endpoint> Prepare(client::Client& client, const std::string& model,
                                 const EndpointBenchOptions& options) {
  Endpoint endpoint;
  ASSIGN_OR_RETURN(endpoint.metadata, client.GetModelMetadata(model, "", options.timeout));
  ASSIGN_OR_RETURN(const std::vector<InputSpecification> inputs, Specifications(endpoint.metadata));
  ASSIGN_OR_RETURN(const std::vector<Tensor> tensors, options.inputs.empty()
                                                          ? RandomInputs(inputs)
                                                          : ReadInputFiles(options.inputs, inputs));
  endpoint.num_rows = NumRows(tensors);
  endpoint.requests = Serialize(model, inputs, tensors, options.batch);
  return endpoint;
}

client::LoadOptions ToLoadOptions(const EndpointBenchOptions& options,
                                  const std::vector<std::string>& requests) {
  return {.address = options.address,
          .requests = requests,
          .num_in_flight = options.num_in_flight,
          .requests_per_second = options.requests_per_second,
          .duration = options.duration / options.num_rounds,
          .timeout = options.timeout,
          .num_connections = options.num_connections,
          .credentials = options.credentials};
}

absl::Status FailureStatus(const client::LoadReport& load) {
  if (load.failures.empty()) return absl::OkStatus();
  const auto& [message, count] = *load.failures.begin();
  return absl::InternalError(absl::StrCat(load.num_failed(), " of ",
                                          load.num_failed() + load.num_answered,
                                          " requests failed, ", count, " with ", message));
}

// The first output of every row, in the order of the rows.
absl::StatusOr<Tensor> CollectOutputs(const Endpoint& endpoint,
                                      const EndpointBenchOptions& options) {
  std::vector<client::WireTensor> answers(endpoint.requests.size());
  absl::Status first_error;
  client::LoadOptions load = ToLoadOptions(options, endpoint.requests);
  load.num_in_flight = std::min(kMaxInFlightWhileCollecting, endpoint.requests.size());
  load.requests_per_second = 0;
  load.num_requests = endpoint.requests.size();
  load.on_response = [&](std::size_t index, const std::string& bytes) {
    auto response = client::ParseInferResponse(bytes);
    if (!response.ok()) {
      first_error.Update(response.status());
    } else if (response->outputs.empty()) {
      first_error.Update(absl::InternalError("the answer holds no output"));
    } else {
      answers[index] = std::move(response->outputs.front());
    }
  };
  ASSIGN_OR_RETURN(const client::LoadReport report, client::GenerateLoad(load));
  RETURN_IF_ERROR(FailureStatus(report));
  RETURN_IF_ERROR(first_error);
  std::string bytes;
  for (const client::WireTensor& answer : answers) {
    if (answer.datatype != "FP32") {
      return absl::UnimplementedError(
          absl::StrCat("output \"", answer.name, "\" is ", answer.datatype, ", wants FP32"));
    }
    bytes += answer.bytes;
  }
  const auto num_elements =
      static_cast<std::int64_t>(bytes.size() / sizeof(float)) / endpoint.num_rows;
  Tensor outputs(DataType::kFloat32, {endpoint.num_rows, num_elements});
  if (bytes.size() != outputs.bytes().size()) {
    return absl::InternalError(
        absl::StrCat("got ", bytes.size(), " bytes of output for ", endpoint.num_rows, " rows"));
  }
  std::memcpy(outputs.bytes().data(), bytes.data(), bytes.size());
  return outputs;
}

void Append(const client::LoadReport& from, client::LoadReport& to) {
  to.num_answered += from.num_answered;
  to.seconds += from.seconds;
  for (const auto& [message, count] : from.failures) to.failures[message] += count;
  to.latencies_us.insert(to.latencies_us.end(), from.latencies_us.begin(), from.latencies_us.end());
}

absl::StatusOr<double> Accuracy(const Tensor& outputs, const std::string& labels_path) {
  ASSIGN_OR_RETURN(const auto labels, ReadLabels(labels_path, outputs.dims()[0]));
  RETURN_IF_ERROR(CheckLabels(labels_path, labels, outputs.dims()[1]));
  return Top1Accuracy(outputs.as<float>(), labels);
}

void CompareWithFirst(std::vector<EndpointResult>& results) {
  const Tensor& first = results.front().outputs;
  const auto width = static_cast<std::size_t>(first.dims()[1]);
  for (EndpointResult& result : results) {
    if (&result == &results.front()) continue;
    // Models of another kind, or that answer nothing.
    if (result.outputs.dims() != first.dims() || width == 0) continue;
    result.agreement = Top1Agreement(first.as<float>(), result.outputs.as<float>(), width);
    result.cosine = MeanCosineSimilarity(first.as<float>(), result.outputs.as<float>(), width);
  }
}

std::string DescribeFailures(const EndpointResult& result) {
  const client::LoadReport& load = result.load;
  const std::uint64_t num_measured = load.num_failed() + load.num_answered;
  if (num_measured == 0) {
    return absl::StrCat("model \"", result.model, "\": no request fell into the time measured");
  }
  return absl::StrCat("model \"", result.model, "\": ", load.num_failed(), " of ", num_measured,
                      " measured requests failed, the first with ",
                      absl::StrJoin(load.failures, ", the first of others with ",
                                    [](std::string* out, const auto& failure) {
                                      absl::StrAppend(out, failure.first);
                                    }));
}

}  // namespace

absl::StatusOr<std::vector<EndpointResult>> BenchEndpoints(const EndpointBenchOptions& options) {
  if (options.batch < 1 || options.num_rounds < 1 || options.num_in_flight < 1) {
    return absl::InvalidArgumentError("--batch, --rounds and --concurrency must be at least 1");
  }
  client::Client client(options.address, options.credentials);
  std::vector<Endpoint> endpoints;
  std::vector<EndpointResult> results;
  for (const std::string& model : options.models) {
    absl::StatusOr<Endpoint> endpoint = Prepare(client, model, options);
    if (!endpoint.ok()) {
      return absl::Status(endpoint.status().code(),
                          absl::StrCat("model \"", model, "\": ", endpoint.status().message()));
    }
    EndpointResult result{.model = model};
    if (!endpoint->metadata.versions.empty()) result.version = endpoint->metadata.versions.back();
    ASSIGN_OR_RETURN(result.outputs, CollectOutputs(*endpoint, options));
    if (!options.labels.empty()) {
      ASSIGN_OR_RETURN(result.accuracy, Accuracy(result.outputs, options.labels));
    }
    endpoints.push_back(*std::move(endpoint));
    results.push_back(std::move(result));
  }
  for (int round = 0; round < options.num_rounds; ++round) {
    for (std::size_t i = 0; i < endpoints.size(); ++i) {
      ASSIGN_OR_RETURN(const client::LoadReport report,
                       client::GenerateLoad(ToLoadOptions(options, endpoints[i].requests)));
      Append(report, results[i].load);
    }
  }
  for (EndpointResult& result : results) {
    std::sort(result.load.latencies_us.begin(), result.load.latencies_us.end());
  }
  CompareWithFirst(results);
  return results;
}

absl::Status CheckAllAnswered(const std::vector<EndpointResult>& results) {
  for (const EndpointResult& result : results) {
    if (result.load.num_failed() > 0) return absl::UnavailableError(DescribeFailures(result));
  }
  return absl::OkStatus();
}

absl::Status CheckSomeAnswered(const std::vector<EndpointResult>& results) {
  for (const EndpointResult& result : results) {
    if (result.load.num_answered == 0) return absl::UnavailableError(DescribeFailures(result));
  }
  return absl::OkStatus();
}

std::string ResultTable(const std::vector<EndpointResult>& results) {
  Table table({"model", "accuracy", "agreement", "cosine", "p50 us", "p90 us", "p99 us",
               "requests/s", "failed"});
  const auto share = [](const std::optional<double>& value) {
    return value ? absl::StrFormat("%.2f %%", *value * 100) : std::string("-");
  };
  for (const EndpointResult& result : results) {
    table.AddRow({result.model, share(result.accuracy), share(result.agreement),
                  result.cosine ? absl::StrFormat("%.6f", *result.cosine) : "-",
                  absl::StrFormat("%.0f", result.load.Percentile(0.5)),
                  absl::StrFormat("%.0f", result.load.Percentile(0.9)),
                  absl::StrFormat("%.0f", result.load.Percentile(0.99)),
                  absl::StrFormat("%.0f", result.load.throughput()),
                  absl::StrCat(result.load.num_failed())});
  }
  return table.ToString();
}

nlohmann::ordered_json ResultJson(const std::vector<EndpointResult>& results) {
  auto json = nlohmann::ordered_json::array();
  const auto or_null = [](const std::optional<double>& value) {
    return value ? nlohmann::ordered_json(*value) : nlohmann::ordered_json(nullptr);
  };
  for (const EndpointResult& result : results) {
    json.push_back({{"model", result.model},
                    {"version", result.version},
                    {"rows", result.outputs.dims()[0]},
                    {"accuracy", or_null(result.accuracy)},
                    {"agreement", or_null(result.agreement)},
                    {"cosine", or_null(result.cosine)},
                    {"answered", result.load.num_answered},
                    {"failed", result.load.num_failed()},
                    {"failures", result.load.failures},
                    {"p50_us", result.load.Percentile(0.5)},
                    {"p90_us", result.load.Percentile(0.9)},
                    {"p99_us", result.load.Percentile(0.99)},
                    {"requests_per_second", result.load.throughput()}});
  }
  return json;
}

}  // namespace octet::cli
