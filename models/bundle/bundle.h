// SPDX-License-Identifier: Apache-2.0
// A bundle in memory: what a bundle on disk (docs/bundle_format.md) holds, checked.

#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "models/graph/graph.h"
#include "models/tensor/tensor.h"

namespace octet {

// One stored variable of a layer, at its place in the layer's serialized order.
struct LayerVariable {
  std::string name;  // "kernel", "bias", "kernel_scale", ...
  // The variable as the source stored it: for packed types the packed bytes, with their dtype
  // (int8 or uint8) and packed shape.
  ConstantTensor tensor;
  std::string scale_convention;  // "reciprocal" or "multiply" for a scale, else empty
};

// How a packed variable's logical elements lie in its bytes.
struct Packing {
  int bits = 4;
  int axis = -1;                     // logical axis along which neighbours share a byte
  std::int64_t original_length = 0;  // elements along `axis`
  bool low_nibble_first = true;
  bool is_signed = true;
};

// One layer of the source model, with its variables in serialized order.
struct Layer {
  std::string path;             // "encoder/mha/query"
  std::string layer_class;      // "Dense"
  std::string registered_name;  // for custom classes, else empty
  std::string mode;             // "float", "int8", "int4", "gptq", "awq", "float8"
  std::string dtype_policy;     // "int8_from_float32"
  std::string source_group;     // where the source kept it: "layers/dense/vars"
  std::vector<LayerVariable> variables;
  std::optional<Packing> packing;             // of the packed variable, if there is one
  std::map<std::string, std::string> config;  // what a reader of layers.json wants to know
};

// Reference inputs and outputs; every tensor has at least 4 rows.
struct SelfTest {
  std::vector<Tensor> inputs;  // in the graph's order
  std::vector<Tensor> outputs;
  // Floats agree within tolerance * max|expected|, int8 and uint8 within floor(tolerance * 255),
  // other integers exactly.
  double tolerance = 1e-5;
};

struct BundleSource {
  std::string framework;  // "keras", "octet quantize"
  std::string version;
  std::string file_sha256;
};

struct Bundle {
  Graph graph;
  std::vector<Layer> layers;
  std::optional<SelfTest> self_test;
  BundleSource source;
  std::string precision;  // "fp32", "int8-dynamic", "int8-static", "int8-weight-only", "int4", ...
  std::vector<std::string> class_labels;  // of the first output's last axis; may be empty
  std::string digest;  // hex SHA-256 that identifies the bundle; set by the reader
};

}  // namespace octet
