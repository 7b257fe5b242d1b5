// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/clip_fusion.h"

#include <cstdint>
#include <gtest/gtest.h>
#include <map>
#include <string>

#include "tests/support/onnx_protos.h"

namespace octet::onnx {
namespace {

using ::octet::testing::ProtoFloats;
using ::octet::testing::ProtoIntegers;
using ::octet::testing::ProtoNode;

constexpr std::int64_t kUint8 = 2, kInt8 = 3;

// Whether a clip to [low, high] goes in front of integers of 6 / 255 a step and `zero`.
bool Goes(float low, float high, std::int64_t type, std::int64_t zero) {
  const std::map<std::string, TensorProto> constants = {
      {"low", ProtoFloats("low", {low})},
      {"high", ProtoFloats("high", {high})},
      {"scale", ProtoFloats("scale", {6.0F / 255})},
      {"zero", ProtoIntegers("zero", type, {}, {zero})}};
  return IsClippedAnyway(ProtoNode("Clip", {"x", "low", "high"}, "y"),
                         ProtoNode("QuantizeLinear", {"y", "scale", "zero"}, "q"),
                         [&constants](const std::string& name) {
                           const auto found = constants.find(name);
                           return found == constants.end() ? nullptr : &found->second;
                         });
}

TEST(ClipFusionTest, AClipGoesWhereItIsNoNarrowerThanTheIntegers) {
  EXPECT_TRUE(Goes(0, 6, kUint8, 0));
  EXPECT_TRUE(Goes(0, 6, kInt8, -128));
  EXPECT_TRUE(Goes(-3, 4, kUint8, 100));
  EXPECT_FALSE(Goes(0, 5, kUint8, 0)) << "215 is the largest integer";
  EXPECT_FALSE(Goes(0, 6, kUint8, 1)) << "1 is the least";
  EXPECT_FALSE(Goes(1, 6, kUint8, 0));
}

TEST(ClipFusionTest, WhatIsNotKnownStays) {
  const auto none = [](const std::string&) -> const TensorProto* { return nullptr; };
  const NodeProto quantizer = ProtoNode("QuantizeLinear", {"y", "scale"}, "q");
  EXPECT_FALSE(IsClippedAnyway(ProtoNode("Relu", {"x"}, "y"), quantizer, none));
  const TensorProto scale = ProtoFloats("scale", {0.5F});
  const auto only_scale = [&scale](const std::string& name) {
    return name == "scale" ? &scale : nullptr;
  };
  EXPECT_TRUE(IsClippedAnyway(ProtoNode("Relu", {"x"}, "y"), quantizer, only_scale));
  EXPECT_FALSE(IsClippedAnyway(ProtoNode("Clip", {"x", "low"}, "y"), quantizer, only_scale));
  EXPECT_TRUE(IsClippedAnyway(ProtoNode("Clip", {"x"}, "y"), quantizer, only_scale));
  EXPECT_FALSE(IsClippedAnyway(ProtoNode("Sigmoid", {"x"}, "y"), quantizer, only_scale));
}

}  // namespace
}  // namespace octet::onnx
