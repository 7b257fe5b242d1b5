// SPDX-License-Identifier: Apache-2.0
// A backend for Triton in C++, as fast as we can write one: no registry has any of Triton's own.
// A model with the parameter "onnx" runs that file on ONNX Runtime's CPU provider, the rows of all
// requests in one run on one thread; one without it answers with its input's bytes. Bytes are
// copied once at most on each side: a request that is alone is computed where it lies, and so is
// its answer.

#include <chrono>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <numeric>
#include <string>
#include <vector>

#include "nlohmann/json.hpp"

#include "onnxruntime_cxx_api.h"
#include "tests/bench/server/peers/triton_backend_api.h"

namespace {

using Error = TRITONSERVER_Error*;

Error Failure(TRITONSERVER_Error_Code code, const std::string& message) {
  return TRITONSERVER_ErrorNew(code, message.c_str());
}

// For calls whose failure nobody could be told.
void Ignore(Error error) {
  if (error != nullptr) TRITONSERVER_ErrorDelete(error);
}

struct Model {
  std::string input;
  std::string output;
  std::int64_t input_elements = 0;  // of a row
  std::int64_t output_elements = 0;
  std::unique_ptr<Ort::Env> environment;
  std::unique_ptr<Ort::Session> session;  // null: an identity
  Ort::MemoryInfo memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
};

// The input of one request.
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
  Error error = nullptr;  // once there is one, nothing more is done for the request
};

// Memory that is kept from batch to batch, and not cleared.
class Scratch {
 public:
  float* Get(std::size_t size) {
    if (size > size_) {
      data_ = std::make_unique_for_overwrite<float[]>(size);
      size_ = size;
    }
    return data_.get();
  }

 private:
  std::unique_ptr<float[]> data_;
  std::size_t size_ = 0;
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
    model->environment = std::make_unique<Ort::Env>(ORT_LOGGING_LEVEL_WARNING, "octetbench");
    model->session = std::make_unique<Ort::Session>(*model->environment, path.c_str(), options);
  }
  return model;
}

Error ReadRows(const Model& model, TRITONBACKEND_Request* request, Rows& rows) {
  if (Error error = TRITONBACKEND_RequestInputByIndex(request, 0, &rows.input)) return error;
  if (Error error =
          TRITONBACKEND_InputProperties(rows.input, nullptr, nullptr, &rows.shape, &rows.num_dims,
                                        &rows.byte_size, &rows.num_buffers)) {
    return error;
  }
  const std::int64_t row_bytes = model.input_elements * std::int64_t{sizeof(float)};
  if (rows.num_dims == 0 || rows.shape[0] < 1 ||
      static_cast<std::int64_t>(rows.byte_size) != rows.shape[0] * row_bytes) {
    return Failure(TRITONSERVER_ERROR_INVALID_ARG, "input of " + std::to_string(rows.byte_size) +
                                                       " bytes, want " + std::to_string(row_bytes) +
                                                       " for each row");
  }
  return nullptr;
}

Error GetBuffer(const Rows& rows, std::uint32_t i, const void*& buffer, std::uint64_t& size) {
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  std::int64_t id = 0;
  return TRITONBACKEND_InputBuffer(rows.input, i, &buffer, &size, &type, &id);
}

// Copies the input to `to`, which has room for rows.byte_size.
Error Copy(const Rows& rows, std::byte* to) {
  std::uint64_t left = rows.byte_size;
  for (std::uint32_t i = 0; i < rows.num_buffers; ++i) {
    const void* buffer = nullptr;
    std::uint64_t size = 0;
    if (Error error = GetBuffer(rows, i, buffer, size)) return error;
    if (size > left) return Failure(TRITONSERVER_ERROR_INTERNAL, "an input is larger than it says");
    std::memcpy(to, buffer, size);
    to += size;
    left -= size;
  }
  return nullptr;
}

// Makes room for the answer in the response.
Error MakeOutput(const Model& model, Work& work, const std::int64_t* shape, std::uint32_t num_dims,
                 std::uint64_t byte_size, void*& buffer) {
  TRITONBACKEND_Output* output = nullptr;
  if (Error error = TRITONBACKEND_ResponseOutput(work.response, &output, model.output.c_str(),
                                                 TRITONSERVER_TYPE_FP32, shape, num_dims)) {
    return error;
  }
  TRITONSERVER_MemoryType type = TRITONSERVER_MEMORY_CPU;
  std::int64_t id = 0;
  return TRITONBACKEND_OutputBuffer(output, &buffer, byte_size, &type, &id);
}

void AnswerWithInputs(const Model& model, std::vector<Work>& batch) {
  for (Work& work : batch) {
    if (work.error != nullptr) continue;
    const Rows& rows = work.rows;
    void* buffer = nullptr;
    work.error = MakeOutput(model, work, rows.shape, rows.num_dims, rows.byte_size, buffer);
    if (work.error == nullptr) work.error = Copy(rows, static_cast<std::byte*>(buffer));
  }
}

std::uint64_t OutputBytes(const Model& model, std::int64_t num_rows) {
  return static_cast<std::uint64_t>(num_rows * model.output_elements) * sizeof(float);
}

Error MakeRows(const Model& model, Work& work, void*& buffer) {
  const std::int64_t shape[] = {work.rows.shape[0], model.output_elements};
  return MakeOutput(model, work, shape, 2, OutputBytes(model, shape[0]), buffer);
}

// Throws what ONNX Runtime does.
void Run(Model& model, std::int64_t num_rows, float* inputs, float* outputs) {
  const auto tensor = [&](float* data, std::int64_t elements) {
    const std::int64_t shape[] = {num_rows, elements};
    return Ort::Value::CreateTensor<float>(model.memory, data,
                                           static_cast<std::size_t>(num_rows * elements), shape, 2);
  };
  const Ort::Value input = tensor(inputs, model.input_elements);
  Ort::Value output = tensor(outputs, model.output_elements);
  const char* const input_name = model.input.c_str();
  const char* const output_name = model.output.c_str();
  model.session->Run(Ort::RunOptions(nullptr), &input_name, &input, 1, &output_name, &output, 1);
}

// The request's rows where they lie; null if that is not in one piece that floats can be in.
float* InPlace(Work& work) {
  if (work.rows.num_buffers != 1) return nullptr;
  const void* buffer = nullptr;
  std::uint64_t size = 0;
  work.error = GetBuffer(work.rows, 0, buffer, size);
  const bool is_usable = work.error == nullptr && size == work.rows.byte_size &&
                         reinterpret_cast<std::uintptr_t>(buffer) % alignof(float) == 0;
  // ONNX Runtime takes inputs as mutable and only reads them.
  return is_usable ? const_cast<float*>(static_cast<const float*>(buffer)) : nullptr;
}

// A request that is alone. False: it has to be gathered after all.
bool RunInPlace(Model& model, Work& work) {
  float* const inputs = InPlace(work);
  if (inputs == nullptr) return work.error != nullptr;
  void* outputs = nullptr;
  work.error = MakeRows(model, work, outputs);
  if (work.error == nullptr) {
    Run(model, work.rows.shape[0], inputs, static_cast<float*>(outputs));
  }
  return true;
}

// The rows of all requests, in one run.
void RunTogether(Model& model, std::vector<Work>& batch, std::int64_t num_rows) {
  // An instance has a thread of its own, and with it these.
  static thread_local Scratch input_scratch;
  static thread_local Scratch output_scratch;
  float* const inputs =
      input_scratch.Get(static_cast<std::size_t>(num_rows * model.input_elements));
  float* const outputs =
      output_scratch.Get(static_cast<std::size_t>(num_rows * model.output_elements));
  auto* next = reinterpret_cast<std::byte*>(inputs);
  std::int64_t gathered = 0;
  for (Work& work : batch) {
    if (work.error != nullptr) continue;
    work.error = Copy(work.rows, next);
    if (work.error != nullptr) continue;  // the next one's rows take its place
    next += work.rows.byte_size;
    gathered += work.rows.shape[0];
  }
  if (gathered == 0) return;
  Run(model, gathered, inputs, outputs);
  const float* row = outputs;
  for (Work& work : batch) {
    if (work.error != nullptr) continue;
    void* buffer = nullptr;
    work.error = MakeRows(model, work, buffer);
    if (work.error == nullptr) {
      std::memcpy(buffer, row, OutputBytes(model, work.rows.shape[0]));
    }
    row += work.rows.shape[0] * model.output_elements;
  }
}

void Compute(Model& model, std::vector<Work>& batch, std::int64_t num_rows) {
  if (model.session == nullptr) {
    AnswerWithInputs(model, batch);
    return;
  }
  try {
    const bool is_alone = batch.size() == 1 && batch[0].error == nullptr;
    if (!is_alone || !RunInPlace(model, batch[0])) RunTogether(model, batch, num_rows);
  } catch (const std::exception& failure) {
    for (Work& work : batch) {
      if (work.error == nullptr) work.error = Failure(TRITONSERVER_ERROR_INTERNAL, failure.what());
    }
  }
}

struct Times {
  std::uint64_t start = 0;
  std::uint64_t compute_start = 0;
  std::uint64_t compute_end = 0;
};

void Send(TRITONBACKEND_ModelInstance* instance, Work& work, const Times& times) {
  if (work.response != nullptr) {
    Ignore(TRITONBACKEND_ResponseSend(work.response, TRITONSERVER_RESPONSE_COMPLETE_FINAL,
                                      work.error));
  }
  Ignore(TRITONBACKEND_ModelInstanceReportStatistics(instance, work.request, work.error == nullptr,
                                                     times.start, times.compute_start,
                                                     times.compute_end, Now()));
  Ignore(work.error);
  Ignore(TRITONBACKEND_RequestRelease(work.request, TRITONSERVER_REQUEST_RELEASE_ALL));
}

}  // namespace

extern "C" {

Error TRITONBACKEND_Initialize(TRITONBACKEND_Backend* /*backend*/) {
  std::uint32_t major = 0;
  std::uint32_t minor = 0;
  if (Error error = TRITONBACKEND_ApiVersion(&major, &minor)) return error;
  if (major == kTritonBackendMajorVersion) return nullptr;
  return Failure(TRITONSERVER_ERROR_UNSUPPORTED, "backend interface " + std::to_string(major) +
                                                     "." + std::to_string(minor) + ", want " +
                                                     std::to_string(kTritonBackendMajorVersion));
}

Error TRITONBACKEND_ModelInitialize(TRITONBACKEND_Model* triton_model) {
  TRITONSERVER_Message* message = nullptr;
  const char* text = nullptr;
  std::size_t size = 0;
  if (Error error = TRITONBACKEND_ModelConfig(triton_model, 1, &message)) return error;
  Error error = TRITONSERVER_MessageSerializeToJson(message, &text, &size);
  try {
    if (error == nullptr) {
      error = TRITONBACKEND_ModelSetState(
          triton_model, MakeModel(nlohmann::json::parse(text, text + size)).release());
    }
  } catch (const std::exception& failure) {
    error = Failure(TRITONSERVER_ERROR_INTERNAL, failure.what());
  }
  Ignore(TRITONSERVER_MessageDelete(message));
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
  TRITONBACKEND_Model* triton_model = nullptr;
  void* state = nullptr;
  if (Error error = TRITONBACKEND_ModelInstanceModel(instance, &triton_model)) return error;
  if (Error error = TRITONBACKEND_ModelState(triton_model, &state)) return error;
  Model& model = *static_cast<Model*>(state);
  Times times;
  times.start = Now();
  std::vector<Work> batch(count);
  std::int64_t num_rows = 0;
  for (std::uint32_t i = 0; i < count; ++i) {
    Work& work = batch[i];
    work.request = requests[i];
    work.error = TRITONBACKEND_ResponseNew(&work.response, work.request);
    if (work.error == nullptr) work.error = ReadRows(model, work.request, work.rows);
    if (work.error == nullptr) num_rows += work.rows.shape[0];
  }
  times.compute_start = Now();
  Compute(model, batch, num_rows);
  times.compute_end = Now();
  for (Work& work : batch) Send(instance, work, times);
  Ignore(TRITONBACKEND_ModelInstanceReportBatchStatistics(
      instance, static_cast<std::uint64_t>(num_rows), times.start, times.compute_start,
      times.compute_end, Now()));
  return nullptr;
}

}  // extern "C"
