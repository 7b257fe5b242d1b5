// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_scatter.h"

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/folding.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

absl::StatusOr<ConstantTensor> ScatterConstant(NodeCall& call) {
  RETURN_IF_ERROR(call.CheckInputs(3, 3));
  ASSIGN_OR_RETURN(const std::string reduction, call.String("reduction", "none"));
  const ConstantTensor& data = *call.input(0).constant();
  const ConstantTensor& indices = *call.input(1).constant();
  const ConstantTensor& updates = *call.input(2).constant();
  const Dims& dims = data.dims();
  const std::size_t depth =
      indices.dims().empty() ? 0 : static_cast<std::size_t>(indices.dims().back());
  if (reduction != "none") return call.Unimplemented(absl::StrCat("reduction \"", reduction, "\""));
  if (depth < 1 || depth > dims.size() || !IsInteger(indices.data_type())) {
    return call.Invalid(
        absl::StrCat("indices ", ToString(indices.dims()), " into ", ToString(dims)));
  }
  Dims wanted(indices.dims().begin(), indices.dims().end() - 1);
  wanted.insert(wanted.end(), dims.begin() + static_cast<std::ptrdiff_t>(depth), dims.end());
  if (updates.dims() != wanted || updates.data_type() != data.data_type()) {
    return call.Invalid(absl::StrCat("updates ", DataTypeName(updates.data_type()),
                                     ToString(updates.dims()), ", wants ",
                                     DataTypeName(data.data_type()), ToString(wanted)));
  }
  RETURN_IF_ERROR(ReserveConstant(call, dims));
  const std::int64_t size = NumElements(std::span(dims).subspan(depth)) *
                            static_cast<std::int64_t>(BitWidth(data.data_type()) / 8);
  std::vector<std::byte> bytes(data.bytes().begin(), data.bytes().end());
  const std::vector<std::int64_t> numbers = Int64Elements(indices);
  for (std::size_t i = 0; i * depth < numbers.size(); ++i) {
    std::int64_t place = 0;
    for (std::size_t k = 0; k < depth; ++k) {
      const std::int64_t number = numbers[i * depth + k];
      const std::int64_t at = number < 0 ? number + dims[k] : number;
      if (at < 0 || at >= dims[k]) {
        return call.Invalid(absl::StrCat("index ", number, " of an axis of ", dims[k]));
      }
      place = place * dims[k] + at;
    }
    std::memcpy(bytes.data() + place * size,
                updates.bytes().data() + static_cast<std::int64_t>(i) * size,
                static_cast<std::size_t>(size));
  }
  return ConstantTensor::Copy(data.data_type(), dims, std::span<const std::byte>(bytes));
}

}  // namespace octet::onnx
