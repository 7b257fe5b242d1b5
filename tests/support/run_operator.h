// SPDX-License-Identifier: Apache-2.0
// Runs one operator on literal inputs, as the runtime would: infer, prepare, run.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/operator.h"
#include "models/tensor/shape.h"
#include "models/tensor/tensor.h"

namespace octet {

// The kernel sets that this CPU can run, for INSTANTIATE_TEST_SUITE_P.
inline std::vector<const kernels::KernelSet*> RunnableKernelSets() {
  std::vector<const kernels::KernelSet*> sets;
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (set->runs_here()) sets.push_back(set);
  }
  return sets;
}

inline std::string KernelSetName(const ::testing::TestParamInfo<const kernels::KernelSet*>& info) {
  return std::string(info.param->name);
}

// A test that runs once for each kernel set.
class OperatorTest : public ::testing::TestWithParam<const kernels::KernelSet*> {
 protected:
  void SetUp() override { kernels::PrepareThread(); }
  static const kernels::KernelSet& Kernels() { return *GetParam(); }
};

#define OCTET_FOR_EVERY_KERNEL_SET(suite)                                                \
  INSTANTIATE_TEST_SUITE_P(KernelSets, suite, ::testing::ValuesIn(RunnableKernelSets()), \
                           KernelSetName)

template <typename T>
Tensor MakeTensor(DataType type, Dims dims, const std::vector<T>& elements) {
  Tensor tensor(type, std::move(dims));
  EXPECT_EQ(tensor.bytes().size(), elements.size() * sizeof(T));
  if (!elements.empty()) {
    std::memcpy(tensor.bytes().data(), elements.data(),
                std::min(tensor.bytes().size(), elements.size() * sizeof(T)));
  }
  return tensor;
}
inline Tensor Floats(Dims dims, const std::vector<float>& elements) {
  return MakeTensor(DataType::kFloat32, std::move(dims), elements);
}
inline Tensor Int8s(Dims dims, const std::vector<std::int8_t>& elements) {
  return MakeTensor(DataType::kInt8, std::move(dims), elements);
}
inline Tensor Int16s(Dims dims, const std::vector<std::int16_t>& elements) {
  return MakeTensor(DataType::kInt16, std::move(dims), elements);
}
inline Tensor Bools(Dims dims, const std::vector<std::uint8_t>& elements) {
  return MakeTensor(DataType::kBool, std::move(dims), elements);
}
inline ConstantTensor FloatConstant(Dims dims, const std::vector<float>& elements) {
  return ConstantTensor::Copy(DataType::kFloat32, std::move(dims), elements);
}

template <typename T>
std::vector<T> Elements(const Tensor& tensor) {
  const std::span<const T> elements = tensor.as<T>();
  return {elements.begin(), elements.end()};
}

inline TensorQuantization Quantization(float scale, std::int32_t zero_point) {
  return {kernels::Scale{scale}, kernels::ZeroPoint{zero_point}};
}

// `count` numbers between -1 and 1 that look random and are the same everywhere.
inline std::vector<float> Noise(std::size_t count, std::uint32_t seed) {
  std::vector<float> values(count);
  for (float& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<float>(seed >> 8) / 8388608.0F - 1.0F;
  }
  return values;
}
inline std::vector<std::int8_t> Int8Noise(std::size_t count, std::uint32_t seed) {
  std::vector<std::int8_t> values(count);
  for (std::int8_t& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<std::int8_t>(static_cast<std::int32_t>(seed >> 24) - 128);
  }
  return values;
}

inline std::vector<std::int16_t> Int16Noise(std::size_t count, std::uint32_t seed) {
  std::vector<std::int16_t> values(count);
  for (std::int16_t& value : values) {
    seed = seed * 1664525U + 1013904223U;
    value = static_cast<std::int16_t>(static_cast<std::int32_t>(seed >> 16) - 32768);
  }
  return values;
}

inline std::vector<std::uint8_t> Uint8Noise(std::size_t count, std::uint32_t seed) {
  std::vector<std::uint8_t> values;
  for (const std::int8_t value : Int8Noise(count, seed)) {
    values.push_back(static_cast<std::uint8_t>(value + 128));
  }
  return values;
}

// One use of an operator, built up input by input. Activations have the open dimension "rows".
class OperatorRun {
 public:
  explicit OperatorRun(std::unique_ptr<const Operator> op) : op_(std::move(op)) {
    node_.name = "under_test";
    node_.op = std::string(op_->name());
    node_.outputs = {100};
  }

  OperatorRun& Input(Tensor x, std::optional<TensorQuantization> quantization = std::nullopt) {
    TensorType type{x.data_type(), ToShape(x.dims()), quantization};
    if (!type.shape.empty()) type.shape[0] = Dim(kRows);
    return Append(std::move(type), std::nullopt, std::move(x));
  }
  OperatorRun& Constant(ConstantTensor constant) {
    TensorType type{constant.data_type(), ToShape(constant.dims()), std::nullopt};
    return Append(std::move(type), std::move(constant), Tensor());
  }
  OperatorRun& Absent() {
    Append(TensorType(), std::nullopt, Tensor());
    node_.inputs.back() = kNoValue;
    return *this;
  }
  OperatorRun& With(const std::string& key, Attribute value) {
    node_.attributes[key] = std::move(value);
    return *this;
  }
  OperatorRun& Outputs(int count) {
    node_.outputs.clear();
    for (int i = 0; i < count; ++i) node_.outputs.push_back(100 + i);
    return *this;
  }

  // Makes axis `axis` of input `index` the open dimension "s<axis>".
  OperatorRun& Open(std::size_t index, std::size_t axis) {
    return OpenAs(index, axis, Symbol{static_cast<std::int32_t>(axis)});
  }
  OperatorRun& OpenAs(std::size_t index, std::size_t axis, Symbol symbol) {
    types_[index].shape[axis] = Dim(symbol);
    return *this;
  }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> Infer() const {
    return op_->InferOutputs(node_, types_, ConstantPointers());
  }
  [[nodiscard]] absl::Status InferStatus() const { return Infer().status(); }

  // All outputs. Memory that a step need not read is filled with noise first, and memory beyond
  // its scratch is checked to be untouched.
  [[nodiscard]] absl::StatusOr<std::vector<Tensor>> Run(const kernels::KernelSet& kernels) const {
    const std::vector<const ConstantTensor*> constants = ConstantPointers();
    ASSIGN_OR_RETURN(const std::vector<TensorType> types, Infer());
    EXPECT_EQ(types.size(), node_.outputs.size());
    const auto by_rule = [](std::string_view, std::span<const std::string_view> names) {
      return names.empty() ? std::string_view() : names.front();
    };
    ASSIGN_OR_RETURN(const std::unique_ptr<const Step> step,
                     op_->Prepare({.node = node_,
                                   .inputs = types_,
                                   .outputs = types,
                                   .constants = constants,
                                   .kernels = kernels,
                                   .max_rows = 16,
                                   .choose_implementation = by_rule}));
    EXPECT_FALSE(step->kernel_name().empty());
    std::vector<TensorView> inputs;
    std::vector<std::int64_t> symbols(8, 1);  // rows, and those of Open
    for (std::size_t i = 0; i < types_.size(); ++i) {
      const bool is_constant = constants[i] != nullptr;
      if (!is_constant && node_.HasInput(i) && !activations_[i].dims().empty()) {
        const Dims& dims = activations_[i].dims();
        std::copy(dims.begin(), dims.end(), symbols.begin());
      }
      inputs.push_back(is_constant ? constants[i]->view() : activations_[i].view());
      if (!node_.HasInput(i)) inputs.back().data = nullptr;
    }
    RETURN_IF_ERROR(step->CheckInputs(inputs));
    std::vector<Tensor> outputs;
    for (const TensorType& type : types) {
      Dims dims;
      for (const Dim& dim : type.shape) dims.push_back(dim.Evaluate(symbols));
      outputs.emplace_back(type.data_type, dims);
      std::memset(outputs.back().bytes().data(), 0xA5, outputs.back().bytes().size());
    }
    std::vector<MutableTensorView> views;
    for (Tensor& output : outputs) views.push_back(output.mutable_view());
    RunWithGuardedScratch(*step, inputs, views);
    return outputs;
  }

  // The elements of the first output. Fails the test where there is none.
  template <typename T = float>
  [[nodiscard]] std::vector<T> First(const kernels::KernelSet& kernels) const {
    const auto outputs = Run(kernels);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (!outputs.ok() || outputs->empty()) return {};
    return Elements<T>((*outputs)[0]);
  }
  [[nodiscard]] Dims FirstDims(const kernels::KernelSet& kernels) const {
    const auto outputs = Run(kernels);
    EXPECT_TRUE(outputs.ok()) << outputs.status();
    if (!outputs.ok() || outputs->empty()) return {};
    return (*outputs)[0].dims();
  }

 private:
  OperatorRun& Append(TensorType type, std::optional<ConstantTensor> constant, Tensor activation) {
    node_.inputs.push_back(static_cast<ValueId>(node_.inputs.size()));
    types_.push_back(std::move(type));
    constants_.push_back(std::move(constant));
    activations_.push_back(std::move(activation));
    return *this;
  }

  [[nodiscard]] std::vector<const ConstantTensor*> ConstantPointers() const {
    std::vector<const ConstantTensor*> pointers;
    for (const auto& constant : constants_) {
      pointers.push_back(constant.has_value() ? &*constant : nullptr);
    }
    return pointers;
  }

  static void RunWithGuardedScratch(const Step& step, std::span<const TensorView> inputs,
                                    std::span<const MutableTensorView> outputs) {
    constexpr std::size_t kGuard = 64;
    const std::size_t byte_size = step.ScratchByteSize(inputs);
    Tensor scratch(DataType::kUint8, {static_cast<std::int64_t>(byte_size + kGuard)});
    std::memset(scratch.bytes().data(), 0xA5, scratch.bytes().size());
    step.Run({.inputs = inputs, .outputs = outputs, .scratch = scratch.bytes().first(byte_size)});
    for (const std::byte guard : scratch.bytes().subspan(byte_size)) {
      ASSERT_EQ(guard, std::byte{0xA5}) << "a write beyond the scratch";
    }
  }

  std::unique_ptr<const Operator> op_;
  Node node_;
  std::vector<TensorType> types_;
  std::vector<std::optional<ConstantTensor>> constants_;
  std::vector<Tensor> activations_;
};

// Each element within `tolerance` times the largest one expected (or 1).
inline void ExpectNear(const std::vector<float>& got, const std::vector<float>& want,
                       float tolerance = 1e-5F) {
  ASSERT_EQ(got.size(), want.size());
  float largest = 1.0F;
  for (const float value : want) largest = std::max(largest, std::abs(value));
  for (std::size_t i = 0; i < want.size(); ++i) {
    ASSERT_NEAR(got[i], want[i], tolerance * largest) << "element " << i;
  }
}

}  // namespace octet
