// SPDX-License-Identifier: Apache-2.0
// A small bundle that has one of everything: a float layer, int8 and packed int4 weights shared
// between graph and layers, attributes of every type, a custom layer and a self-test.

#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <map>
#include <string>
#include <unistd.h>
#include <vector>

#include "models/bundle/bundle.h"

namespace octet::testing {

// A folder of its own, removed at the end.
class TemporaryDirectory {
 public:
  TemporaryDirectory() {
    static std::atomic<int> counter = 0;
    path_ = std::filesystem::temp_directory_path() /
            ("octet-test-" + std::to_string(getpid()) + "-" + std::to_string(counter++));
    std::filesystem::create_directories(path_);
  }
  ~TemporaryDirectory() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  TemporaryDirectory(const TemporaryDirectory&) = delete;
  TemporaryDirectory& operator=(const TemporaryDirectory&) = delete;
  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }

 private:
  std::filesystem::path path_;
};

inline std::string ReadWhole(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return {std::istreambuf_iterator<char>(file), {}};
}
inline void WriteWhole(const std::string& path, const std::string& bytes) {
  std::ofstream(path, std::ios::binary | std::ios::trunc)
      .write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
}

// x [rows, 4] -> int4 Dense [3] -> int8 Dense [2].
inline Bundle SmallBundle() {
  Bundle bundle;
  const ConstantTensor packed = ConstantTensor::Copy(
      DataType::kInt8, {4, 2}, std::vector<std::int8_t>{0x21, 0x03, -0x0f, 0x01, 0x77, 0, 1, 2});
  const ConstantTensor packed_scale =
      ConstantTensor::Copy(DataType::kFloat32, {3}, std::vector<float>{7.0F, 14.0F, 3.5F});
  const ConstantTensor kernel = ConstantTensor::Copy(
      DataType::kInt8, {3, 2}, std::vector<std::int8_t>{127, -127, 1, 2, 3, 4});
  const ConstantTensor bias =
      ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{0.5F, -0.25F});
  const ConstantTensor scale =
      ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{100.0F, 50.0F});

  Graph& graph = bundle.graph;
  const auto add = [&graph](const std::string& name, TensorType type) {
    graph.values.push_back({name, std::move(type), std::nullopt});
    return static_cast<ValueId>(graph.values.size() - 1);
  };
  const auto add_constant = [&graph](const std::string& name, const ConstantTensor& tensor) {
    graph.values.push_back(
        {name, {tensor.data_type(), ToShape(tensor.dims()), std::nullopt}, tensor});
    return static_cast<ValueId>(graph.values.size() - 1);
  };
  const ValueId x = add("x", {DataType::kFloat32, {Dim(kRows), 4}, std::nullopt});
  const ValueId w1 = add_constant("first/kernel",
                                  ConstantTensor::Copy(DataType::kInt4, {4, 3}, packed.bytes(), 1));
  const ValueId s1 = add_constant("first/kernel_scale", packed_scale);
  const ValueId h = add("h", {DataType::kFloat32, {Dim(kRows), 3}, std::nullopt});
  const ValueId w2 = add_constant("second/kernel", kernel);
  const ValueId s2 = add_constant("second/kernel_scale", scale);
  const ValueId b2 = add_constant("second/bias", bias);
  const ValueId y = add("y", {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt});
  graph.nodes.push_back(
      {"first", "FullyConnected", {x, w1, s1}, {h}, {{"activation", std::string("relu")}}});
  graph.nodes.push_back({"second",
                         "FullyConnected",
                         {h, w2, s2, kNoValue, b2},
                         {y},
                         {{"activation_quantization", std::string("dynamic")},
                          {"dynamic_epsilon", 1e-7},
                          {"dynamic_range", std::int64_t{127}}}});
  graph.inputs = {x};
  graph.outputs = {y};

  bundle.layers.push_back({"first",
                           "Dense",
                           "",
                           "int4",
                           "int4_from_float32",
                           "layers/dense/vars",
                           {{"kernel", packed, ""}, {"kernel_scale", packed_scale, "reciprocal"}},
                           Packing{.bits = 4, .axis = -1, .original_length = 3},
                           {{"units", "3"}}});
  bundle.layers.push_back(
      {"second",
       "Dense",
       "",
       "int8",
       "int8_from_float32",
       "layers/dense_1/vars",
       {{"kernel", kernel, ""}, {"bias", bias, ""}, {"kernel_scale", scale, "reciprocal"}},
       std::nullopt,
       {{"units", "2"}}});
  bundle.layers.push_back({"third",
                           "SimpleScale",
                           "Custom>SimpleScale",
                           "float",
                           "float32",
                           "layers/simple_scale/vars",
                           {{"kernel", bias, ""}},
                           std::nullopt,
                           {}});
  SelfTest test;
  test.inputs.emplace_back(DataType::kFloat32, Dims{4, 4});
  test.outputs.emplace_back(DataType::kFloat32, Dims{4, 2});
  for (float& value : test.outputs[0].as<float>()) value = 0.25F;
  bundle.self_test = std::move(test);
  bundle.source = {"keras", "3.16.0", std::string(64, 'a')};
  bundle.precision = "int4";
  bundle.class_labels = {"no", "yes"};
  return bundle;
}

}  // namespace octet::testing
