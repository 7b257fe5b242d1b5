// SPDX-License-Identifier: Apache-2.0
// Operators that are others of ONNX's own: what their translators share.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"
#include "models/importers/onnx/node_call.h"
#include "models/importers/onnx/tensor_data.h"

namespace octet::onnx {

// Appends other operators in place of a node, each with a name of its own.
class OtherNodes {
 public:
  explicit OtherNodes(NodeCall& call) : call_(call) {}

  // The only output of ONNX's operator `op`, called after `what`.
  absl::StatusOr<Operand> Add(absl::string_view op, const std::vector<Operand>& inputs,
                              const std::vector<AttributeProto>& attributes,
                              absl::string_view what) {
    const std::string suffix = absl::StrCat(what, "_", count_++);
    ASSIGN_OR_RETURN(std::vector<Operand> outputs, call_.As(op, inputs, attributes, suffix));
    Operand output = std::move(outputs.at(0));
    if (output.name.empty() || output.constant() != nullptr) output.name = NameOf(suffix);
    return output;
  }
  // What a constant of this node is called: as no other one is, whatever nodes are called.
  [[nodiscard]] std::string NameOf(absl::string_view what) const {
    const std::vector<std::string>& outputs = call_.node().outputs;
    return absl::StrCat(outputs.empty() ? call_.name() : outputs[0], "/", what);
  }
  // A list of whole numbers: axes, sizes.
  Operand Numbers(const std::vector<std::int64_t>& numbers) {
    return {NameOf(absl::StrCat("numbers_", count_++)),
            FromInt64s(DataType::kInt64, {static_cast<std::int64_t>(numbers.size())}, numbers)};
  }
  // x[..., first:last:step] of its axis `axis`.
  absl::StatusOr<Operand> Part(const Operand& x, std::int64_t axis, std::int64_t first,
                               std::int64_t last, std::int64_t step, absl::string_view what) {
    return Add("Slice", {x, Numbers({first}), Numbers({last}), Numbers({axis}), Numbers({step})},
               {}, what);
  }

 private:
  NodeCall& call_;
  int count_ = 0;
};

}  // namespace octet::onnx
