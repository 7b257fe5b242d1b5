// SPDX-License-Identifier: Apache-2.0
// Embedding and ReversibleEmbedding: rows of a table, and the product with it.

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdint>
#include <map>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "models/base/status_macros.h"
#include "models/importers/keras/packed_integers.h"
#include "models/importers/keras/projection.h"
#include "models/importers/keras/translators.h"

namespace octet::keras {

namespace {

using Names = std::vector<std::string>;

// A stored table as constants of the graph.
struct Table {
  ValueId elements = kNoValue;
  // Of integers; the latter two of groups only.
  ValueId scale = kNoValue;
  ValueId zero_point = kNoValue;
  ValueId group_index = kNoValue;
  bool groups_in_order = false;  // the index says nothing that the group's size does not
  Attributes attributes;         // "scale_convention" and "group_size"
};

// Reads the tables of one layer: the rows that it looks up, and where a ReversibleEmbedding is not
// tied, the matrix that its reversed call multiplies with.
class TableLoader {
 public:
  TableLoader(const LayerCall& call, bool untied)
      : call_(call), mode_(call.layer().policy.mode), untied_(untied) {}

  // Lists the layer in the bundle. To be called before the others.
  absl::Status Load() {
    constexpr std::array<absl::string_view, 4> kModes = {"float", "int8", "int4", "float8"};
    if (std::find(kModes.begin(), kModes.end(), mode_) == kModes.end()) {
      return call_.Unimplemented(absl::StrCat("the mode \"", mode_, "\" cannot be imported"));
    }
    ASSIGN_OR_RETURN(num_rows_, call_.config().Int("input_dim"));
    ASSIGN_OR_RETURN(width_, call_.config().Int("output_dim"));
    ASSIGN_OR_RETURN(const std::vector<ConstantTensor> stored, call_.StoredVariables());
    const Names names = NamesOf(stored.size());
    if (stored.size() != names.size()) {
      return call_.Invalid(absl::StrCat("mode ", mode_, ": got ", stored.size(),
                                        " stored variables, wants ", names.size(), " (",
                                        absl::StrJoin(names, ", "), ")"));
    }
    octet::Layer record;
    record.mode = mode_ == "float8" ? "float" : mode_;
    if (is_packed()) record.packing = {4, 1, width_, true, true};
    for (std::size_t i = 0; i < names.size(); ++i) {
      stored_.emplace(names[i], stored[i]);
      const bool is_scale = absl::EndsWith(names[i], "_scale");
      record.variables.push_back({names[i], stored[i],
                                  !is_scale  ? ""
                                  : grouped_ ? "multiply"
                                             : "reciprocal"});
    }
    call_.Record(std::move(record));
    return absl::OkStatus();
  }

  // [rows, width], with a scale for each row, or one for each row and group of columns.
  absl::StatusOr<Table> Rows() {
    Table table;
    const Dims dims = {num_rows_, is_packed() ? (width_ + 1) / 2 : width_};
    RETURN_IF_ERROR(CheckElements("embeddings", dims));
    if (!is_integer()) {
      ASSIGN_OR_RETURN(table.elements, call_.FloatConstant("embeddings", stored_.at("embeddings")));
      return table;
    }
    const ConstantTensor& stored = stored_.at("embeddings");
    table.elements = Add("embeddings", is_packed() ? PackMatrix(DataType::kInt4, num_rows_, width_,
                                                                Unpack(stored, 4, 1, width_, true))
                                                   : stored);
    RETURN_IF_ERROR(LoadScales("embeddings", 0, table));
    return table;
  }

  // [width, rows], with a scale for each column, or one for each group of rows and column.
  absl::StatusOr<Table> Reversed() {
    Table table;
    const Dims dims = {is_packed() ? (width_ + 1) / 2 : width_, num_rows_};
    RETURN_IF_ERROR(CheckElements("reverse_embeddings", dims));
    const ConstantTensor& stored = stored_.at("reverse_embeddings");
    if (!is_integer()) {
      ASSIGN_OR_RETURN(table.elements, call_.FloatConstant("reverse_embeddings", stored));
      return table;
    }
    // Packed along the axis that the product sums over: two elements of a column share a byte.
    table.elements = Add(
        "reverse_embeddings",
        is_packed() ? ConstantTensor::Copy(DataType::kInt4, {width_, num_rows_}, stored.bytes(), 0)
                    : stored);
    RETURN_IF_ERROR(LoadScales("reverse_embeddings", 1, table));
    return table;
  }

 private:
  [[nodiscard]] bool is_packed() const { return mode_ == "int4"; }
  [[nodiscard]] bool is_integer() const { return mode_ == "int8" || is_packed(); }

  // The stored names in order. `num_variables` tells groups from one scale a row.
  Names NamesOf(std::size_t num_variables) {
    Names names = {"embeddings"};
    grouped_ = is_packed() && num_variables > (untied_ ? 4U : 2U);
    if (is_integer()) names.emplace_back("embeddings_scale");
    if (grouped_) names.insert(names.end(), {"embeddings_zero", "g_idx"});
    if (!untied_) return names;
    names.emplace_back("reverse_embeddings");
    if (is_integer()) names.emplace_back("reverse_embeddings_scale");
    if (grouped_) names.emplace_back("reverse_embeddings_zero");
    return names;
  }

  ValueId Add(const std::string& name, ConstantTensor tensor) const {
    return call_.graph().AddConstant(call_.Name(name), std::move(tensor));
  }

  absl::Status CheckElements(const std::string& name, const Dims& wanted) const {
    const ConstantTensor& tensor = stored_.at(name);
    if (tensor.dims() == wanted && is_integer() == (tensor.data_type() == DataType::kInt8)) {
      return absl::OkStatus();
    }
    return call_.Invalid(absl::StrCat(name, ": got ", DataTypeName(tensor.data_type()), " ",
                                      ToString(tensor.dims()), ", wants ",
                                      is_integer() ? "INT8 " : "floats ", ToString(wanted)));
  }

  absl::StatusOr<ConstantTensor> Floats(const std::string& name, const Dims& wanted) const {
    absl::StatusOr<ConstantTensor> wide = WidenToFloat(stored_.at(name));
    if (!wide.ok()) return call_.Invalid(absl::StrCat(name, ": ", wide.status().message()));
    if (wide->dims() != wanted) {
      return call_.Invalid(
          absl::StrCat(name, ": got shape ", ToString(wide->dims()), ", wants ", ToString(wanted)));
    }
    return wide;
  }

  // Integers of 8 bits. Keras keeps those of a reversed table as floats.
  absl::StatusOr<ConstantTensor> ZeroPoints(const std::string& name, const Dims& wanted) const {
    const ConstantTensor& stored = stored_.at(name);
    ASSIGN_OR_RETURN(const ConstantTensor floats, Floats(name, wanted));
    if (stored.data_type() == DataType::kInt8 || stored.data_type() == DataType::kUint8) {
      return stored;
    }
    std::vector<std::int8_t> integers;
    for (const float value : floats.as<float>()) {
      if (!(value >= -128.0F && value <= 127.0F) || value != std::floor(value)) {
        return call_.Invalid(
            absl::StrCat(name, ": got ", value, ", wants whole numbers from -128 to 127"));
      }
      integers.push_back(static_cast<std::int8_t>(value));
    }
    return ConstantTensor::Copy(DataType::kInt8, wanted, integers);
  }

  // `row_axis`: of the table's rows in its scales.
  absl::Status LoadScales(const std::string& name, std::size_t row_axis, Table& table) const {
    const std::string scale_name = absl::StrCat(name, "_scale");
    if (!grouped_) {
      ASSIGN_OR_RETURN(const ConstantTensor scale, Floats(scale_name, {num_rows_}));
      table.scale = Add(scale_name, scale);
      table.attributes["scale_convention"] = std::string("reciprocal");
      return absl::OkStatus();
    }
    const Dims& stored_dims = stored_.at(scale_name).dims();
    const std::int64_t groups = stored_dims.size() == 2 ? stored_dims[1 - row_axis] : 0;
    if (groups < 1) {
      return call_.Invalid(absl::StrCat(scale_name, ": got shape ", ToString(stored_dims),
                                        ", wants a scale for each row and group"));
    }
    const Dims dims = row_axis == 0 ? Dims{num_rows_, groups} : Dims{groups, num_rows_};
    const std::string zero_name = absl::StrCat(name, "_zero");
    ASSIGN_OR_RETURN(const ConstantTensor scale, Floats(scale_name, dims));
    ASSIGN_OR_RETURN(const ConstantTensor zero, ZeroPoints(zero_name, dims));
    ASSIGN_OR_RETURN(const ConstantTensor index, Floats("g_idx", {width_}));
    const std::span<const float> group = index.as<float>();
    // The first group is a whole one; the last may be shorter.
    const std::int64_t group_size =
        groups == 1 ? width_ : std::count(group.begin(), group.end(), 0.0F);
    if (group_size == 0 || (width_ + group_size - 1) / group_size != groups) {
      return call_.Invalid(absl::StrCat("g_idx: got ", group_size, " elements in the first of ",
                                        groups, " groups of ", width_));
    }
    table.scale = Add(scale_name, scale);
    table.zero_point = Add(zero_name, zero);
    table.group_index = Add("g_idx", index);
    table.groups_in_order = true;
    for (std::size_t i = 0; i < group.size(); ++i) {
      const std::int64_t in_order = static_cast<std::int64_t>(i) / group_size;
      table.groups_in_order = table.groups_in_order && group[i] == static_cast<float>(in_order);
    }
    table.attributes = {{"scale_convention", std::string("multiply")}, {"group_size", group_size}};
    return absl::OkStatus();
  }

  const LayerCall& call_;
  const std::string mode_;
  const bool untied_;
  bool grouped_ = false;
  std::int64_t num_rows_ = 0;
  std::int64_t width_ = 0;
  std::map<std::string, ConstantTensor> stored_;
};

absl::StatusOr<std::vector<Operand>> LookUp(LayerCall& call, bool untied) {
  RETURN_IF_ERROR(call.CheckInputs(1));
  const ValueId indices = call.inputs()[0].value;
  ASSIGN_OR_RETURN(const bool mask_zero, call.config().Bool("mask_zero", false));
  TableLoader loader(call, untied);
  RETURN_IF_ERROR(loader.Load());
  ASSIGN_OR_RETURN(const Table table, loader.Rows());
  GraphBuilder& graph = call.graph();
  Operand output;
  ASSIGN_OR_RETURN(output.value, graph.Emit("Gather", call.Name(),
                                            {indices, table.elements, table.scale, table.zero_point,
                                             table.group_index},
                                            table.attributes));
  if (mask_zero) {
    ASSIGN_OR_RETURN(const ValueId numbers, call.ToFloat(indices));
    ASSIGN_OR_RETURN(output.mask,
                     graph.Emit("NotEqual", call.Name("mask"), {numbers, graph.AddScalar(0.0F)}));
  }
  return std::vector<Operand>{output};
}

absl::StatusOr<std::vector<Operand>> TranslateEmbedding(LayerCall& call) {
  return LookUp(call, /*untied=*/false);
}

absl::StatusOr<std::vector<Operand>> TranslateReversibleEmbedding(LayerCall& call) {
  ASSIGN_OR_RETURN(const bool tied, call.config().Bool("tie_weights", true));
  const Argument* const reverse = call.Find(1, "reverse");
  if (reverse == nullptr || reverse->literal == false) return LookUp(call, !tied);
  ASSIGN_OR_RETURN(const ValueId input, call.FloatInput());
  TableLoader loader(call, !tied);
  RETURN_IF_ERROR(loader.Load());
  ASSIGN_OR_RETURN(Table table, tied ? loader.Rows() : loader.Reversed());
  // The tied table is [vocabulary, dim]: a weight stored by outputs.
  if (tied) table.attributes["transpose_weight"] = std::int64_t{1};
  if (table.scale != kNoValue) {
    // Keras quantizes the inputs in every integer mode, unless a configuration says otherwise.
    ASSIGN_OR_RETURN(const std::optional<Attributes> quantizer,
                     ActivationQuantizer(call.config(), true));
    if (quantizer.has_value()) table.attributes.insert(quantizer->begin(), quantizer->end());
  }
  ASSIGN_OR_RETURN(
      ValueId logits,
      call.graph().Emit("FullyConnected", call.Name("reverse"),
                        {input, table.elements, table.scale, table.zero_point, kNoValue,
                         table.groups_in_order ? kNoValue : table.group_index},
                        table.attributes));
  if (call.config().Has("logit_soft_cap")) {
    ASSIGN_OR_RETURN(const double cap, call.config().Float("logit_soft_cap", 1.0));
    const ValueId scalar = call.graph().AddScalar(static_cast<float>(cap));
    ASSIGN_OR_RETURN(logits, call.graph().Emit("Divide", call.Name("cap_divide"), {logits, scalar},
                                               {{"activation", std::string("tanh")}}));
    ASSIGN_OR_RETURN(logits,
                     call.graph().Emit("Multiply", call.Name("cap_multiply"), {logits, scalar}));
  }
  return Single(logits);
}

}  // namespace

void AddEmbeddingLayers(LayerRegistry& registry) {
  registry.Add({"Embedding", TranslateEmbedding, MaskRule::kTranslator});
  registry.Add({"ReversibleEmbedding", TranslateReversibleEmbedding, MaskRule::kTranslator});
}

}  // namespace octet::keras
