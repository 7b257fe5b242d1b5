// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/reversal_operators.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

namespace {

// Whether each of `lengths` is `size`.
bool AreAll(const Operand& lengths, const Dim& size) {
  if (const Sizes* const sizes = lengths.sizes()) {
    return sizes->products.empty() &&
           std::all_of(sizes->elements.begin(), sizes->elements.end(),
                       [&size](const Dim& element) { return element == size; });
  }
  const ConstantTensor* const constant =
      lengths.filled() != nullptr ? &lengths.filled()->value : lengths.constant();
  if (constant == nullptr || !IsInteger(constant->data_type())) return false;
  const std::vector<std::int64_t> numbers = Int64Elements(*constant);
  return std::all_of(numbers.begin(), numbers.end(),
                     [&size](std::int64_t number) { return Dim(number) == size; });
}

}  // namespace

absl::StatusOr<std::vector<Operand>> TranslateReverseSequence(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(2, 2));
  ASSIGN_OR_RETURN(const auto x, call.ActivationOf(0));
  const std::size_t rank = x->shape.size();
  ASSIGN_OR_RETURN(const std::int64_t raw_batch, call.Int("batch_axis", 1));
  ASSIGN_OR_RETURN(const std::int64_t raw_time, call.Int("time_axis", 0));
  ASSIGN_OR_RETURN(const std::size_t batch, call.Axis(raw_batch, rank));
  ASSIGN_OR_RETURN(const std::size_t time, call.Axis(raw_time, rank));
  if (batch == time) return call.Invalid("its axes of the batch and of time are one");
  const Operand& lengths = call.input(1);
  const Shape wanted = {x->shape[batch]};
  const bool is_written = call.lead() == 0 && x->shape[batch] == Dim(kRows) &&
                          lengths.shape() == Shape{Dim(call.translation().written_rows)};
  if (lengths.shape() != wanted && !is_written) {
    const auto& names = call.graph().graph().symbol_names;
    return call.Invalid(absl::StrCat("its sequence_lens are ", ToString(lengths.shape(), names),
                                     ", wants ", ToString(wanted, names)));
  }
  if (call.lead() == 0 && time == 0 && x->shape[0] == Dim(kRows)) {
    return call.Unimplemented("reverses the batch");
  }
  if (!AreAll(lengths, x->shape[time])) {
    return call.Unimplemented(
        "sequence_lens that are not known to be all of the sequence: only whole ones are reversed");
  }
  const auto [order, id] = NodeCall::AnyForm(*x);
  ASSIGN_OR_RETURN(const ValueId reversed,
                   call.Emit("Slice", {id},
                             {{"axes", std::vector<std::int64_t>{call.AxisIn(order, time)}},
                              {"starts", std::vector<std::int64_t>{-1}},
                              {"ends", std::vector<std::int64_t>{-(std::int64_t{1} << 60)}},
                              {"steps", std::vector<std::int64_t>{-1}}}));
  return std::vector<Operand>{call.Result(reversed, order)};
}

}  // namespace octet::onnx
