// SPDX-License-Identifier: Apache-2.0
#include "models/importers/torch/state_dict.h"

#include <cmath>
#include <limits>
#include <map>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/string_view.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"
#include "models/bundle/safetensors.h"
#include "models/importers/config_view.h"
#include "models/importers/float_constant.h"

namespace octet::torch {

namespace {

constexpr absl::string_view kNames = "tensor_names";
constexpr absl::string_view kIntegers = ".int_data";
constexpr absl::string_view kScale = ".scale";
constexpr absl::string_view kActivationScale = "act_quant_scale";
constexpr absl::string_view kActivationZeroPoint = "act_quant_zero_point";

absl::Status About(absl::string_view name, const absl::Status& status) {
  return absl::Status(status.code(), absl::StrCat("tensor ", Quoted(name), ": ", status.message()));
}

// The tensors that are not taken yet.
class Tensors {
 public:
  explicit Tensors(std::map<std::string, SafetensorsEntry> entries)
      : entries_(std::move(entries)) {}

  [[nodiscard]] const std::map<std::string, SafetensorsEntry>& left() const { return entries_; }
  [[nodiscard]] bool Has(const std::string& name) const { return entries_.contains(name); }

  absl::StatusOr<ConstantTensor> Take(const std::string& name) {
    const auto found = entries_.find(name);
    if (found == entries_.end()) {
      return absl::InvalidArgumentError(absl::StrCat("the file lacks ", Quoted(name)));
    }
    const SafetensorsEntry entry = std::move(found->second);
    entries_.erase(found);
    return ConstantTensor::Copy(entry.data_type, entry.dims, entry.bytes);
  }
  absl::StatusOr<ConstantTensor> TakeFloat(const std::string& name) {
    ASSIGN_OR_RETURN(const ConstantTensor tensor, Take(name));
    return WidenToFloat(tensor);
  }

 private:
  std::map<std::string, SafetensorsEntry> entries_;
};

// Floats as float32, whole numbers as they are.
absl::StatusOr<ConstantTensor> TakePlain(Tensors& tensors, const std::string& name) {
  ASSIGN_OR_RETURN(ConstantTensor tensor, tensors.Take(name));
  switch (tensor.data_type()) {
    case DataType::kFloat16:
    case DataType::kBfloat16:
    case DataType::kFloat64:
      return WidenToFloat(tensor);
    default:
      return tensor;
  }
}

// An enumeration's or a class's value, as torchao writes it: {"_type": ..., "_data": ...}.
absl::StatusOr<std::string> NameIn(const ConfigView& view, absl::string_view key,
                                   absl::string_view what) {
  if (!view.Has(key)) return std::string();
  return view.Object(key).String(what, "");
}

// A tensor of one number.
absl::StatusOr<float> OneFloat(Tensors& tensors, const std::string& name) {
  ASSIGN_OR_RETURN(const ConstantTensor tensor, tensors.TakeFloat(name));
  if (NumElements(tensor.dims()) == 1) return tensor.as<float>()[0];
  return absl::UnimplementedError(absl::StrCat(Quoted(name), " has ", NumElements(tensor.dims()),
                                               " numbers, one for each row of a batch of that "
                                               "size; wants one for all"));
}

// Quantizes by a scale that is known: act_quant_scale and act_quant_zero_point.
absl::StatusOr<RowsQuantization> StaticRows(Tensors& tensors, const std::string& prefix,
                                            bool is_symmetric, RowsQuantization rows) {
  rows.kind = RowsQuantization::Kind::kStatic;
  ASSIGN_OR_RETURN(rows.scale, OneFloat(tensors, absl::StrCat(prefix, kActivationScale)));
  if (!(rows.scale > 0.0F) || !std::isfinite(rows.scale) || !std::isfinite(1.0F / rows.scale)) {
    return absl::InvalidArgumentError(absl::StrCat("its activations have a scale of ", rows.scale,
                                                   ", wants one above 0 with a reciprocal"));
  }
  const std::string name = absl::StrCat(prefix, kActivationZeroPoint);
  if (!tensors.Has(name)) return rows;
  ASSIGN_OR_RETURN(const float zero_point, OneFloat(tensors, name));
  if (!(zero_point >= -128.0F && zero_point <= 127.0F) || zero_point != std::trunc(zero_point)) {
    return absl::InvalidArgumentError(absl::StrCat("its activations have a zero point of ",
                                                   zero_point,
                                                   ", wants a whole number from -128 to 127"));
  }
  rows.zero_point = static_cast<std::int32_t>(zero_point);
  if (!is_symmetric || rows.zero_point == 0) return rows;
  return absl::UnimplementedError(absl::StrCat(
      "its activations are symmetric with a zero point of ", rows.zero_point, ", wants 0"));
}

// How an Int8Tensor quantizes activations.
absl::StatusOr<RowsQuantization> RowsOf(Tensors& tensors, const std::string& prefix,
                                        const ConfigView& data) {
  RowsQuantization rows;
  const bool has_scale = tensors.Has(absl::StrCat(prefix, kActivationScale));
  if (!data.Has("act_quant_kwargs")) {
    if (!has_scale) return rows;
    return absl::InvalidArgumentError(
        absl::StrCat("it has ", Quoted(kActivationScale), " without act_quant_kwargs"));
  }
  const ConfigView arguments = data.Object("act_quant_kwargs").Object("_data");
  ASSIGN_OR_RETURN(const std::string mapping, NameIn(arguments, "mapping_type", "_data"));
  ASSIGN_OR_RETURN(const std::string granularity, NameIn(arguments, "granularity", "_type"));
  ASSIGN_OR_RETURN(const bool is_reduced, arguments.Bool("reduce_range", false));
  const bool is_symmetric = mapping == "SYMMETRIC" || mapping.empty();
  if (!is_symmetric && mapping != "ASYMMETRIC") {
    return arguments.Unimplemented("mapping_type", "SYMMETRIC or ASYMMETRIC");
  }
  if (is_reduced) rows.steps = 127;
  if (has_scale) return StaticRows(tensors, prefix, is_symmetric, rows);
  // One scale for all tokens of a batch would make an answer depend on the requests beside it.
  if (granularity != "PerRow") return arguments.Unimplemented("granularity", "PerRow");
  ASSIGN_OR_RETURN(const std::int64_t dim,
                   arguments.Object("granularity").Object("_data").Int("dim", -1));
  if (dim != -1) return arguments.Unimplemented("granularity", "PerRow of dim -1");
  rows.kind =
      is_symmetric ? RowsQuantization::Kind::kSymmetric : RowsQuantization::Kind::kAsymmetric;
  rows.epsilon = std::numeric_limits<float>::epsilon();
  return rows;
}

// How an IntxUnpackedToInt8Tensor does.
absl::StatusOr<RowsQuantization> IntxRowsOf(const ConfigView& data) {
  RowsQuantization rows;
  if (!data.Has("activation_quantization")) return rows;
  ASSIGN_OR_RETURN(const std::string name, data.String("activation_quantization"));
  if (name != "int8_asym_per_token") {
    return data.Unimplemented("activation_quantization", "int8_asym_per_token or none");
  }
  ASSIGN_OR_RETURN(const std::string type, NameIn(data, "dtype", "_data"));
  rows.kind = RowsQuantization::Kind::kAsymmetric;
  // The smallest normal number of the module's type.
  rows.epsilon = type == "float16" ? 0x1p-14F : std::numeric_limits<float>::min();
  return rows;
}

// Of int8, or of floats that are whole numbers within int8.
absl::StatusOr<ConstantTensor> AsInt8ZeroPoint(const ConstantTensor& given) {
  if (given.data_type() == DataType::kInt8) return given;
  ASSIGN_OR_RETURN(const ConstantTensor wide, WidenToFloat(given));
  std::vector<std::int8_t> values;
  for (const float value : wide.as<float>()) {
    if (!(value >= -128.0F && value <= 127.0F) ||
        value != static_cast<float>(static_cast<std::int8_t>(value))) {
      return absl::UnimplementedError(
          absl::StrCat("a zero point of ", value, ", wants a whole number from -128 to 127"));
    }
    values.push_back(static_cast<std::int8_t>(value));
  }
  return ConstantTensor::Copy(DataType::kInt8, given.dims(), values);
}

// The parts of one of torchao's tensors, whose names begin with `prefix`.
absl::StatusOr<QuantizedConstant> TakeQuantized(Tensors& tensors, const std::string& prefix,
                                                const std::string& type, const ConfigView& data) {
  QuantizedConstant weight;
  ASSIGN_OR_RETURN(weight.data, tensors.Take(absl::StrCat(prefix, "qdata")));
  ASSIGN_OR_RETURN(weight.scale, tensors.TakeFloat(absl::StrCat(prefix, "scale")));
  if (const std::string name = absl::StrCat(prefix, "zero_point"); tensors.Has(name)) {
    ASSIGN_OR_RETURN(const ConstantTensor given, tensors.Take(name));
    ASSIGN_OR_RETURN(weight.zero_point, AsInt8ZeroPoint(given));
  }
  if (type == "IntxUnpackedToInt8Tensor") {
    ASSIGN_OR_RETURN(weight.rows, IntxRowsOf(data));
    return Checked(std::move(weight));
  }
  ASSIGN_OR_RETURN(weight.rows, RowsOf(tensors, prefix, data));
  if (const std::string name = absl::StrCat(prefix, "act_pre_scale"); tensors.Has(name)) {
    ASSIGN_OR_RETURN(weight.row_factor, tensors.TakeFloat(name));
  }
  return Checked(std::move(weight));
}

// "layers.0.weight" to "layers.0._weight_".
std::string PrefixOf(const std::string& name) {
  const std::size_t dot = name.rfind('.');
  if (dot == std::string::npos) return absl::StrCat("_", name, "_");
  return absl::StrCat(name.substr(0, dot), "._", name.substr(dot + 1), "_");
}

absl::StatusOr<std::variant<ConstantTensor, QuantizedConstant>> TakeDescribed(
    Tensors& tensors, const std::string& name, const std::string& description) {
  ASSIGN_OR_RETURN(const Json json, ParseJson(description, "its metadata"));
  const ConfigView view(json, "its metadata");
  ASSIGN_OR_RETURN(const std::string type, view.String("_type"));
  if (type == "Tensor") return TakePlain(tensors, name);
  if (type != "Int8Tensor" && type != "IntxUnpackedToInt8Tensor") {
    return view.Unimplemented("_type", "Tensor, Int8Tensor or IntxUnpackedToInt8Tensor");
  }
  return TakeQuantized(tensors, PrefixOf(name), type, view.Object("_data"));
}

absl::StatusOr<NamedWeights> ReadDescribed(Tensors& tensors,
                                           const std::map<std::string, std::string>& metadata) {
  ASSIGN_OR_RETURN(const Json names, ParseJson(metadata.at(std::string(kNames)), kNames));
  if (!names.is_array()) {
    return absl::InvalidArgumentError(
        absl::StrCat(kNames, ": got ", Excerpt(names), ", wants a list of names"));
  }
  NamedWeights weights;
  for (const Json& entry : names) {
    const auto* const name = entry.get_ptr<const std::string*>();
    const auto found = name == nullptr ? metadata.end() : metadata.find(*name);
    if (found == metadata.end() || weights.contains(*name)) {
      return absl::InvalidArgumentError(absl::StrCat(
          kNames, ": got ", Excerpt(entry), ", wants a name that the metadata describes, once"));
    }
    auto weight = TakeDescribed(tensors, *name, found->second);
    if (!weight.ok()) return About(*name, weight.status());
    weights.emplace(*name, *std::move(weight));
  }
  if (tensors.left().empty()) return weights;
  return absl::InvalidArgumentError(
      absl::StrCat("tensor ", Quoted(tensors.left().begin()->first),
                   ": no entry of the metadata says what it is a part of"));
}

// int8 [M, N] with a scale [M, 1], or [M].
absl::StatusOr<QuantizedConstant> TakePair(Tensors& tensors, const std::string& name) {
  QuantizedConstant weight;
  ASSIGN_OR_RETURN(weight.data, tensors.Take(absl::StrCat(name, kIntegers)));
  ASSIGN_OR_RETURN(weight.scale, tensors.TakeFloat(absl::StrCat(name, kScale)));
  if (weight.scale.dims().size() == 1 && weight.data.dims().size() == 2) {
    weight.scale =
        ConstantTensor::Copy(DataType::kFloat32, {weight.scale.dims()[0], 1}, weight.scale.bytes());
  }
  return Checked(std::move(weight));
}

}  // namespace

absl::StatusOr<NamedWeights> ReadStateDict(std::span<const std::byte> file) {
  std::map<std::string, std::string> metadata;
  ASSIGN_OR_RETURN(auto entries, ReadSafetensors(file, &metadata));
  Tensors tensors(std::move(entries));
  if (metadata.contains(std::string(kNames))) return ReadDescribed(tensors, metadata);
  NamedWeights weights;
  while (!tensors.left().empty()) {
    std::string name = tensors.left().begin()->first;
    const bool is_pair =
        absl::EndsWith(name, kIntegers) &&
        tensors.Has(absl::StrCat(name.substr(0, name.size() - kIntegers.size()), kScale));
    if (is_pair) name.resize(name.size() - kIntegers.size());
    absl::Status status;
    if (is_pair) {
      auto weight = TakePair(tensors, name);
      status = weight.status();
      if (weight.ok()) weights.insert_or_assign(name, *std::move(weight));
    } else {
      auto weight = TakePlain(tensors, name);
      status = weight.status();
      if (weight.ok()) weights.insert_or_assign(name, *std::move(weight));
    }
    if (!status.ok()) return About(name, status);
  }
  return weights;
}

}  // namespace octet::torch
