// SPDX-License-Identifier: Apache-2.0
// A backend for Triton in C++, as fast as we can write one: no registry has any of Triton's own.
// A model with the parameter "onnx" runs that file on ONNX Runtime, the rows of all requests in one
// run on one thread; one without it answers with its input's bytes, copied once.

#include <chrono>
#include <cstdint>
#include <cstring>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"
#include "onnxruntime_cxx_api.h"

#include "tests/bench/server/peers/triton_backend_api.h"

namespace {

using Error = TRITONSERVER_Error*;

Error Failure(const std::string& message) {
  return TRITONSERVER_ErrorNew(TRITONSERVER_ERROR_INTERNAL, message.c_str());
}

struct Model {
  std::string input;
  std::string output;
  std::int64_t input_elements = 0;  // of a row
  std::int64_t output_elements = 0;
  std::unique_ptr<Ort::Env> environment;
  std::unique_ptr<Ort::Session> session;  // null: an identity
};

// An input of one request.
struct Rows {
  TRITONBACKEND_Input* input = nullptr;
  const std::int64_t* shape = nullptr;
  std::uint32_t num_dims = 0;
  std::uint64_t byte_size = 0;
  std::uint32_t num_buffers = 0;
};

struct Work {
  TRITONBACKEND_Request* request = nullptr;
  TRITONBACKEND_Response* response = nullptr;
  Rows rows;
  Error error = nullptr;
};

std::uint64_t Now() {
  return static_cast<std::uint64_t>(std::chrono::steady_clock::now().time_since_epoch().count());
}

std::int64_t Elements(const nlohmann::json& tensor) {
  const auto dims = tensor.at("dims").get<std::vector<std::int64_t>>();
  return std::accumulate(dims.begin(), dims.end(), std::int64_t{1}, std::multiplies<>());
}

std::unique_ptr<Model> MakeModel(const nlohmann::json& config) {
  auto model = std::make_unique<Model>();
  const nlohmann::json& input = config.at("input").at(0);
  const nlohmann::json& output = config.at("output").at(0);
  model->input = input.at("name");
  model->output = output.at("name");
  model->input_elements = Elements(input);
  model->output_elements = Elements(output);
  if (const auto parameters = config.find("parameters");
      parameters != config.end() && parameters->contains("onnx")) {
    const std::string path = parameters->at("onnx").at("string_value");
    Ort::SessionOptions options;
    options.SetIntraOpNumThreads(1);
    options.SetInterOpNumThreads(1);
    model->environment = std::make_unique<Ort::Env>(ORT_LOGGING_LEVEL_WARNING, "octet-bench");
    model->session = std::make_unique<Ort::Session>(*model->environment, path.c_str(), options);
  }
  return model;
}

Error ReadRows(TRITONBACKEND_Request* request, Rows& rows) {
  if (Error error = TRITONBACKEND_RequestInputByIndex(request, 0, &rows.input)) return error;
  return TRITONBACKEND_InputProperties(rows.input, nullptr, nullptr, &rows.shape, &rows.num_dims,
                                       &rows.byte_size, &rows.num_buffers);
}

// Copies the input to `to`, which has room for rows.byte_size.
Error Copy(const Rows& rows, std::byte* to) {
  for (std::uint32_t i = 0; i < rows.num_buffers; ++i) {
    const void* buffer = nullptr;
    std::uint64_t size = 0;
    TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
    std::int64_t id = 0;
    if (Error error = TRITONBACKEND_InputBuffer(rows.input, i, &buffer, &size, &type, &id)) {
      return error;
    }
    std::memcpy(to, buffer, size);
    to += size;
  }
  return nullptr;
}

// Makes room for the answer in the response.
Error MakeOutput(const Model& model, Work& work, const std::vector<std::int64_t>& shape,
                 std::uint64_t byte_size, void*& buffer) {
  TRITONBACKEND_Output* output = nullptr;
  if (Error error = TRITONBACKEND_ResponseOutput(work.response, &output, model.output.c_str(),
                                                 TRITONSERVER_TYPE_FP32, shape.data(),
                                                 static_cast<std::uint32_t>(shape.size()))) {
    return error;
  }
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  std::int64_t id = 0;
  return TRITONBACKEND_OutputBuffer(output, &buffer, byte_size, &type, &id);
}

void AnswerWithInputs(const Model& model, std::vector<Work>& batch) {
  for (Work& work : batch) {
    void* buffer = nullptr;
    const Rows& rows = work.rows;
    if (work.error == nullptr) {
      work.error = MakeOutput(model, work, {rows.shape, rows.shape + rows.num_dims},
                              rows.byte_size, buffer);
    }
    if (work.error == nullptr) work.error = Copy(rows, static_cast<std::byte*>(buffer));
  }
}

void FailAll(std::vector<Work>& batch, const std::string& message) {
  for (Work& work : batch) {
    if (work.error == nullptr) work.error = Failure(message);
  }
}

// The rows of all requests, in one run. `scratch` keeps its memory from batch to batch.
void RunTogether(Model& model, std::vector<Work>& batch, std::int64_t num_rows,
                 std::vector<float>& inputs, std::vector<float>& outputs) {
  inputs.resize(static_cast<std::size_t>(num_rows * model.input_elements));
  outputs.resize(static_cast<std::size_t>(num_rows * model.output_elements));
  auto* next = reinterpret_cast<std::byte*>(inputs.data());
  for (Work& work : batch) {
    if (work.error == nullptr) work.error = Copy(work.rows, next);
    next += work.rows.byte_size;
  }
  const Ort::MemoryInfo memory =
      Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  const std::int64_t input_dims[] = {num_rows, model.input_elements};
  const std::int64_t output_dims[] = {num_rows, model.output_elements};
  const Ort::Value input = Ort::Value::CreateTensor<float>(memory, inputs.data(), inputs.size(),
                                                           input_dims, 2);
  Ort::Value output = Ort::Value::CreateTensor<float>(memory, outputs.data(), outputs.size(),
                                                      output_dims, 2);
  const char* const input_name = model.input.c_str();
  const char* const output_name = model.output.c_str();
  model.session->Run(Ort::RunOptions(nullptr), &input_name, &input, 1, &output_name, &output, 1);
  const float* row = outputs.data();
  for (Work& work : batch) {
    const std::int64_t elements = work.rows.shape[0] * model.output_elements;
    const auto byte_size = static_cast<std::uint64_t>(elements) * sizeof(float);
    void* buffer = nullptr;
    if (work.error == nullptr) {
      work.error = MakeOutput(model, work, {work.rows.shape[0], model.output_elements}, byte_size,
                              buffer);
    }
    if (work.error == nullptr) std::memcpy(buffer, row, byte_size);
    row += elements;
  }
}

}  // namespace

extern "C" {

Error TRITONBACKEND_Initialize(TRITONBACKEND_Backend* /*backend*/) {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  if (Error error = TRITONBACKEND_ApiVersion(&major, &minor)) return error;
  if (major == kTritonBackendMajorVersion) return nullptr;
  return TRITONSERVER_ErrorNew(
      TRITONSERVER_ERROR_UNSUPPORTED,
      ("backend interface " + std::to_string(major) + ", want 1").c_str());
}

Error TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* triton_model) {
  TRITONSERVER_Message* message = nullptr;
  const char* text = nullptr;
  std::size_t size = 0;
  if (Error error = TRITONBACKEND_ModelConfig(triton_model, 1, &message)) return error;
  if (Error error = TRITONSERVER_MessageSerializeToJson(message, &text, &size)) return error;
  Error error = nullptr;
  try {
    error = TRITONBACKEND_ModelSetState(
        triton_model, MakeModel(nlohmann::json::parse(text, text + size)).release());
  } catch (const std::exception& failure) {
    error = Failure(failure.what());
  }
  TRITONSERVER_MessageDelete(message);
  return error;
}

Error TRITONBACKEND_ModelFinalize(TRITONBACKEND_Model* triton_model) {
  void* state = nullptr;
  if (Error error = TRITONBACKEND_ModelState(triton_model, &state)) return error;
  delete static_cast<Model*>(state);
  return nullptr;
}

Error TRITONBACKEND_ModelInstanceExecute(TRITONBACKEND_ModelInstance* instance,
                                         TRITONBACKEND_Request** requests, std::uint32_t count) {
  // One instance, one thread: they keep their memory.
  static thread_local std::vector<float> inputs;
  static thread_local std::vector<float> outputs;
  TRITONBACKEND_Model* triton_model = nullptr;
  void* state = nullptr;
  if (Error error = TRITONBACKEND_ModelInstanceModel(instance, &triton_model)) return error;
  if (Error error = TRITONBACKEND_ModelState(triton_model, &state)) return error;
  Model& model = *static_cast<Model*>(state);
  const std::uint64_t start = Now();
  std::vector<Work> batch(count);
  std::int64_t num_rows = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Work& work = batch[i];
    work.request = requests[i];
    work.error = TRITONBACKEND_ResponseNew(&work.response, work.request);
    if (work.error == nullptr) work.error = ReadRows(work.request, work.rows);
    if (work.error == nullptr) num_rows += work.rows.shape[0];
  }
  const std::uint64_t compute_start = Now();
  if (model.session == nullptr) {
    AnswerWithInputs(model, batch);
  } else {
    try {
      RunTogether(model, batch, num_rows, inputs, outputs);
    } catch (const std::exception& failure) {
      FailAll(batch, failure.what());
    }
  }
  const std::uint64_t compute_end = Now();
  for (Work& work : batch) {
    const bool is_good = work.error == nullptr;
    if (work.response != nullptr) {
      TRITONBACKEND_ResponseSend(work.response, TRITONSERVER_RESPONSE_COMPLETE_FINAL, work.error);
    }
    TRITONBACKEND_ModelInstanceReportStatistics(instance, work.request, is_good, start,
                                                compute_start, compute_end, Now());
    TRITONBACKEND_RequestRelease(work.request, TRITONSERVER_REQUEST_RELEASE_ALL);
  }
  TRITONBACKEND_ModelInstanceReportBatchStatistics(
      instance, static_cast<std::uint64_t>(num_rows), start, compute_start, compute_end, Now());
  return nullptr;
}

}  // extern "C"
