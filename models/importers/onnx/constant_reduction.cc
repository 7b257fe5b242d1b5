// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_reduction.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <cstdint>
#include <limits>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/constant_functions.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

using Combine = std::int64_t (*)(std::int64_t, std::int64_t);

struct Reducer {
  absl::string_view op;
  double of_none = 0;          // as a type without infinities has it: its largest or least
  Combine integers = nullptr;  // null: not of whole numbers
};

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::int64_t Sum(std::int64_t a, std::int64_t b) {
  return FindBinaryFunction("Add")->integer(a, b);
}
std::int64_t Product(std::int64_t a, std::int64_t b) {
  return FindBinaryFunction("Mul")->integer(a, b);
}
std::int64_t Larger(std::int64_t a, std::int64_t b) { return std::max(a, b); }
std::int64_t Smaller(std::int64_t a, std::int64_t b) { return std::min(a, b); }

constexpr std::array kReducers = {
    Reducer{"ReduceL1"},
    Reducer{"ReduceL2"},
    Reducer{"ReduceLogSum", -kInfinity},
    Reducer{"ReduceLogSumExp", -kInfinity},
    Reducer{"ReduceMax", -kInfinity, Larger},
    Reducer{"ReduceMean", std::numeric_limits<double>::quiet_NaN()},
    Reducer{"ReduceMin", kInfinity, Smaller},
    Reducer{"ReduceProd", 1, Product},
    Reducer{"ReduceSum", 0, Sum},
    Reducer{"ReduceSumSquare"},
};

// Which element of the result each element of `dims` goes into, whose axes in `is_reduced` go.
std::vector<std::size_t> PlacesOf(const Dims& dims, const std::vector<bool>& is_reduced) {
  std::vector<std::size_t> strides(dims.size(), 0);
  std::size_t step = 1;
  for (std::size_t axis = dims.size(); axis-- > 0;) {
    if (is_reduced[axis]) continue;
    strides[axis] = step;
    step *= static_cast<std::size_t>(dims[axis]);
  }
  std::vector<std::size_t> places(static_cast<std::size_t>(NumElements(dims)));
  std::vector<std::int64_t> index(dims.size(), 0);
  std::size_t place = 0;
  for (std::size_t& to : places) {
    to = place;
    for (std::size_t axis = dims.size(); axis-- > 0;) {
      place += strides[axis];
      if (++index[axis] < dims[axis]) break;
      place -= strides[axis] * static_cast<std::size_t>(dims[axis]);
      index[axis] = 0;
    }
  }
  return places;
}

}  // namespace

absl::StatusOr<Reduction> ReductionOf(NodeCall& call, std::size_t rank) {
  Reduction reduction;
  ASSIGN_OR_RETURN(const auto given, call.NumbersOrAttribute(1, "axes"));
  ASSIGN_OR_RETURN(const std::int64_t keeps, call.Int("keepdims", 1));
  ASSIGN_OR_RETURN(const std::int64_t none_is_none, call.Int("noop_with_empty_axes", 0));
  reduction.keeps = keeps != 0;
  if (given.has_value() && !given->empty()) {
    ASSIGN_OR_RETURN(reduction.axes, call.Axes(*given, rank));
  } else if (none_is_none == 0) {
    reduction.axes = PlainOrder(rank);
  }
  return reduction;
}

absl::StatusOr<std::optional<ConstantTensor>> ReduceConstant(NodeCall& call) {
  using Result = std::optional<ConstantTensor>;
  const auto* const reducer =
      std::find_if(kReducers.begin(), kReducers.end(),
                   [&call](const Reducer& entry) { return entry.op == call.node().op_type; });
  if (reducer == kReducers.end()) return Result();
  const ConstantTensor& x = *call.input(0).constant();
  const bool is_empty = NumElements(x.dims()) == 0;
  // The largest and least of uint64 are not those of int64.
  const bool is_countable = IsInteger(x.data_type()) && x.data_type() != DataType::kUint64;
  if (!is_empty && (reducer->integers == nullptr || !is_countable)) return Result();
  RETURN_IF_ERROR(call.CheckInputs(1, 2));
  ASSIGN_OR_RETURN(const Reduction reduction, ReductionOf(call, x.dims().size()));
  if (reduction.axes.empty() && (is_empty || reducer->integers != nullptr)) return Result(x);
  std::vector<bool> is_reduced(x.dims().size(), false);
  for (const std::size_t axis : reduction.axes) is_reduced[axis] = true;
  Dims dims;
  std::int64_t count = 1;
  for (std::size_t axis = 0; axis < is_reduced.size(); ++axis) {
    if (!is_reduced[axis]) count *= x.dims()[axis];
    if (!is_reduced[axis]) dims.push_back(x.dims()[axis]);
    if (is_reduced[axis] && reduction.keeps) dims.push_back(1);
  }
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  if (is_empty) {
    const double of_none =
        x.data_type() == DataType::kBool ? std::max(reducer->of_none, 0.0) : reducer->of_none;
    const std::vector<double> values(static_cast<std::size_t>(count), of_none);
    return Result(FromDoubles(x.data_type(), std::move(dims), values));
  }
  RETURN_IF_ERROR(ReserveConstant(call, x.dims()));
  const std::vector<std::int64_t> numbers = Int64Elements(x);
  const std::vector<std::size_t> places = PlacesOf(x.dims(), is_reduced);
  std::vector<std::int64_t> values(static_cast<std::size_t>(count));
  std::vector<bool> is_begun(values.size(), false);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const std::size_t to = places[i];
    values[to] = is_begun[to] ? reducer->integers(values[to], numbers[i]) : numbers[i];
    is_begun[to] = true;
  }
  return Result(FromInt64s(x.data_type(), std::move(dims), values));
}

}  // namespace octet::onnx
