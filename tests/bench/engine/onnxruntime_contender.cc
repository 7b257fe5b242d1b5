// SPDX-License-Identifier: Apache-2.0
// ONNX Runtime on an .onnx file, one thread.

#include <onnxruntime_cxx_api.h>
#include <string>
#include <vector>

#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

ONNXTensorElementDataType ElementType(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_FLOAT;
    case DataType::kInt32:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT32;
    case DataType::kInt64:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT64;
    case DataType::kInt8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_INT8;
    case DataType::kUint8:
      return ONNX_TENSOR_ELEMENT_DATA_TYPE_UINT8;
    default:
      Fail("ONNX Runtime gets no inputs of this type here");
  }
}

int Run(const ContenderOptions& options) {
  std::vector<Tensor> inputs = ReadInputs(options);
  Ort::Env environment(ORT_LOGGING_LEVEL_ERROR, "bench");
  Ort::SessionOptions session_options;
  session_options.SetIntraOpNumThreads(1);
  session_options.SetInterOpNumThreads(1);
  session_options.SetGraphOptimizationLevel(ORT_ENABLE_ALL);
  Ort::Session session(environment, options.model.c_str(), session_options);

  Ort::AllocatorWithDefaultOptions allocator;
  const auto memory = Ort::MemoryInfo::CreateCpu(OrtArenaAllocator, OrtMemTypeDefault);
  Ort::IoBinding binding(session);
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const MutableTensorView view = inputs[i].mutable_view();
    const std::vector<std::int64_t> dims(view.dims.begin(), view.dims.end());
    binding.BindInput(
        session.GetInputNameAllocated(i, allocator).get(),
        Ort::Value::CreateTensor(memory, view.data, inputs[i].bytes().size(), dims.data(),
                                 dims.size(), ElementType(inputs[i].data_type())));
  }
  // The first run finds the output's shape; then it stays where it is.
  const auto output_name = session.GetOutputNameAllocated(0, allocator);
  binding.BindOutput(output_name.get(), memory);
  const Ort::RunOptions run_options;
  session.Run(run_options, binding);
  Ort::Value answer = std::move(binding.GetOutputValues()[0]);
  const std::vector<std::int64_t> dims = answer.GetTensorTypeAndShapeInfo().GetShape();
  WriteAnswer(options, {DataType::kFloat32, dims, answer.GetTensorData<float>()});
  binding.ClearBoundOutputs();
  binding.BindOutput(output_name.get(), answer);
  return Serve({.version = Ort::GetVersionString(), .detail = options.variant, .run = [&] {
                  session.Run(run_options, binding);
                }});
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  return octet::bench::ContenderMain(argc, argv, octet::bench::Run);
}
