// SPDX-License-Identifier: Apache-2.0
#include "models/graph/verify.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include "absl/container/flat_hash_set.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"

namespace octet {
namespace {

// A symbol is below 2^31 when a batch runs, so that no dimension within these can overflow.
constexpr std::int64_t kMaxDimScale = std::int64_t{1} << 31;
constexpr std::int64_t kMaxDimOffset = std::int64_t{1} << 40;

absl::Status Invalid(absl::string_view message) { return absl::InvalidArgumentError(message); }

class Verifier {
 public:
  Verifier(const Graph& graph, const OperatorRegistry& operators)
      : graph_(graph), operators_(operators), is_made_(graph.values.size(), false) {}

  absl::Status Verify() {
    RETURN_IF_ERROR(VerifySymbols());
    RETURN_IF_ERROR(VerifyValues());
    RETURN_IF_ERROR(VerifyInputs());
    absl::flat_hash_set<absl::string_view> names;
    for (const Node& node : graph_.nodes) {
      if (node.name.empty() || !names.insert(node.name).second) {
        return Invalid(
            absl::StrCat(node.op, " node \"", node.name, "\": its name is empty or used twice"));
      }
      RETURN_IF_ERROR(VerifyNode(node));
    }
    return VerifyOutputs();
  }

 private:
  absl::Status VerifySymbols() const {
    const auto& names = graph_.symbol_names;
    if (names.empty() || names[0] != "rows" || names.size() > kMaxSymbols) {
      return Invalid(absl::StrCat("the graph has ", names.size(), " symbols, the first \"",
                                  names.empty() ? "" : names[0], "\", wants 1 to ", kMaxSymbols,
                                  ", the first \"rows\""));
    }
    return absl::OkStatus();
  }

  absl::Status VerifyValues() {
    if (graph_.values.size() > kMaxValues || graph_.nodes.size() > kMaxValues) {
      return Invalid(absl::StrCat("the graph has ", graph_.values.size(), " values and ",
                                  graph_.nodes.size(), " nodes, at most ", kMaxValues,
                                  " are allowed"));
    }
    absl::flat_hash_set<absl::string_view> names;
    for (std::size_t i = 0; i < graph_.values.size(); ++i) {
      const Value& value = graph_.values[i];
      if (value.name.empty() || !names.insert(value.name).second) {
        return Invalid(
            absl::StrCat("value ", i, " \"", value.name, "\": its name is empty or used twice"));
      }
      RETURN_IF_ERROR(VerifyType(value));
      if (value.constant) {
        RETURN_IF_ERROR(VerifyConstant(value));
        is_made_[i] = true;
      }
    }
    return absl::OkStatus();
  }

  absl::Status VerifyType(const Value& value) const {
    const Shape& shape = value.type.shape;
    if (shape.size() > kMaxRank) {
      return Invalid(absl::StrCat("value \"", value.name, "\" has ", shape.size(),
                                  " dimensions, at most ", kMaxRank, " are allowed"));
    }
    Dims constant_dims;
    for (const Dim& dim : shape) {
      if (dim.is_constant()) {
        constant_dims.push_back(dim.value());
        continue;
      }
      const auto symbol = dim.symbol().index;
      if (symbol < 0 || static_cast<std::size_t>(symbol) >= graph_.symbol_names.size() ||
          dim.scale() < 0 || dim.scale() > kMaxDimScale || dim.offset() < -kMaxDimOffset ||
          dim.offset() > kMaxDimOffset || dim.divisor() < 1 || dim.divisor() > kMaxDimOffset) {
        return Invalid(absl::StrCat("value \"", value.name, "\": a dimension of shape ",
                                    ToString(shape, graph_.symbol_names), " is out of range"));
      }
    }
    if (absl::Status status = CheckedNumElements(constant_dims).status(); !status.ok()) {
      return Invalid(absl::StrCat("value \"", value.name, "\": ", status.message()));
    }
    if (value.type.quantization) {
      const float scale = value.type.quantization->scale.value;
      const std::int32_t zero_point = value.type.quantization->zero_point.value;
      const bool is_int16 = value.type.data_type == DataType::kInt16;
      if (!(scale > 0) || !std::isfinite(scale) || zero_point < (is_int16 ? 0 : -128) ||
          zero_point > (is_int16 ? 0 : 127) ||
          (value.type.data_type != DataType::kInt8 && !is_int16)) {
        return Invalid(absl::StrCat("value \"", value.name, "\" is ",
                                    DataTypeName(value.type.data_type), " with scale ", scale,
                                    " and zero point ", zero_point,
                                    ", wants INT8, a finite scale above 0 and -128 to 127, or "
                                    "INT16, such a scale and 0"));
      }
    }
    return absl::OkStatus();
  }

  static absl::Status VerifyConstant(const Value& value) {
    const ConstantTensor& constant = *value.constant;
    const auto rank = static_cast<int>(constant.dims().size());
    const bool is_packed = BitWidth(constant.data_type()) < 8;
    if (constant.data_type() != value.type.data_type ||
        ToShape(constant.dims()) != value.type.shape || constant.packed_axis() < -1 ||
        constant.packed_axis() >= rank || (is_packed && rank == 0)) {
      return Invalid(absl::StrCat("constant \"", value.name, "\" is ",
                                  DataTypeName(constant.data_type()), ToString(constant.dims()),
                                  ", which is not its declared type"));
    }
    RETURN_IF_ERROR(CheckedNumElements(constant.dims()).status());
    const std::size_t wanted =
        ByteSize(constant.data_type(), constant.dims(), constant.packed_axis());
    if (constant.bytes().size() != wanted) {
      return Invalid(absl::StrCat("constant \"", value.name, "\" has ", constant.bytes().size(),
                                  " bytes, wants ", wanted));
    }
    return absl::OkStatus();
  }

  [[nodiscard]] bool IsValue(ValueId id) const {
    return id >= 0 && static_cast<std::size_t>(id) < graph_.values.size();
  }
  [[nodiscard]] const Value& At(ValueId id) const {
    return graph_.values[static_cast<std::size_t>(id)];
  }

  absl::Status VerifyBatch(const Value& value, absl::string_view role) const {
    const Shape& shape = value.type.shape;
    bool is_batch = !shape.empty() && shape[0] == Dim(kRows);
    for (std::size_t i = 1; i < shape.size(); ++i) {
      is_batch = is_batch && (shape[i].is_constant() || shape[i].symbol() != kRows);
    }
    if (is_batch) return absl::OkStatus();
    return Invalid(absl::StrCat(role, " \"", value.name, "\" has shape ",
                                ToString(shape, graph_.symbol_names),
                                ", wants rows first and only there"));
  }

  absl::Status VerifyInputs() {
    if (graph_.outputs.empty()) return Invalid("the graph has 0 outputs, wants at least 1");
    for (const ValueId id : graph_.inputs) {
      if (!IsValue(id) || is_made_[static_cast<std::size_t>(id)]) {
        return Invalid(absl::StrCat("input ", id, " is no value, a constant, or given twice"));
      }
      is_made_[static_cast<std::size_t>(id)] = true;
      RETURN_IF_ERROR(VerifyBatch(At(id), "input"));
      if (BitWidth(At(id).type.data_type) < 8) {
        return absl::UnimplementedError(
            absl::StrCat("input \"", At(id).name, "\" has packed 4-bit elements"));
      }
    }
    return VerifySymbolsAreGiven();
  }

  // A run must be able to tell the value of each symbol.
  absl::Status VerifySymbolsAreGiven() const {
    std::vector<bool> is_given(graph_.symbol_names.size(), false);
    // Without inputs there is one row.
    is_given[static_cast<std::size_t>(kRows.index)] = graph_.inputs.empty();
    for (const ValueId id : graph_.inputs) {
      for (const Dim& dim : At(id).type.shape) {
        if (!dim.is_constant() && dim == Dim(dim.symbol())) {
          is_given[static_cast<std::size_t>(dim.symbol().index)] = true;
        }
      }
    }
    const auto absent = std::find(is_given.begin(), is_given.end(), false);
    if (absent == is_given.end()) return absl::OkStatus();
    return Invalid(absl::StrCat(
        "no input has a dimension that is \"",
        graph_.symbol_names[static_cast<std::size_t>(absent - is_given.begin())], "\""));
  }

  absl::Status VerifyOutputs() const {
    for (const ValueId id : graph_.outputs) {
      if (!IsValue(id) || !is_made_[static_cast<std::size_t>(id)] || At(id).constant) {
        return Invalid(absl::StrCat("output ", id, " is no value that a node computes"));
      }
      RETURN_IF_ERROR(VerifyBatch(At(id), "output"));
    }
    return absl::OkStatus();
  }

  absl::Status VerifyNode(const Node& node) {
    const std::string where = absl::StrCat(node.op, " \"", node.name, "\"");
    ASSIGN_OR_RETURN(const Operator* const op, operators_.Find(node.op));
    std::vector<TensorType> types;
    std::vector<const ConstantTensor*> constants;
    for (std::size_t i = 0; i < node.inputs.size(); ++i) {
      const ValueId id = node.inputs[i];
      if (id == kNoValue) {
        types.emplace_back();
        constants.push_back(nullptr);
        continue;
      }
      if (!IsValue(id) || !is_made_[static_cast<std::size_t>(id)]) {
        return Invalid(absl::StrCat(where, ": input ", i, " is value ", id, " \"",
                                    IsValue(id) ? At(id).name : "",
                                    "\", which nothing before it makes"));
      }
      types.push_back(At(id).type);
      constants.push_back(At(id).constant ? &*At(id).constant : nullptr);
    }
    ASSIGN_OR_RETURN(const std::vector<TensorType> inferred,
                     op->InferOutputs(node, types, constants));
    if (inferred.size() != node.outputs.size()) {
      return Invalid(
          absl::StrCat(where, ": got ", node.outputs.size(), " outputs, wants ", inferred.size()));
    }
    for (std::size_t i = 0; i < inferred.size(); ++i) {
      RETURN_IF_ERROR(VerifyNodeOutput(where, node.outputs[i], inferred[i]));
    }
    return absl::OkStatus();
  }

  absl::Status VerifyNodeOutput(const std::string& where, ValueId id, const TensorType& inferred) {
    if (!IsValue(id) || is_made_[static_cast<std::size_t>(id)]) {
      return Invalid(absl::StrCat(where, ": output value ", id, " is no value, or made twice"));
    }
    is_made_[static_cast<std::size_t>(id)] = true;
    const Value& value = At(id);
    if (value.type == inferred) return absl::OkStatus();
    return Invalid(absl::StrCat(
        where, ": value \"", value.name, "\" is declared as ", DataTypeName(value.type.data_type),
        ToString(value.type.shape, graph_.symbol_names), " and is ",
        DataTypeName(inferred.data_type), ToString(inferred.shape, graph_.symbol_names),
        value.type.quantization == inferred.quantization ? "" : ", with another quantization"));
  }

  const Graph& graph_;
  const OperatorRegistry& operators_;
  std::vector<bool> is_made_;  // by ValueId: a constant, an input, or made by a node so far
};

}  // namespace

absl::Status VerifyGraph(const Graph& graph, const OperatorRegistry& operators) {
  return Verifier(graph, operators).Verify();
}

}  // namespace octet
