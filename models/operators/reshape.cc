// SPDX-License-Identifier: Apache-2.0

#include "models/operators/reshape.h"

#include <cstring>
#include <utility>

#include "models/base/status_macros.h"
#include "models/operators/function_step.h"
#include "models/operators/node_checks.h"

namespace octet {
namespace {

// For a runtime that does not share the memory.
std::unique_ptr<const Step> MakeCopyStep() {
  return MakeStep("portable:copy", [](const StepArguments& arguments) {
    const TensorView& x = arguments.inputs[0];
    const std::size_t byte_size = ByteSize(x.data_type, x.dims);
    if (byte_size != 0 && x.data != arguments.outputs[0].data) {
      std::memcpy(arguments.outputs[0].data, x.data, byte_size);
    }
  });
}

// `remaining` elements in the shape's open place, where the known places hold `known`.
absl::StatusOr<Dim> Quotient(const Node& node, const Dim& remaining, std::int64_t known) {
  const bool divides = remaining.is_constant()
                           ? remaining.value() % known == 0
                           : remaining.divisor() == 1 && remaining.scale() % known == 0 &&
                                 remaining.offset() % known == 0;
  if (!divides) {
    return InvalidNode(node, "the elements of the input do not divide by ", known);
  }
  auto quotient = remaining.FloorDividedBy(known);
  if (!quotient.ok()) return WithNode(node, quotient.status());
  return *quotient;
}

// The product of the dimensions that are not copied.
absl::StatusOr<Dim> ElementsOf(const Node& node, const Shape& from,
                               const std::vector<bool>& is_copied) {
  Dim elements(1);
  for (std::size_t i = 0; i < from.size(); ++i) {
    if (is_copied[i]) continue;
    auto product = Dim::Product(elements, from[i]);
    if (!product.ok()) return WithNode(node, product.status());
    elements = *product;
  }
  return elements;
}

absl::StatusOr<Shape> Reshaped(const Node& node, const Shape& from,
                               const std::vector<std::int64_t>& to) {
  Shape result;
  std::vector<bool> is_copied(from.size(), false);
  std::int64_t known = 1;
  std::int64_t open = -1;
  for (std::size_t i = 0; i < to.size(); ++i) {
    if (to[i] < -1 || (to[i] == 0 && i >= from.size()) || (to[i] == -1 && open >= 0)) {
      return InvalidNode(node, "attribute \"shape\" is ", ToString(to), " for an input of ",
                         from.size(), " dimensions");
    }
    if (to[i] == -1) open = static_cast<std::int64_t>(i);
    if (to[i] > 0 && (to[i] > (std::int64_t{1} << 48) || known > (std::int64_t{1} << 48) / to[i])) {
      return InvalidNode(node, "attribute \"shape\" is ", ToString(to), ", which is too large");
    }
    if (to[i] > 0) known *= to[i];
    if (to[i] == 0) is_copied[i] = true;
    result.push_back(to[i] == 0 ? from[i] : Dim(to[i] == -1 ? 1 : to[i]));
  }
  ASSIGN_OR_RETURN(const Dim remaining, ElementsOf(node, from, is_copied));
  if (open >= 0) {
    ASSIGN_OR_RETURN(result[static_cast<std::size_t>(open)], Quotient(node, remaining, known));
  } else if (remaining != Dim(known)) {
    return InvalidNode(node, "attribute \"shape\" is ", ToString(to),
                       ", which does not hold the elements of ", ToString(from, {}));
  }
  return result;
}

class Reshape final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Reshape"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    if (node.attributes.find("shape") == node.attributes.end()) {
      return InvalidNode(node, "attribute \"shape\" is absent");
    }
    ASSIGN_OR_RETURN(const std::vector<std::int64_t> to, node.Ints("shape", {}));
    if (to.size() > kMaxRank) {
      return InvalidNode(node, "attribute \"shape\" has ", to.size(), " dimensions, wants at most ",
                         kMaxRank);
    }
    const Shape& from = types[0].shape;
    ASSIGN_OR_RETURN(Shape shape, Reshaped(node, from, to));
    const bool has_batch = !from.empty() && !from[0].is_constant();
    if (has_batch && (shape.empty() || shape[0] != from[0])) {
      return InvalidNode(node, "attribute \"shape\" is ", ToString(to),
                         ", which does not keep the batch as dimension 0");
    }
    return OneOutput(node, {types[0].data_type, std::move(shape), types[0].quantization});
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeCopyStep();
  }

  [[nodiscard]] bool IsReinterpretation() const override { return true; }
};

class Identity final : public Operator {
 public:
  [[nodiscard]] absl::string_view name() const override { return "Identity"; }

  [[nodiscard]] absl::StatusOr<std::vector<TensorType>> InferOutputs(
      const Node& node, std::span<const TensorType> types,
      std::span<const ConstantTensor* const> constants) const override {
    const NodeInputs inputs(node, types, constants);
    RETURN_IF_ERROR(inputs.CheckCounts(1, 1));
    RETURN_IF_ERROR(CheckAddressable(node, types[0]));
    return OneOutput(node, types[0]);
  }

  [[nodiscard]] absl::StatusOr<std::unique_ptr<const Step>> Prepare(
      const PrepareContext&) const override {
    return MakeCopyStep();
  }

  [[nodiscard]] bool IsReinterpretation() const override { return true; }
};

}  // namespace

std::unique_ptr<const Operator> MakeIdentity() { return std::make_unique<const Identity>(); }

std::unique_ptr<const Operator> MakeReshape() { return std::make_unique<const Reshape>(); }

}  // namespace octet
