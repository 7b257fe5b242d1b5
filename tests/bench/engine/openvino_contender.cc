// SPDX-License-Identifier: Apache-2.0
// OpenVINO on an .onnx or .xml file, one thread. --variant is its precision: `default` (its own
// choice: bf16 where the CPU has it) or `f32`; behind it `-dq128` quantizes the activations of
// compressed weights at run time, in groups of 128, and `-dq0` leaves them floats.

#include <openvino/openvino.hpp>
#include <string>
#include <vector>

#include "tests/bench/engine/contender.h"

namespace octet::bench {
namespace {

ov::element::Type ElementType(DataType type) {
  switch (type) {
    case DataType::kFloat32:
      return ov::element::f32;
    case DataType::kInt32:
      return ov::element::i32;
    case DataType::kInt64:
      return ov::element::i64;
    case DataType::kInt8:
      return ov::element::i8;
    case DataType::kUint8:
      return ov::element::u8;
    default:
      Fail("OpenVINO gets no inputs of this type here");
  }
}

// PRECISION or PRECISION-dqGROUP.
ov::AnyMap Properties(const std::string& variant) {
  ov::AnyMap properties = {{"INFERENCE_NUM_THREADS", 1},
                           {"NUM_STREAMS", "1"},
                           {"PERFORMANCE_HINT", "LATENCY"},
                           {"ENABLE_CPU_PINNING", false}};
  const std::size_t dash = variant.find("-dq");
  const std::string precision = variant.substr(0, dash);
  if (precision != "default" && precision != "f32") {
    Fail("--variant is \"" + variant + "\", want default or f32, or one of them and -dqGROUP");
  }
  if (precision != "default") properties["INFERENCE_PRECISION_HINT"] = precision;
  if (dash != std::string::npos) {
    properties["DYNAMIC_QUANTIZATION_GROUP_SIZE"] = variant.substr(dash + 3);
  }
  return properties;
}

int Run(const ContenderOptions& options) {
  std::vector<Tensor> inputs = ReadInputs(options);
  ov::Core core;
  const auto model = core.read_model(options.model);
  std::map<std::size_t, ov::PartialShape> shapes;
  std::vector<ov::Tensor> tensors;
  for (std::size_t i = 0; i < inputs.size(); ++i) {
    const MutableTensorView view = inputs[i].mutable_view();
    const ov::Shape shape(view.dims.begin(), view.dims.end());
    shapes.emplace(i, shape);
    tensors.emplace_back(ElementType(inputs[i].data_type()), shape, view.data);
  }
  model->reshape(shapes);
  ov::CompiledModel compiled = core.compile_model(model, "CPU", Properties(options.variant));
  ov::InferRequest request = compiled.create_infer_request();
  for (std::size_t i = 0; i < tensors.size(); ++i) request.set_input_tensor(i, tensors[i]);
  request.infer();
  const ov::Tensor answer = request.get_output_tensor(0);
  const std::vector<std::int64_t> dims(answer.get_shape().begin(), answer.get_shape().end());
  WriteAnswer(options, {DataType::kFloat32, dims, answer.data<float>()});
  return Serve({.version = ov::get_openvino_version().buildNumber,
                .detail = options.variant,
                .run = [&] { request.infer(); }});
}

}  // namespace
}  // namespace octet::bench

int main(int argc, char** argv) {
  return octet::bench::ContenderMain(argc, argv, octet::bench::Run);
}
