// SPDX-License-Identifier: Apache-2.0
// A few operators that are easy to compute by hand, for tests of graphs and of the runtime.

#pragma once

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <functional>
#include <memory>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"

#include "kernels/kernel_set.h"
#include "models/base/status_macros.h"
#include "models/graph/operator_registry.h"

namespace octet::testing {

// A kernel set without kernels, by which TinyOperators know what to do.
inline const kernels::KernelSet& TinyKernels() {
  static const kernels::KernelSet set = [] {
    kernels::KernelSet named{};
    named.name = "tiny";
    return named;
  }();
  return set;
}
// With it, "Round" gets element 3 wrong by 1 and "Twice" by 0.001.
inline const kernels::KernelSet& FaultyKernels() {
  static const kernels::KernelSet set = [] {
    kernels::KernelSet named{};
    named.name = "faulty";
    return named;
  }();
  return set;
}

class TinyStep final : public Step {
 public:
  using Function = std::function<void(const StepArguments&)>;
  TinyStep(std::string name, Function function)
      : name_(std::move(name)), function_(std::move(function)) {}

  // As much as the first input, so that tests see it overwritten if it overlaps anything.
  [[nodiscard]] std::size_t ScratchByteSize(std::span<const TensorView> inputs) const override {
    return ByteSize(inputs[0].data_type, inputs[0].dims);
  }
  void Run(const StepArguments& arguments) const override {
    std::memset(arguments.scratch.data(), 0xFF, arguments.scratch.size());
    function_(arguments);
    std::memset(arguments.scratch.data(), 0xFF, arguments.scratch.size());
  }
  [[nodiscard]] std::string kernel_name() const override { return name_; }

 private:
  std::string name_;
  Function function_;
};

class TinyOperator final : public Operator {
 public:
  using Types = std::vector<TensorType>;
  using TypeRule = std::function<absl::StatusOr<Types>(std::span<const TensorType>)>;
  // Also gets whether the kernel set is the faulty one.
  using Function = std::function<void(const StepArguments&, bool)>;

  enum class Trait { kNone, kReinterpretation, kRowWise };

  TinyOperator(std::string name, std::size_t num_inputs, TypeRule rule, Function function,
               Trait trait = Trait::kNone)
      : name_(std::move(name)),
        num_inputs_(num_inputs),
        rule_(std::move(rule)),
        function_(std::move(function)),
        trait_(trait) {}

  [[nodiscard]] absl::string_view name() const override { return name_; }
  [[nodiscard]] absl::StatusOr<Types> InferOutputs(
      const Node& node, std::span<const TensorType> inputs,
      std::span<const ConstantTensor* const>) const override {
    if (inputs.size() != num_inputs_ || !node.HasInput(0)) {
      return absl::InvalidArgumentError("\"" + node.name + "\": wrong number of inputs");
    }
    return rule_(inputs);
  }
  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext& context) const override {
    const bool is_faulty = context.kernels.name == "faulty";
    return std::make_unique<const TinyStep>(
        std::string(context.kernels.name) + ":" + name_,
        [function = function_, is_faulty](const StepArguments& arguments) {
          function(arguments, is_faulty);
        });
  }
  [[nodiscard]] bool IsReinterpretation() const override {
    return trait_ == Trait::kReinterpretation;
  }
  [[nodiscard]] bool IsRowWise(const Node&, std::span<const TensorType>,
                               std::span<const ConstantTensor* const>) const override {
    return trait_ == Trait::kRowWise;
  }

 private:
  std::string name_;
  std::size_t num_inputs_;
  TypeRule rule_;
  Function function_;
  Trait trait_;
};

inline std::size_t CountOf(const TensorView& tensor) {
  return static_cast<std::size_t>(NumElements(tensor.dims));
}

inline void RunCrop(const StepArguments& arguments, bool) {
  const TensorView& x = arguments.inputs[0];
  const MutableTensorView& y = arguments.outputs[0];
  for (std::int64_t row = 0; row < x.dims[0]; ++row) {
    std::copy_n(x.as<float>() + row * x.dims[1] + 1, y.dims[1], y.as<float>() + row * y.dims[1]);
  }
}

inline void RunRound(const StepArguments& arguments, bool is_faulty) {
  const std::size_t count = CountOf(arguments.inputs[0]);
  auto* const y = arguments.outputs[0].as<std::int8_t>();
  for (std::size_t i = 0; i < count; ++i) {
    const float rounded = std::nearbyint(arguments.inputs[0].as<float>()[i]);
    y[i] = static_cast<std::int8_t>(std::clamp(rounded, -128.0F, 127.0F));
  }
  if (is_faulty && count > 3) y[3] = static_cast<std::int8_t>(y[3] ^ 1);
}

// Twice: 2x, row-wise. Sum: a + b, row-wise. Halves: two outputs, x / 2 and -x / 2. Crop: [rows, n]
// without its first column. Flatten: a reinterpretation of [rows, a, b] as [rows, a*b]. Round:
// float to int8. Rows: x in each row.
inline OperatorRegistry TinyOperators() {
  using TypeList = std::span<const TensorType>;
  using Types = TinyOperator::Types;
  const auto same = [](TypeList types) -> absl::StatusOr<Types> { return Types{types[0]}; };
  OperatorRegistry registry;
  const auto add = [&registry](auto... arguments) {
    registry.Add(std::make_unique<const TinyOperator>(std::move(arguments)...));
  };
  add(
      "Twice", 1, same,
      [](const StepArguments& arguments, bool is_faulty) {
        for (std::size_t i = 0; i < CountOf(arguments.inputs[0]); ++i) {
          arguments.outputs[0].as<float>()[i] =
              2 * arguments.inputs[0].as<float>()[i] + (is_faulty && i == 3 ? 0.001F : 0.0F);
        }
      },
      TinyOperator::Trait::kRowWise);
  add(
      "Sum", 2,
      [](TypeList types) -> absl::StatusOr<Types> {
        if (types[0] != types[1]) return absl::InvalidArgumentError("Sum: types differ");
        return Types{types[0]};
      },
      [](const StepArguments& arguments, bool) {
        for (std::size_t i = 0; i < CountOf(arguments.inputs[0]); ++i) {
          arguments.outputs[0].as<float>()[i] =
              arguments.inputs[0].as<float>()[i] + arguments.inputs[1].as<float>()[i];
        }
      },
      TinyOperator::Trait::kRowWise);
  add(
      "Halves", 1,
      [](TypeList types) -> absl::StatusOr<Types> {
        return Types{types[0], types[0]};
      },
      [](const StepArguments& arguments, bool) {
        for (std::size_t i = 0; i < CountOf(arguments.inputs[0]); ++i) {
          const float x = arguments.inputs[0].as<float>()[i];
          arguments.outputs[0].as<float>()[i] = x / 2;
          arguments.outputs[1].as<float>()[i] = -x / 2;
        }
      });
  add(
      "Crop", 1,
      [](TypeList types) -> absl::StatusOr<Types> {
        TensorType type = types[0];
        if (type.shape.size() != 2) return absl::InvalidArgumentError("Crop: wants [rows, n]");
        ASSIGN_OR_RETURN(type.shape[1], type.shape[1].Plus(-1));
        return Types{type};
      },
      RunCrop);
  add(
      "Flatten", 1,
      [](TypeList types) -> absl::StatusOr<Types> {
        TensorType type = types[0];
        if (type.shape.size() != 3) return absl::InvalidArgumentError("Flatten: wants 3 dims");
        ASSIGN_OR_RETURN(type.shape[1], Dim::Product(type.shape[1], type.shape[2]));
        type.shape.pop_back();
        return Types{type};
      },
      [](const StepArguments&, bool) {}, TinyOperator::Trait::kReinterpretation);
  add(
      "Round", 1,
      [](TypeList types) -> absl::StatusOr<Types> {
        TensorType type = types[0];
        type.data_type = DataType::kInt8;
        return Types{type};
      },
      RunRound);
  add(
      "Rows", 1,
      [](TypeList types) -> absl::StatusOr<Types> {
        TensorType type = types[0];
        type.shape.insert(type.shape.begin(), Dim(kRows));
        return Types{type};
      },
      [](const StepArguments& arguments, bool) {
        const std::size_t count = CountOf(arguments.inputs[0]);
        for (std::int64_t row = 0; row < arguments.outputs[0].dims[0]; ++row) {
          std::copy_n(arguments.inputs[0].as<float>(), count,
                      arguments.outputs[0].as<float>() + static_cast<std::size_t>(row) * count);
        }
      });
  return registry;
}

inline TensorType FloatType(Shape shape) {
  return {DataType::kFloat32, std::move(shape), std::nullopt};
}

// Appends a node named after its first output, and its outputs with the types that its operator
// gives. Returns the first output.
inline ValueId Append(Graph& graph, const std::string& op, std::vector<ValueId> inputs,
                      const std::string& name) {
  const OperatorRegistry registry = TinyOperators();
  Node node{name, op, std::move(inputs), {}, {}};
  std::vector<TensorType> types;
  for (const ValueId id : node.inputs) {
    types.push_back(graph.values[static_cast<std::size_t>(id)].type);
  }
  const std::vector<const ConstantTensor*> constants(types.size(), nullptr);
  const auto inferred = (*registry.Find(op))->InferOutputs(node, types, constants).value();
  for (std::size_t i = 0; i < inferred.size(); ++i) {
    node.outputs.push_back(
        graph.AddValue(i == 0 ? name : name + "_" + std::to_string(i), inferred[i]));
  }
  const ValueId first = node.outputs[0];
  graph.nodes.push_back(std::move(node));
  return first;
}

inline Tensor FloatTensor(Dims dims, const std::vector<float>& elements) {
  Tensor tensor(DataType::kFloat32, std::move(dims));
  std::ranges::copy(elements, tensor.as<float>().begin());
  return tensor;
}

// 0, 1, 2, ...
inline Tensor Counting(Dims dims) {
  Tensor tensor(DataType::kFloat32, std::move(dims));
  float next = 0;
  for (float& element : tensor.as<float>()) element = next++;
  return tensor;
}

inline std::vector<float> FloatsOf(const Tensor& tensor) {
  const auto elements = tensor.as<float>();
  return {elements.begin(), elements.end()};
}

}  // namespace octet::testing
