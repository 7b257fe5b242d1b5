// SPDX-License-Identifier: Apache-2.0
// A transformer block with quantized activations.

#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "models/importers/graph_builder.h"
#include "models/operators/operators.h"
#include "tests/support/run_operator.h"

namespace octet::testing {

inline constexpr std::int64_t kVocabulary = 50;

struct SmallEncoderOptions {
  std::int64_t width = 48;  // a multiple of 3, the number of heads
  // 0: no embedding of positions; else of so many, and a longer sequence is refused.
  std::int64_t max_length = 0;
  bool is_masked = false;  // an input "mask" [rows, length], int32: whether to look at a token
  bool has_pooled_output = false;  // [rows, width] too, of the mean of all tokens
  bool is_quantized = true;
};

class SmallEncoder {
 public:
  explicit SmallEncoder(SmallEncoderOptions options = {}) : options_(options) {}

  // tokens [rows, length] int32 -> "y" [rows, length, width].
  Graph Build() {
    const Dim length = builder_.OpenDimension("length");
    const std::int64_t width = options_.width;
    const ValueId tokens =
        builder_.AddInput("tokens", {DataType::kInt32, {Dim(kRows), length}, std::nullopt});
    const ValueId table = Constant({kVocabulary, width});
    const ValueId x = Normalize("embedding/norm", Embed(tokens, table));
    const auto heads = [&](const std::string& name) {
      return Emit("Reshape", name + "/heads", {Dense(name, x, width, width)},
                  {{"shape", std::vector<std::int64_t>{0, 0, kHeads, width / kHeads}}});
    };
    std::vector<ValueId> operands = {heads("query"), heads("key"), heads("value")};
    if (options_.is_masked) operands.push_back(Mask(length));
    const ValueId attention = Emit("Attention", "attention", operands, {{"scale", 0.25}});
    const ValueId joined =
        Emit("Reshape", "joined", {attention}, {{"shape", std::vector<std::int64_t>{0, 0, width}}});
    const ValueId attended = Normalize(
        "attention/norm",
        Emit("Add", "attention/residual", {x, Dense("projection", joined, width, width)}));
    const ValueId hidden =
        Emit("Activation", "hidden/gelu", {Dense("hidden", attended, width, 2 * width)},
             {{"activation", "gelu"}});
    const ValueId y = Normalize(
        "norm", Emit("Add", "residual", {Dense("output", hidden, 2 * width, width), attended}));
    if (!options_.has_pooled_output) return builder_.Finish({y}, {"y"}).value();
    const ValueId mean =
        Emit("Reduce", "mean", {y}, {{"kind", "mean"}, {"axes", std::vector<std::int64_t>{1}}});
    const ValueId pooled = Emit("Activation", "pooled/tanh", {Dense("pooler", mean, width, width)},
                                {{"activation", "tanh"}});
    return builder_.Finish({y, pooled}, {"y", "pooled"}).value();
  }

 private:
  static constexpr std::int64_t kHeads = 3;

  ValueId Emit(const std::string& op, const std::string& name, std::vector<ValueId> inputs,
               Attributes attributes = {}) {
    return builder_.Emit(op, name, std::move(inputs), std::move(attributes)).value();
  }
  ValueId Constant(Dims dims) {
    const auto values = Noise(static_cast<std::size_t>(NumElements(dims)), ++seed_);
    return builder_.AddConstant("constant" + std::to_string(seed_),
                                FloatConstant(std::move(dims), values));
  }
  ValueId Embed(ValueId tokens, ValueId table) {
    const ValueId words = Emit("Gather", "embedding", {tokens, table});
    if (options_.max_length == 0) return words;
    const ValueId positions =
        Emit("Positions", "positions", {tokens}, {{"limit", options_.max_length}});
    const ValueId places = Constant({options_.max_length, options_.width});
    return Emit("Add", "embedding/sum",
                {words, Emit("Gather", "embedding/positions", {positions, places})});
  }
  ValueId Mask(const Dim& length) {
    const ValueId mask =
        builder_.AddInput("mask", {DataType::kInt32, {Dim(kRows), length}, std::nullopt});
    return Emit("Reshape", "mask/heads",
                {builder_.Cast("mask/bool", mask, DataType::kBool).value()},
                {{"shape", std::vector<std::int64_t>{0, 1, 1, -1}}});
  }
  ValueId Normalize(const std::string& name, ValueId x) {
    return Emit("LayerNormalization", name,
                {x, Constant({options_.width}), Constant({options_.width})});
  }
  ValueId Dense(const std::string& name, ValueId x, std::int64_t k, std::int64_t n) {
    if (!options_.is_quantized) {
      return Emit("FullyConnected", name, {x, Constant({k, n}), kNoValue, kNoValue, Constant({n})});
    }
    const auto weights = Int8Noise(static_cast<std::size_t>(k * n), ++seed_);
    const ValueId weight =
        builder_.AddConstant(name + "/w", ConstantTensor::Copy(DataType::kInt8, {k, n}, weights));
    const ValueId scale = builder_.AddConstant(
        name + "/scale",
        FloatConstant({n}, std::vector<float>(static_cast<std::size_t>(n), 300.0F)));
    return Emit("FullyConnected", name, {x, weight, scale, kNoValue, Constant({n})},
                {{"activation_quantization", "dynamic"}});
  }

  const SmallEncoderOptions options_;
  const OperatorRegistry operators_ = BuiltInOperators();
  GraphBuilder builder_{operators_};
  std::uint32_t seed_ = 0;
};

}  // namespace octet::testing
