// SPDX-License-Identifier: Apache-2.0
// Which variables a layer stores in which mode, in which order, and what each must look like.
//
// The orders are those in which Keras serializes its layers ("0", "1", ... in a .keras file);
// an optional variable that is absent takes no index.

#pragma once

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"

#include "models/bundle/bundle.h"

namespace octet {

// What the elements of a variable may be.
enum class VariableKind {
  kFloat,        // any float type
  kInt8,         // a quantized kernel
  kIntegerBias,  // in units of input scale * weight scale: int32, or int64 beside int16 activations
  kPacked,       // int8 or uint8 bytes, as Layer::packing says
  kPackedRows,   // the same, but along the first axis whatever Layer::packing says
  kReciprocal,   // float scale, finite and above 0: real = q / scale
  kMultiply,     // float scale, finite and above 0: real = (q - zero point) * scale
  kZeroPoint,    // int8, uint8 or float
  kIndex,        // float or int32: the group of each input row, in [0, length of "groups")
  kAny,
};

struct VariableSpec {
  enum class Presence { kRequired, kOptional };

  std::string name;
  VariableKind kind = VariableKind::kFloat;
  // Names of dimensions, separated by commas: "in,out". A name stands for the same length wherever
  // it occurs in the layer; "*" is any shape, "" a scalar. Of a packed variable these are the
  // logical elements, not the bytes.
  std::string shape = "*";
  Presence presence = Presence::kRequired;
};

// One way to store a layer of `layer_class` in `mode`.
struct LayerOrder {
  // The class, or the registered name of a custom one: "Dense", "Custom>SimpleScale".
  std::string layer_class;
  std::string mode;
  std::vector<VariableSpec> variables;
};

// The orders that a reader knows. Several may exist for one class and mode (grouped int4 or not):
// the one whose names are those stored is taken.
// Built once by BuiltInLayerOrders(), extended by who has custom layers, then passed by reference.
class LayerOrders {
 public:
  void Add(LayerOrder order);

  // The order that `layer` follows, by the names of the variables it stores. Where none has just
  // these names, the nearest one, for CheckLayer to tell the difference. Returns UNIMPLEMENTED
  // with the layer's path for an unknown class or mode.
  [[nodiscard]] absl::StatusOr<const LayerOrder*> Find(const Layer& layer) const;

  [[nodiscard]] absl::Span<const LayerOrder> orders() const { return orders_; }

 private:
  std::vector<LayerOrder> orders_;
};

// All layer classes of Keras that Octet imports, and SimpleScale, the worked example of a custom
// layer. One line an order, in alphabetical order of classes.
LayerOrders BuiltInLayerOrders();

// Checks that `layer` stores just the variables that its class and mode demand: count, order, data
// types, shapes, scales finite and above 0, scale conventions, packing. A layer of an unknown class
// without variables in mode "float" passes: it has nothing to order.
// Returns UNIMPLEMENTED (see Find), or INVALID_ARGUMENT naming the layer's path, the index, what
// was found and what is expected.
absl::Status CheckLayer(const Layer& layer, const LayerOrders& orders);

}  // namespace octet
