// SPDX-License-Identifier: Apache-2.0
// The graph and the layers of a bundle to and from their messages. Internal to models/bundle.

#pragma once

#include <map>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "models/bundle/bundle.h"
#include "models/bundle/safetensors.h"
#include "proto/octet/bundle/v1/bundle.pb.h"

namespace octet {

// Collects the tensors of a bundle that is written; the same bytes are stored once.
class TensorTable {
 public:
  // The key under which `tensor` is stored with its own type and dimensions.
  std::string AddVariable(const std::string& name, const ConstantTensor& tensor);
  // The key under which the bytes of `tensor` are stored; the dimensions may be others.
  std::string AddConstant(const std::string& name, const ConstantTensor& tensor);

  // In the order in which they were added. Views into what was added.
  [[nodiscard]] const std::vector<NamedSafetensorsEntry>& tensors() const { return tensors_; }

 private:
  using Key = std::pair<DataType, absl::string_view>;
  std::string Store(const std::string& name, SafetensorsEntry entry);

  std::vector<NamedSafetensorsEntry> tensors_;
  absl::flat_hash_map<Key, std::vector<std::size_t>> by_bytes_;
  std::map<std::string, std::size_t> names_;
};

// The tensors of a bundle that is read, and who keeps their bytes alive.
struct TensorSource {
  std::map<std::string, SafetensorsEntry> tensors;
  std::shared_ptr<const void> owner;
};

bundle::v1::Layers EncodeLayers(const std::vector<Layer>& layers, TensorTable& tensors);
bundle::v1::Graph EncodeGraph(const Graph& graph, TensorTable& tensors);

// Return INVALID_ARGUMENT naming the layer, node or value that is wrong. DecodeGraph checks what
// stands for itself (names, references, sizes); the rest is for VerifyGraph.
absl::StatusOr<std::vector<Layer>> DecodeLayers(const bundle::v1::Layers& message,
                                                const TensorSource& source);
absl::StatusOr<Graph> DecodeGraph(const bundle::v1::Graph& message, const TensorSource& source);

}  // namespace octet
