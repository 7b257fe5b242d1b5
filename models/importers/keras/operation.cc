// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/operation.h"

#include <algorithm>

#include "models/base/status_macros.h"

namespace octet::keras {

absl::StatusOr<ValueId> OneTensor(const LayerCall& call) {
  if (call.inputs().size() != 1) return call.Invalid("wants one tensor");
  return call.inputs()[0].value;
}

absl::StatusOr<std::vector<std::int64_t>> OperationAxes(const LayerCall& call, std::int64_t rank) {
  if (!call.config().Has("axis")) {
    return call.Unimplemented("axis: wants axes other than the batch");
  }
  ASSIGN_OR_RETURN(std::vector<std::int64_t> axes, call.config().Ints("axis"));
  for (std::int64_t& axis : axes) {
    if (axis < 0) axis += rank;
    if (axis < 1 || axis >= rank) {
      return call.Unimplemented("axis: wants axes other than the batch");
    }
  }
  std::sort(axes.begin(), axes.end());
  return axes;
}

}  // namespace octet::keras
