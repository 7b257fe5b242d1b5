// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/folding.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <memory>
#include <utility>

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_functions.h"
#include "models/importers/onnx/constant_movement.h"
#include "models/importers/onnx/constant_quantization.h"
#include "models/importers/onnx/constant_reduction.h"
#include "models/importers/onnx/constant_scatter.h"
#include "models/importers/onnx/size_arithmetic.h"
#include "models/importers/onnx/tensor_data.h"
#include "models/tensor/reduced_float.h"

namespace octet::onnx {

namespace {

// TensorProto.DataType.
constexpr std::int64_t kFloat16 = 10;
constexpr std::int64_t kBfloat16 = 16;
// Of one constant that is computed.
constexpr std::int64_t kMaxElements = std::int64_t{1} << 28;

bool IsConstant(const Operand& operand) { return operand.constant() != nullptr; }
// A constant, sizes, or nothing at all.
bool IsKnown(const Operand& operand) {
  return operand.is_absent() || IsConstant(operand) || operand.sizes() != nullptr;
}

// `operand`'s numbers as sizes; nothing for another type.
std::optional<Sizes> AsSizes(const Operand& operand) {
  if (const Sizes* const sizes = operand.sizes()) return *sizes;
  const ConstantTensor* const constant = operand.constant();
  if (constant == nullptr || !IsInteger(constant->data_type())) return std::nullopt;
  const std::vector<std::int64_t> numbers = Int64Elements(*constant);
  return Sizes{constant->dims(), std::vector<Dim>(numbers.begin(), numbers.end())};
}

ConstantTensor Take(const std::vector<const ConstantTensor*>& inputs, const Movement& movement) {
  if (movement.is_same) return WithDims(*inputs[0], movement.dims);
  const std::size_t size = BitWidth(inputs[0]->data_type()) / 8;
  std::vector<std::byte> all;
  std::span<const std::byte> source = inputs[0]->bytes();
  if (inputs.size() > 1) {
    for (const ConstantTensor* const input : inputs) {
      all.insert(all.end(), input->bytes().begin(), input->bytes().end());
    }
    source = all;
  }
  std::vector<std::byte> bytes(movement.from.size() * size);
  for (std::size_t i = 0; i < movement.from.size(); ++i) {
    std::memcpy(bytes.data() + i * size,
                source.data() + static_cast<std::size_t>(movement.from[i]) * size, size);
  }
  return ConstantTensor::Copy(inputs[0]->data_type(), movement.dims,
                              std::span<const std::byte>(bytes));
}

Sizes Take(const std::vector<Sizes>& inputs, const Movement& movement) {
  if (movement.is_same) return {movement.dims, inputs[0].elements, inputs[0].products};
  Sizes all;
  for (const Sizes& input : inputs) {
    for (const auto& [at, factors] : input.products) {
      all.products[all.elements.size() + at] = factors;
    }
    all.elements.insert(all.elements.end(), input.elements.begin(), input.elements.end());
  }
  Sizes result{movement.dims, {}};
  for (const std::int64_t from : movement.from) {
    const auto at = static_cast<std::size_t>(from);
    const auto product = all.products.find(at);
    if (product != all.products.end()) {
      result.products[result.elements.size()] = product->second;
    }
    result.elements.push_back(all.elements[at]);
  }
  return result;
}

absl::StatusOr<FoldedOutputs> FoldMovement(NodeCall& call) {
  // Only Concat takes its elements from more than the first input.
  const std::size_t count = call.node().op_type == "Concat" ? call.num_inputs() : 1;
  std::vector<const ConstantTensor*> constants;
  std::vector<Sizes> sizes;
  std::vector<Dims> dims;
  for (std::size_t i = 0; i < count; ++i) {
    if (!call.Has(i)) return call.Invalid(absl::StrCat("input ", i, " is absent"));
    const Operand& operand = call.input(i);
    dims.push_back(ToDims(operand.shape()));
    if (IsConstant(operand)) constants.push_back(operand.constant());
    if (auto numbers = AsSizes(operand)) sizes.push_back(*std::move(numbers));
  }
  if (constants.size() != count && sizes.size() != count) {
    return call.Unimplemented("joins sizes to numbers of another type");
  }
  for (const ConstantTensor* const constant : constants) {
    if (constant->data_type() != constants[0]->data_type() && constants.size() == count) {
      return call.Invalid("joins tensors of different types");
    }
  }
  for (std::size_t i = count; i < call.num_inputs(); ++i) {
    if (call.Has(i) && !IsConstant(call.input(i))) return FoldedOutputs();
  }
  ASSIGN_OR_RETURN(const std::vector<Movement> movements, MovementsOf(call, dims));
  for (const Movement& movement : movements) {
    if (!movement.is_same) RETURN_IF_ERROR(ReserveConstant(call, movement.dims));
  }
  std::vector<Operand> outputs;
  for (const Movement& movement : movements) {
    if (constants.size() == count) {
      outputs.push_back({"", Take(constants, movement)});
    } else {
      outputs.push_back(FromSizes(Take(sizes, movement)));
    }
  }
  return FoldedOutputs(std::move(outputs));
}

// The shape that all stretch to, and where in each operand an element of it is found.
struct Stretch {
  Dims dims;
  std::vector<std::vector<std::int64_t>> from;
};

// Which element of `dims` each element of `stretched` is.
std::vector<std::int64_t> Offsets(const Dims& dims, const Dims& stretched) {
  std::vector<std::int64_t> index(stretched.size(), 0);
  std::vector<std::int64_t> strides(stretched.size(), 0);
  std::int64_t step = 1;
  for (std::size_t back = 1; back <= dims.size(); ++back) {
    const std::int64_t dim = dims[dims.size() - back];
    strides[strides.size() - back] = dim == 1 ? 0 : step;
    step *= dim;
  }
  std::vector<std::int64_t> from;
  const std::int64_t count = NumElements(stretched);
  from.reserve(static_cast<std::size_t>(count));
  std::int64_t offset = 0;
  for (std::int64_t i = 0; i < count; ++i) {
    from.push_back(offset);
    for (std::size_t d = index.size(); d-- > 0;) {
      offset += strides[d];
      if (++index[d] < stretched[d]) break;
      offset -= strides[d] * stretched[d];
      index[d] = 0;
    }
  }
  return from;
}

absl::StatusOr<Stretch> StretchOf(NodeCall& call) {
  Stretch stretch;
  for (const Operand& operand : call.inputs()) {
    const Dims dims = ToDims(operand.shape());
    if (dims.size() > stretch.dims.size()) {
      stretch.dims.insert(stretch.dims.begin(), dims.size() - stretch.dims.size(), 1);
    }
    for (std::size_t back = 1; back <= dims.size(); ++back) {
      std::int64_t& to = stretch.dims[stretch.dims.size() - back];
      const std::int64_t dim = dims[dims.size() - back];
      if (to != 1 && dim != 1 && to != dim) {
        return call.Invalid(absl::StrCat("shapes ", ToString(stretch.dims), " and ", ToString(dims),
                                         " do not broadcast to one"));
      }
      if (to == 1) to = dim;
    }
  }
  RETURN_IF_ERROR(ReserveConstant(call, stretch.dims));
  for (const Operand& operand : call.inputs()) {
    const Dims dims = ToDims(operand.shape());
    stretch.from.push_back(Offsets(dims, stretch.dims));
  }
  return stretch;
}

bool GivesBool(const std::string& op) {
  return op == "Equal" || op == "Greater" || op == "GreaterOrEqual" || op == "Less" ||
         op == "LessOrEqual" || op == "And" || op == "Or" || op == "Not";
}

bool IsIndex(DataType type) { return type == DataType::kInt32 || type == DataType::kInt64; }

// That of all operands.
absl::StatusOr<DataType> OperandType(const NodeCall& call) {
  DataType type = call.input(0).type();
  for (const Operand& operand : call.inputs()) {
    if (operand.is_absent()) return call.Invalid("unlike operands");
    if (operand.type() == type) continue;
    // What is computed of sizes is of 64 bits here, also where the file has cast it.
    if (!IsIndex(operand.type()) || !IsIndex(type)) return call.Invalid("unlike operands");
    type = DataType::kInt64;
  }
  return type;
}

// Every element of the first operand with those of the others, one after the other.
template <typename Number, typename Elements, typename Function>
std::vector<Number> CombinedElements(const NodeCall& call, const Stretch& stretch,
                                     Elements elements_of, Function function) {
  std::vector<Number> values;
  for (std::size_t i = 0; i < call.num_inputs(); ++i) {
    const std::vector<Number> elements = elements_of(*call.input(i).constant());
    for (std::size_t k = 0; k < stretch.from[i].size(); ++k) {
      const Number element = elements[static_cast<std::size_t>(stretch.from[i][k])];
      if (i == 0) {
        values.push_back(element);
      } else {
        values[k] = function(values[k], element);
      }
    }
  }
  return values;
}

absl::StatusOr<FoldedOutputs> FoldBinary(NodeCall& call, const BinaryFunction& function) {
  ASSIGN_OR_RETURN(const DataType type, OperandType(call));
  ASSIGN_OR_RETURN(const Stretch stretch, StretchOf(call));
  const DataType result = GivesBool(call.node().op_type) ? DataType::kBool : type;
  if (type == DataType::kFloat32) {
    return Single(
        FromDoubles(result, stretch.dims,
                    CombinedElements<double>(call, stretch, DoubleElements, function.real)));
  }
  if (function.integer == nullptr) return FoldedOutputs();
  return Single(
      FromInt64s(result, stretch.dims,
                 CombinedElements<std::int64_t>(call, stretch, Int64Elements, function.integer)));
}

// FoldBinary with sizes among the operands. Nothing where the result would be none.
absl::StatusOr<FoldedOutputs> FoldSizesBinary(NodeCall& call) {
  const std::string& op = call.node().op_type;
  const auto a = AsSizes(call.input(0));
  const auto b = call.num_inputs() > 1 ? AsSizes(call.input(1)) : std::nullopt;
  if (call.num_inputs() != 2 || !a.has_value() || !b.has_value()) return FoldedOutputs();
  ASSIGN_OR_RETURN(const Stretch stretch, StretchOf(call));
  Sizes sizes{stretch.dims, {}};
  std::vector<std::int64_t> flags;
  for (std::size_t i = 0; i < stretch.from[0].size(); ++i) {
    const auto place_a = static_cast<std::size_t>(stretch.from[0][i]);
    const auto place_b = static_cast<std::size_t>(stretch.from[1][i]);
    const Dim& left = a->elements[place_a];
    const Dim& right = b->elements[place_b];
    const bool has_product = a->products.contains(place_a) || b->products.contains(place_b);
    if (op == "Equal") {
      const std::optional<bool> is_equal =
          has_product ? std::optional<bool>() : AreEqual(left, right);
      if (!is_equal.has_value()) return call.WithNode(NotOfOpen());
      flags.push_back(*is_equal ? 1 : 0);
      continue;
    }
    const absl::StatusOr<Dim> dim = has_product ? NotOfOpen() : Combined(op, left, right);
    if (!dim.ok() && op == "Mul") {
      Shape factors = FactorsAt(*a, place_a);
      const Shape more = FactorsAt(*b, place_b);
      factors.insert(factors.end(), more.begin(), more.end());
      sizes.products[i] = std::move(factors);
    } else if (!dim.ok()) {
      return call.WithNode(dim.status());
    }
    sizes.elements.push_back(dim.ok() ? *dim : left);
  }
  if (op == "Equal") return Single(FromInt64s(DataType::kBool, stretch.dims, flags));
  return Single(FromSizes(std::move(sizes)));
}

absl::StatusOr<FoldedOutputs> FoldWhere(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  if (!IsConstant(call.input(0))) return FoldedOutputs();
  ASSIGN_OR_RETURN(const Stretch stretch, StretchOf(call));
  const std::vector<std::int64_t> condition = Int64Elements(*call.input(0).constant());
  const auto chosen = [&](std::size_t i) -> std::pair<std::size_t, std::size_t> {
    const std::size_t which = condition[static_cast<std::size_t>(stretch.from[0][i])] != 0 ? 1 : 2;
    return {which, static_cast<std::size_t>(stretch.from[which][i])};
  };
  if (IsConstant(call.input(1)) && IsConstant(call.input(2))) {
    const ConstantTensor& a = *call.input(1).constant();
    if (a.data_type() != call.input(2).type()) return call.Invalid("unlike operands");
    const std::size_t size = BitWidth(a.data_type()) / 8;
    std::vector<std::byte> bytes(stretch.from[0].size() * size);
    for (std::size_t i = 0; i < stretch.from[0].size(); ++i) {
      const auto [which, at] = chosen(i);
      std::memcpy(bytes.data() + i * size, call.input(which).constant()->bytes().data() + at * size,
                  size);
    }
    return Single(
        ConstantTensor::Copy(a.data_type(), stretch.dims, std::span<const std::byte>(bytes)));
  }
  const auto a = AsSizes(call.input(1));
  const auto b = AsSizes(call.input(2));
  if (!a.has_value() || !b.has_value()) return call.Invalid("unlike operands");
  if (!a->products.empty() || !b->products.empty()) return call.WithNode(NotOfOpen());
  Sizes sizes{stretch.dims, {}};
  for (std::size_t i = 0; i < stretch.from[0].size(); ++i) {
    const auto [which, at] = chosen(i);
    sizes.elements.push_back(which == 1 ? a->elements[at] : b->elements[at]);
  }
  return Single(FromSizes(std::move(sizes)));
}

absl::StatusOr<FoldedOutputs> FoldUnary(NodeCall& call, UnaryFunction function) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  const ConstantTensor& x = *call.input(0).constant();
  // Beyond 2^53 a double has not every integer.
  if (BitWidth(x.data_type()) == 64) {
    const std::vector<std::int64_t> numbers = Int64Elements(x);
    const bool fits = std::all_of(numbers.begin(), numbers.end(), [](std::int64_t number) {
      return number > -(std::int64_t{1} << 53) && number < (std::int64_t{1} << 53);
    });
    if (!fits) return FoldedOutputs();
  }
  std::vector<double> values = DoubleElements(x);
  std::transform(values.begin(), values.end(), values.begin(), function);
  const DataType type = call.node().op_type == "Not" ? DataType::kBool : x.data_type();
  return Single(FromDoubles(type, x.dims(), values));
}

absl::StatusOr<FoldedOutputs> FoldCast(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ASSIGN_OR_RETURN(const std::int64_t to, call.Int("to", 0));
  call.Ignore("saturate");
  call.Ignore("round_mode");
  const absl::StatusOr<DataType> type = ElementType(to);
  if (!type.ok()) return call.WithNode(type.status());
  if (call.input(0).sizes() != nullptr) {
    if (*type == DataType::kInt64 || *type == DataType::kInt32) return Single(call.input(0));
    return call.Unimplemented(absl::StrCat("open dimensions as ", DataTypeName(*type)));
  }
  const ConstantTensor& x = *call.input(0).constant();
  if (to == kFloat16 || to == kBfloat16) {
    // Numbers of 16 bits are kept in float32.
    std::vector<double> values = DoubleElements(x);
    for (double& value : values) {
      value = RoundedTo(to == kFloat16 ? kFloat16Form : kBfloat16Form, value);
    }
    return Single(FromDoubles(*type, x.dims(), values));
  }
  if (x.data_type() == *type) return Single(x);
  if (x.data_type() == DataType::kFloat32 || *type == DataType::kFloat32) {
    return Single(FromDoubles(*type, x.dims(), DoubleElements(x)));
  }
  return Single(FromInt64s(*type, x.dims(), Int64Elements(x)));
}

// The value that `operand` is, or a view or a stretch of; none where it is no such thing.
ValueId AnyValue(const Operand& operand) {
  const Activation* activation = operand.activation();
  if (operand.view() != nullptr) activation = operand.view()->source.get();
  if (operand.stretched() != nullptr) activation = operand.stretched()->content.get();
  return activation == nullptr ? kNoValue : NodeCall::AnyForm(*activation).second;
}

// Whether the size of each axis of what the node is given can be written, and is ONNX's.
absl::Status CheckSizes(const NodeCall& call) {
  const ValueId id = AnyValue(call.input(0));
  if (call.lead() == 0 && id != kNoValue && !call.translation().IsOfElements(id)) {
    return call.Unimplemented("the shape of what says nothing of the batch");
  }
  const View* const view = call.input(0).view();
  if (view == nullptr) return absl::OkStatus();
  for (const std::vector<std::size_t>& axes : view->groups) {
    const auto product = ProductOf(view->source->shape, axes);
    if (!product.ok()) return call.WithNode(product.status());
  }
  return absl::OkStatus();
}

absl::StatusOr<FoldedOutputs> FoldShape(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  RETURN_IF_ERROR(CheckSizes(call));
  const Shape shape = call.input(0).shape();
  const auto rank = static_cast<std::int64_t>(shape.size());
  ASSIGN_OR_RETURN(std::int64_t start, call.Int("start", 0));
  ASSIGN_OR_RETURN(std::int64_t end, call.Int("end", rank));
  const SliceRange range = ResolveSlice(rank, std::clamp(start, -rank - 1, rank + 1),
                                        std::clamp(end, -rank - 1, rank + 1), 1);
  const auto first = shape.begin() + range.start;
  return Single(FromSizes({{range.length}, std::vector<Dim>(first, first + range.length)}));
}

absl::StatusOr<FoldedOutputs> FoldSize(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  RETURN_IF_ERROR(CheckSizes(call));
  Dim product(1);
  for (const Dim& dim : call.input(0).shape()) {
    const auto next = Dim::Product(product, dim);
    if (!next.ok()) return call.WithNode(next.status());
    product = *next;
  }
  return Single(FromSizes({{}, {product}}));
}

absl::StatusOr<FoldedOutputs> FoldConstantOfShape(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(1, 1));
  ConstantTensor value = ConstantTensor::Copy(DataType::kFloat32, {1}, std::vector<float>{0.0F});
  if (call.HasAttribute("value")) {
    ASSIGN_OR_RETURN(value, call.Tensor("value"));
  }
  if (NumElements(value.dims()) != 1) return call.Invalid("its value has not one element");
  ASSIGN_OR_RETURN(const std::vector<Dim> shape, call.SizesOf(0, "shape"));
  const bool is_known =
      std::all_of(shape.begin(), shape.end(), [](const Dim& dim) { return dim.is_constant(); });
  if (!is_known) return Single(Operand{"", Filled{std::move(value), shape}});
  const Dims dims = ToDims(shape);
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  const std::int64_t count = NumElements(dims);
  std::vector<std::byte> bytes;
  for (std::int64_t i = 0; i < count; ++i) {
    bytes.insert(bytes.end(), value.bytes().begin(), value.bytes().end());
  }
  return Single(ConstantTensor::Copy(value.data_type(), dims, std::span<const std::byte>(bytes)));
}

absl::StatusOr<FoldedOutputs> FoldRange(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  std::vector<double> bounds;
  for (std::size_t i = 0; i < 3; ++i) {
    ASSIGN_OR_RETURN(const ConstantTensor bound, call.Constant(i, "bound"));
    if (NumElements(bound.dims()) != 1) return call.Invalid("a bound is no single number");
    bounds.push_back(DoubleElements(bound)[0]);
  }
  const double count = std::ceil((bounds[1] - bounds[0]) / bounds[2]);
  if (bounds[2] == 0.0 || !std::isfinite(count)) return call.Invalid("its bounds give no range");
  if (count > 1e7) {
    return absl::ResourceExhaustedError(
        absl::StrCat("Range \"", call.name(), "\": ", count, " elements"));
  }
  std::vector<double> values;
  for (std::int64_t i = 0; i < static_cast<std::int64_t>(count); ++i) {
    values.push_back(bounds[0] + static_cast<double>(i) * bounds[2]);
  }
  return Single(
      FromDoubles(call.input(0).type(), {static_cast<std::int64_t>(values.size())}, values));
}

absl::StatusOr<FoldedOutputs> FoldConstantNode(NodeCall& call) {
  if (call.HasAttribute("value_float")) {
    ASSIGN_OR_RETURN(const float value, call.Float("value_float", 0));
    return Single(ConstantTensor::Copy(DataType::kFloat32, {}, std::vector<float>{value}));
  }
  if (call.HasAttribute("value_floats")) {
    ASSIGN_OR_RETURN(const auto values, call.Floats("value_floats"));
    return Single(ConstantTensor::Copy(DataType::kFloat32,
                                       {static_cast<std::int64_t>(values.size())}, values));
  }
  if (call.HasAttribute("value_int")) {
    ASSIGN_OR_RETURN(const std::int64_t value, call.Int("value_int", 0));
    return Single(ConstantTensor::Copy(DataType::kInt64, {}, std::vector<std::int64_t>{value}));
  }
  if (call.HasAttribute("value_ints")) {
    ASSIGN_OR_RETURN(const auto values, call.Ints("value_ints"));
    return Single(
        ConstantTensor::Copy(DataType::kInt64, {static_cast<std::int64_t>(values.size())}, values));
  }
  ASSIGN_OR_RETURN(ConstantTensor value, call.Tensor("value"));
  return Single(std::move(value));
}

absl::StatusOr<FoldedOutputs> FoldSizesProduct(NodeCall& call) {
  const Sizes& sizes = *call.input(0).sizes();
  ASSIGN_OR_RETURN(const auto axes, call.NumbersOrAttribute(1, "axes"));
  ASSIGN_OR_RETURN(const std::int64_t keeps, call.Int("keepdims", 1));
  call.Ignore("noop_with_empty_axes");
  Sizes result{Dims(keeps != 0 ? sizes.dims.size() : 0, 1), {Dim(1)}};
  Shape factors;
  bool is_written = true;
  for (std::size_t i = 0; i < sizes.elements.size(); ++i) {
    for (const Dim& dim : FactorsAt(sizes, i)) {
      factors.push_back(dim);
      const auto next = Dim::Product(result.elements[0], dim);
      is_written = is_written && next.ok();
      if (next.ok()) result.elements[0] = *next;
    }
  }
  if (!is_written) result.products[0] = std::move(factors);
  return Single(FromSizes(std::move(result)));
}

absl::StatusOr<FoldedOutputs> FoldConstants(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (op == "Mod") {
    ASSIGN_OR_RETURN(const std::int64_t is_fmod, call.Int("fmod", 0));
    return FoldBinary(call, *FindBinaryFunction(is_fmod != 0 ? "Mod/fmod" : "Mod"));
  }
  if (op == "ScatterND") {
    ASSIGN_OR_RETURN(ConstantTensor constant, ScatterConstant(call));
    return Single(std::move(constant));
  }
  if (const BinaryFunction* const function = FindBinaryFunction(op))
    return FoldBinary(call, *function);
  if (const UnaryFunction function = FindUnaryFunction(op)) return FoldUnary(call, function);
  if (op == "DequantizeLinear") {
    ASSIGN_OR_RETURN(ConstantTensor constant, DequantizeConstant(call));
    return Single(std::move(constant));
  }
  if (op == "QuantizeLinear") {
    ASSIGN_OR_RETURN(ConstantTensor constant, QuantizeConstant(call));
    return Single(std::move(constant));
  }
  ASSIGN_OR_RETURN(std::optional<ConstantTensor> reduced, ReduceConstant(call));
  if (reduced.has_value()) return Single(*std::move(reduced));
  return FoldedOutputs();
}

absl::StatusOr<FoldedOutputs> FoldSizes(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (op == "ReduceProd" && call.input(0).sizes() != nullptr) return FoldSizesProduct(call);
  if (FindBinaryFunction(op) != nullptr) return FoldSizesBinary(call);
  return FoldedOutputs();
}

}  // namespace

absl::Status ReserveConstant(const NodeCall& call, const Dims& dims) {
  const auto count = CheckedNumElements(dims);
  if (!count.ok()) return call.WithNode(count.status());
  Translation& translation = call.translation();
  if (*count <= kMaxElements && dims.size() <= 8) {
    translation.folded_bytes += *count * 8;
    if (translation.folded_bytes <= translation.max_folded_bytes) return absl::OkStatus();
  }
  return absl::ResourceExhaustedError(
      absl::StrCat(call.node().op_type, " \"", call.name(), "\": a constant of ", *count,
                   " elements in ", dims.size(), " dimensions, wants all that are computed within ",
                   translation.max_folded_bytes, " bytes"));
}

ConstantTensor WithDims(const ConstantTensor& constant, Dims dims) {
  auto owner = std::make_shared<const ConstantTensor>(constant);
  return {constant.data_type(), std::move(dims), owner->bytes(), owner};
}

ConstantTensor TransposeConstant(const ConstantTensor& constant, const Order& order) {
  if (std::is_sorted(order.begin(), order.end())) return constant;
  const Dims& from = constant.dims();
  std::vector<std::int64_t> strides(from.size(), 1);
  for (std::size_t i = from.size(); i-- > 1;) strides[i - 1] = strides[i] * from[i];
  Movement movement;
  std::vector<std::int64_t> steps;
  for (const std::size_t axis : order) {
    movement.dims.push_back(from[axis]);
    steps.push_back(strides[axis]);
  }
  const std::int64_t count = NumElements(from);
  std::vector<std::int64_t> index(from.size(), 0);
  std::int64_t offset = 0;
  movement.from.reserve(static_cast<std::size_t>(count));
  for (std::int64_t i = 0; i < count; ++i) {
    movement.from.push_back(offset);
    for (std::size_t d = index.size(); d-- > 0;) {
      offset += steps[d];
      if (++index[d] < movement.dims[d]) break;
      offset -= steps[d] * movement.dims[d];
      index[d] = 0;
    }
  }
  return Take(std::vector<const ConstantTensor*>{&constant}, movement);
}

absl::StatusOr<FoldedOutputs> Fold(NodeCall& call) {
  const std::string& op = call.node().op_type;
  if (op == "Constant") return FoldConstantNode(call);
  if (op == "Shape" && call.Has(0)) return FoldShape(call);
  if (op == "Size" && call.Has(0)) return FoldSize(call);
  if (op == "Identity" && call.Has(0)) return Single(call.input(0));
  if (op == "ConstantOfShape" && call.Has(0)) return FoldConstantOfShape(call);
  const auto& inputs = call.inputs();
  const bool is_known = !inputs.empty() && !inputs[0].is_absent() &&
                        std::all_of(inputs.begin(), inputs.end(), IsKnown);
  if (!is_known) return FoldedOutputs();
  if (op == "Range") return FoldRange(call);
  if (op == "Cast") return FoldCast(call);
  if (op == "Where") return FoldWhere(call);
  if (MovesElements(call)) return FoldMovement(call);
  const bool is_constant = std::all_of(inputs.begin(), inputs.end(), [](const Operand& operand) {
    return operand.is_absent() || IsConstant(operand);
  });
  return is_constant ? FoldConstants(call) : FoldSizes(call);
}

}  // namespace octet::onnx
