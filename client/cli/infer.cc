// SPDX-License-Identifier: Apache-2.0
// `octet infer`: a model of a running server on given inputs.

#include <algorithm>
#include <chrono>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <iostream>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"

#include "client/cli/commands.h"
#include "client/cli/input_files.h"
#include "client/cli/npy.h"
#include "client/cli/server_options.h"
#include "client/client.h"
#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

constexpr std::int64_t kMaxRowsPrinted = 16;

struct InferOptions {
  std::string model;
  std::string version;
  ServerOptions server;
  std::vector<std::string> inputs;
  std::string output;
  std::int64_t timeout_ms = 10000;
};

absl::StatusOr<client::InferRequest> MakeRequest(client::Client& client,
                                                 const InferOptions& options) {
  const std::chrono::milliseconds timeout(options.timeout_ms);
  ASSIGN_OR_RETURN(const auto metadata,
                   client.GetModelMetadata(options.model, options.version, timeout));
  std::vector<InputSpecification> specifications;
  for (const auto& input : metadata.inputs) {
    const auto type = ParseDataType(input.datatype);
    if (!type) {
      return absl::UnimplementedError(
          absl::StrCat("input \"", input.name, "\" is ", input.datatype, ", wants a number"));
    }
    specifications.push_back({.name = input.name, .data_type = *type, .dims = input.shape});
  }
  ASSIGN_OR_RETURN(const auto tensors, ReadInputFiles(options.inputs, specifications));
  client::InferRequest request{.model = options.model,
                               .version = options.version,
                               .id = "octet",
                               .inputs = {},
                               .wants_timing = true};
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto bytes = tensors[i].bytes();
    request.inputs.push_back(
        {.name = specifications[i].name,
         .datatype = std::string(DataTypeName(tensors[i].data_type())),
         .shape = tensors[i].dims(),
         .bytes = std::string(reinterpret_cast<const char*>(bytes.data()), bytes.size())});
  }
  return request;
}

void Print(const Tensor& tensor) {
  const std::int64_t num_rows = tensor.dims().empty() ? 1 : tensor.dims()[0];
  const auto values = tensor.as<float>();
  if (tensor.data_type() != DataType::kFloat32 || values.empty()) return;
  const auto width = static_cast<std::ptrdiff_t>(values.size()) / num_rows;
  for (std::int64_t row = 0; row < std::min(num_rows, kMaxRowsPrinted); ++row) {
    const auto begin = values.begin() + row * width;
    const auto largest = std::max_element(begin, begin + width);
    std::cout << "  row " << row << ": largest at " << largest - begin << ", " << *largest << "\n";
  }
  if (num_rows > kMaxRowsPrinted) {
    std::cout << "  and " << num_rows - kMaxRowsPrinted << " rows more: --output writes all\n";
  }
}

absl::StatusOr<Tensor> ToTensor(const client::WireTensor& wire) {
  const auto type = ParseDataType(wire.datatype);
  if (!type) return absl::UnimplementedError(absl::StrCat("got an output of ", wire.datatype));
  RETURN_IF_ERROR(CheckedNumElements(wire.shape).status());
  if (ByteSize(*type, wire.shape) != wire.bytes.size()) {
    return absl::InternalError(absl::StrCat("output \"", wire.name, "\" has ", wire.bytes.size(),
                                            " bytes for ", wire.datatype, ToString(wire.shape)));
  }
  Tensor tensor(*type, wire.shape);
  std::memcpy(tensor.bytes().data(), wire.bytes.data(), wire.bytes.size());
  return tensor;
}

absl::StatusOr<client::InferResponse> Ask(const InferOptions& options,
                                          std::shared_ptr<const client::Credentials> credentials) {
  client::Client client(options.server.address, std::move(credentials));
  ASSIGN_OR_RETURN(const auto request, MakeRequest(client, options));
  return client.Infer(request, std::chrono::milliseconds(options.timeout_ms));
}

absl::Status Infer(const InferOptions& options) {
  ASSIGN_OR_RETURN(const auto credentials, LoadCredentials(options.server));
  const auto answer = Ask(options, credentials);
  if (!answer.ok()) {
    return Explain(answer.status(), options.server, credentials.get());
  }
  const client::InferResponse& response = *answer;
  std::cout << response.model << " version " << response.version;
  for (const auto& [name, value] : response.parameters) std::cout << "  " << name << "=" << value;
  std::cout << "\n";
  for (const client::WireTensor& output : response.outputs) {
    std::cout << output.name << "  " << output.datatype << ToString(output.shape) << "\n";
    ASSIGN_OR_RETURN(const Tensor tensor, ToTensor(output));
    if (options.output.empty()) {
      Print(tensor);
      continue;
    }
    std::error_code error;
    std::filesystem::create_directories(options.output, error);
    std::string name = output.name;
    std::replace_if(
        name.begin(), name.end(), [](char c) { return c == '/' || c == ':'; }, '_');
    RETURN_IF_ERROR(WriteNpy((std::filesystem::path(options.output) / (name + ".npy")).string(),
                             tensor.view()));
  }
  return absl::OkStatus();
}

}  // namespace

void AddInfer(CLI::App& app, absl::Status& result) {
  auto* const command = app.add_subcommand(
      "infer",
      "Ask a running server.\nExample: octet infer digits-int8 --address localhost:8001 "
      "--input digits.npy");
  const auto options = std::make_shared<InferOptions>();
  command->add_option("model", options->model, "The model's name on the server")->required();
  command->add_option("--model-version", options->version, "Default: the server's choice");
  AddServerOptions(*command, options->server);
  command->add_option("--input", options->inputs,
                      "NAME=FILE.npy, or FILE.npy for a single input; every input of the model");
  command->add_option("--output", options->output, "Folder for NAME.npy; default: print");
  command->add_option("--timeout-ms", options->timeout_ms, "Milliseconds to wait")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  command->callback([options, &result] { result = Infer(*options); });
}

}  // namespace octet::cli
