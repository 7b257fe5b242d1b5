// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/variable_order.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <map>
#include <set>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

bool IsFloat(DataType type) {
  return type == DataType::kFloat16 || type == DataType::kBfloat16 || type == DataType::kFloat32 ||
         type == DataType::kFloat64;
}

absl::string_view KindName(VariableKind kind) {
  switch (kind) {
    case VariableKind::kFloat:
      return "a float tensor";
    case VariableKind::kInt8:
      return "int8";
    case VariableKind::kIntegerBias:
      return "int32 or int64";
    case VariableKind::kPacked:
    case VariableKind::kPackedRows:
      return "packed bytes (int8 or uint8)";
    case VariableKind::kReciprocal:
    case VariableKind::kMultiply:
      return "a float scale";
    case VariableKind::kZeroPoint:
      return "int8, uint8 or float zero points";
    case VariableKind::kIndex:
      return "float or int32 indices";
    case VariableKind::kAny:
      break;
  }
  return "any type";
}

bool HasKind(DataType type, VariableKind kind) {
  switch (kind) {
    case VariableKind::kFloat:
    case VariableKind::kReciprocal:
    case VariableKind::kMultiply:
      return IsFloat(type);
    case VariableKind::kInt8:
      return type == DataType::kInt8;
    case VariableKind::kIntegerBias:
      return type == DataType::kInt32 || type == DataType::kInt64;
    case VariableKind::kPacked:
    case VariableKind::kPackedRows:
      return type == DataType::kInt8 || type == DataType::kUint8;
    case VariableKind::kZeroPoint:
      return type == DataType::kInt8 || type == DataType::kUint8 || IsFloat(type);
    case VariableKind::kIndex:
      return type == DataType::kInt32 || IsFloat(type);
    case VariableKind::kAny:
      break;
  }
  return true;
}

bool IsPacked(VariableKind kind) {
  return kind == VariableKind::kPacked || kind == VariableKind::kPackedRows;
}

absl::string_view Convention(VariableKind kind) {
  if (kind == VariableKind::kReciprocal) return "reciprocal";
  if (kind == VariableKind::kMultiply) return "multiply";
  return "";
}

// The real values of a 16-bit float by its bits.
float FromBfloat16(std::uint16_t bits) {
  const std::uint32_t wide = static_cast<std::uint32_t>(bits) << 16;
  float value = 0.0F;
  static_assert(sizeof(value) == sizeof(wide));
  std::copy_n(reinterpret_cast<const std::byte*>(&wide), sizeof(wide),
              reinterpret_cast<std::byte*>(&value));
  return value;
}
float FromFloat16(std::uint16_t bits) {
  const int exponent = bits >> 10 & 0x1f;
  const auto mantissa = static_cast<float>(bits & 0x3ff);
  const float sign = (bits & 0x8000) != 0 ? -1.0F : 1.0F;
  if (exponent == 0x1f) return mantissa == 0.0F ? sign * INFINITY : NAN;
  if (exponent == 0) return sign * std::ldexp(mantissa, -24);
  return sign * std::ldexp(1024.0F + mantissa, exponent - 25);
}

// The elements of a float or int32 tensor, whatever its alignment.
double ElementAt(const ConstantTensor& tensor, std::size_t index) {
  const std::byte* const data = tensor.bytes().data() + index * BitWidth(tensor.data_type()) / 8;
  const auto read = [data](auto value) {
    std::copy_n(data, sizeof(value), reinterpret_cast<std::byte*>(&value));
    return value;
  };
  switch (tensor.data_type()) {
    case DataType::kFloat16:
      return FromFloat16(read(std::uint16_t{0}));
    case DataType::kBfloat16:
      return FromBfloat16(read(std::uint16_t{0}));
    case DataType::kFloat64:
      return read(0.0);
    case DataType::kInt32:
      return read(std::int32_t{0});
    default:
      return read(0.0F);
  }
}

// Checks one layer against one order.
class LayerChecker {
 public:
  LayerChecker(const Layer& layer, const LayerOrder& order) : layer_(layer), order_(order) {}

  absl::Status Check() {
    std::size_t index = 0;
    for (const VariableSpec& spec : order_.variables) {
      const bool present =
          index < layer_.variables.size() && layer_.variables[index].name == spec.name;
      if (!present) {
        if (spec.presence == VariableSpec::Presence::kOptional) continue;
        const bool at_end = index >= layer_.variables.size();
        return Mismatch(index,
                        at_end ? "nothing" : absl::StrCat("\"", layer_.variables[index].name, "\""),
                        absl::StrCat("\"", spec.name, "\""));
      }
      RETURN_IF_ERROR(CheckVariable(index, spec));
      ++index;
    }
    if (index != layer_.variables.size()) {
      return Mismatch(index, absl::StrCat("\"", layer_.variables[index].name, "\""),
                      absl::StrCat("no further variable (the order is ", OrderText(), ")"));
    }
    const bool wants_packing = std::any_of(order_.variables.begin(), order_.variables.end(),
                                           [](const VariableSpec& s) { return IsPacked(s.kind); });
    if (layer_.packing.has_value() && !wants_packing) {
      return Error("has a packing, but no variable of this mode is packed");
    }
    return absl::OkStatus();
  }

 private:
  absl::Status CheckVariable(std::size_t index, const VariableSpec& spec) {
    const LayerVariable& variable = layer_.variables[index];
    const ConstantTensor& tensor = variable.tensor;
    if (!HasKind(tensor.data_type(), spec.kind)) {
      return Mismatch(index, Describe(variable),
                      absl::StrCat("\"", spec.name, "\" as ", KindName(spec.kind)));
    }
    if (variable.scale_convention != Convention(spec.kind)) {
      return Mismatch(index,
                      absl::StrCat("\"", spec.name, "\" with the scale convention \"",
                                   variable.scale_convention, "\""),
                      absl::StrCat("\"", Convention(spec.kind), "\""));
    }
    Dims dims = tensor.dims();
    if (IsPacked(spec.kind)) RETURN_IF_ERROR(UnpackDims(index, spec.kind, dims));
    RETURN_IF_ERROR(CheckShape(index, spec, dims));
    if (!Convention(spec.kind).empty()) return CheckScale(index);
    if (spec.kind == VariableKind::kIndex) return CheckIndices(index);
    return absl::OkStatus();
  }

  // Turns the packed `dims` into the logical ones.
  absl::Status UnpackDims(std::size_t index, VariableKind kind, Dims& dims) {
    if (!layer_.packing.has_value()) {
      return Mismatch(index, "no packing", "bits, axis and original length of the packed variable");
    }
    const Packing& packing = *layer_.packing;
    const auto rank = static_cast<int>(dims.size());
    if (packing.bits != 2 && packing.bits != 4 && packing.bits != 8) {
      return Mismatch(index, absl::StrCat("packing of ", packing.bits, " bits"), "2, 4 or 8");
    }
    const int named_axis = packing.axis < 0 ? packing.axis + rank : packing.axis;
    const int axis = kind == VariableKind::kPackedRows ? 0 : named_axis;
    if (axis < 0 || axis >= rank) {
      return Mismatch(index, absl::StrCat("packing axis ", packing.axis),
                      absl::StrCat("an axis of ", ToString(dims)));
    }
    const std::int64_t per_byte = 8 / packing.bits;
    const std::int64_t length = packing.original_length;
    std::int64_t& packed = dims[static_cast<std::size_t>(axis)];
    if (length < 0 || length / per_byte + (length % per_byte != 0 ? 1 : 0) != packed) {
      return Mismatch(index, absl::StrCat("original length ", length, " in ", packed, " bytes"),
                      absl::StrCat(per_byte, " elements a byte along axis ", axis));
    }
    packed = length;
    return absl::OkStatus();
  }

  absl::Status CheckShape(std::size_t index, const VariableSpec& spec, const Dims& dims) {
    if (spec.shape == "*") return absl::OkStatus();
    const std::vector<std::string> names = absl::StrSplit(spec.shape, ',', absl::SkipEmpty());
    bool same = names.size() == dims.size();
    for (std::size_t i = 0; same && i < dims.size(); ++i) {
      same = lengths_.emplace(names[i], dims[i]).first->second == dims[i];
    }
    if (same) return absl::OkStatus();
    std::vector<std::string> wanted;
    for (const std::string& name : names) {
      const auto known = lengths_.find(name);
      wanted.push_back(known == lengths_.end() ? name : absl::StrCat(name, "=", known->second));
    }
    return Mismatch(index, absl::StrCat("\"", spec.name, "\" of shape ", ToString(dims)),
                    absl::StrCat("[", absl::StrJoin(wanted, ", "), "]"));
  }

  absl::Status CheckScale(std::size_t index) {
    const ConstantTensor& tensor = layer_.variables[index].tensor;
    const auto count = static_cast<std::size_t>(NumElements(tensor.dims()));
    for (std::size_t i = 0; i < count; ++i) {
      const double value = ElementAt(tensor, i);
      if (!(value > 0.0) || !std::isfinite(value)) {
        return Mismatch(
            index,
            absl::StrCat("\"", layer_.variables[index].name, "\" with ", value, " at element ", i),
            "finite scales above 0");
      }
    }
    return absl::OkStatus();
  }

  absl::Status CheckIndices(std::size_t index) {
    const ConstantTensor& tensor = layer_.variables[index].tensor;
    const auto groups = lengths_.find("groups");
    const auto count = static_cast<std::size_t>(NumElements(tensor.dims()));
    for (std::size_t i = 0; i < count; ++i) {
      const double value = ElementAt(tensor, i);
      const bool in_range =
          value >= 0.0 && std::floor(value) == value &&
          (groups == lengths_.end() || value < static_cast<double>(groups->second));
      if (!in_range) {
        return Mismatch(
            index,
            absl::StrCat("\"", layer_.variables[index].name, "\" with ", value, " at element ", i),
            "whole numbers from 0, below the number of groups");
      }
    }
    return absl::OkStatus();
  }

  [[nodiscard]] std::string OrderText() const {
    return absl::StrJoin(order_.variables, ", ", [](std::string* out, const VariableSpec& spec) {
      const bool optional = spec.presence == VariableSpec::Presence::kOptional;
      absl::StrAppend(out, spec.name, optional ? "?" : "");
    });
  }

  static std::string Describe(const LayerVariable& variable) {
    return absl::StrCat("\"", variable.name, "\" as ", DataTypeName(variable.tensor.data_type()),
                        " ", ToString(variable.tensor.dims()));
  }

  [[nodiscard]] absl::Status Error(absl::string_view what) const {
    return absl::InvalidArgumentError(absl::StrCat(
        "layer \"", layer_.path, "\" (", order_.layer_class, ", ", order_.mode, ") ", what));
  }
  [[nodiscard]] absl::Status Mismatch(std::size_t index, absl::string_view found,
                                      absl::string_view expected) const {
    return Error(absl::StrCat("variable ", index, ": got ", found, ", wants ", expected));
  }

  const Layer& layer_;
  const LayerOrder& order_;
  std::map<std::string, std::int64_t> lengths_;  // of the named dimensions met so far
};

// Whether the names that `layer` stores are those of `order`, less optional ones.
bool NamesMatch(const Layer& layer, const LayerOrder& order) {
  std::size_t index = 0;
  for (const VariableSpec& spec : order.variables) {
    if (index < layer.variables.size() && layer.variables[index].name == spec.name) {
      ++index;
    } else if (spec.presence == VariableSpec::Presence::kRequired) {
      return false;
    }
  }
  return index == layer.variables.size();
}

// How many of the layer's names `order` knows.
std::size_t KnownNames(const Layer& layer, const LayerOrder& order) {
  std::size_t known = 0;
  for (const LayerVariable& variable : layer.variables) {
    known += std::any_of(order.variables.begin(), order.variables.end(),
                         [&](const VariableSpec& spec) { return spec.name == variable.name; })
                 ? 1
                 : 0;
  }
  return known;
}

const std::string& ClassKey(const Layer& layer) {
  return layer.registered_name.empty() ? layer.layer_class : layer.registered_name;
}

}  // namespace

void LayerOrders::Add(LayerOrder order) { orders_.push_back(std::move(order)); }

absl::StatusOr<const LayerOrder*> LayerOrders::Find(const Layer& layer) const {
  const LayerOrder* nearest = nullptr;
  std::set<std::string> modes;
  for (const LayerOrder& order : orders_) {
    if (order.layer_class != ClassKey(layer)) continue;
    modes.insert(order.mode);
    if (order.mode != layer.mode) continue;
    if (NamesMatch(layer, order)) return &order;
    if (nearest == nullptr || KnownNames(layer, order) > KnownNames(layer, *nearest)) {
      nearest = &order;
    }
  }
  if (nearest != nullptr) return nearest;
  if (modes.empty()) {
    return absl::UnimplementedError(absl::StrCat("layer \"", layer.path,
                                                 "\": no variable order is "
                                                 "known for the class \"",
                                                 ClassKey(layer), "\""));
  }
  return absl::UnimplementedError(absl::StrCat("layer \"", layer.path, "\" (", ClassKey(layer),
                                               "): unknown mode \"", layer.mode,
                                               "\"; known: ", absl::StrJoin(modes, ", ")));
}

absl::Status CheckLayer(const Layer& layer, const LayerOrders& orders) {
  const absl::Span<const LayerOrder> all = orders.orders();
  const bool known = std::any_of(all.begin(), all.end(), [&](const LayerOrder& order) {
    return order.layer_class == ClassKey(layer);
  });
  if (!known && layer.variables.empty() && layer.mode == "float") return absl::OkStatus();
  ASSIGN_OR_RETURN(const LayerOrder* const order, orders.Find(layer));
  return LayerChecker(layer, *order).Check();
}

}  // namespace octet
