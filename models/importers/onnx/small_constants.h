// SPDX-License-Identifier: Apache-2.0
// Numbers that a graph computes of its constants alone, known before it is translated: scales,
// zero points and bounds, which exporters cast, invert and reshape first.

#pragma once

#include <cstdint>
#include <map>
#include <set>
#include <string>

#include "absl/strings/string_view.h"

#include "models/importers/onnx/external_data.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/node_call.h"
#include "models/importers/quantized_constant.h"

namespace octet::onnx {

class SmallConstants {
 public:
  // All are borrowed. `constants` are the initializers, by name.
  SmallConstants(const NamedWeights& constants, std::int64_t opset, ExternalData& external,
                 const OperatorRegistry& operators);

  // Takes note of what `node` computes, if that is small and its inputs are known. To be called for
  // every node, in the order of computation.
  void Note(const NodeProto& node);

  // The constant called `name`, of at most 65536 elements; null if there is none. Valid until the
  // next Note.
  [[nodiscard]] const ConstantTensor* Find(const std::string& name) const;
  // The constant of any size that is an initializer.
  [[nodiscard]] const ConstantTensor* Initializer(const std::string& name) const;

 private:
  const NamedWeights& initializers_;
  const std::int64_t opset_;
  ExternalData& external_;
  Translation scratch_;
  std::map<std::string, ConstantTensor> computed_;
  std::int64_t elements_ = 0;  // of all that were computed
};

}  // namespace octet::onnx
