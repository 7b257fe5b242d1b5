// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/constant_scatter.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

#include "tests/support/onnx_import_test.h"
#include "tests/support/onnx_writer.h"

namespace octet::onnx {
namespace {

using ::octet::testing::kOnnxInt64;
using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::octet::testing::WireMessage;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class ConstantScatterTest : public ::octet::testing::OnnxImportTest {};

WireMessage Indices(const std::vector<std::int64_t>& dims,
                    const std::vector<std::int64_t>& numbers) {
  WireMessage tensor;
  for (const std::int64_t dim : dims) tensor.Number(1, static_cast<std::uint64_t>(dim));
  tensor.Number(2, kOnnxInt64).Bytes(8, "at");
  for (const std::int64_t number : numbers) tensor.Number(7, static_cast<std::uint64_t>(number));
  return tensor;
}

// y = x + what is scattered into six zeros [2, 3].
OnnxGraph Scattered(const WireMessage& indices, const WireMessage& updates) {
  return {
      .nodes = {OnnxNode("ScatterND", {"zeros", "at", "updates"}, {"mask"}),
                OnnxNode("Add", {"x", "mask"}, {"y"})},
      .initializers = {OnnxTensor("zeros", {2, 3}, std::vector<float>(6, 0.0F)), indices, updates},
      .inputs = {OnnxValue("x", {0, 2, 3})},
      .outputs = {OnnxValue("y", {0, 2, 3})}};
}

std::vector<float> MaskOf(const Bundle& bundle) {
  for (const Value& value : bundle.graph.values) {
    if (!value.constant.has_value()) continue;
    const std::span<const float> elements = value.constant->as<float>();
    return {elements.begin(), elements.end()};
  }
  return {};
}

TEST_F(ConstantScatterTest, ElementsAndSlicesTakeTheirPlaces) {
  auto bundle =
      Import(Scattered(Indices({2, 2}, {0, 1, -1, -1}), OnnxTensor("updates", {2}, {5.0F, 7.0F})));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(MaskOf(*bundle), ElementsAre(0, 5, 0, 0, 0, 7));
  bundle = Import(Scattered(Indices({1, 1}, {1}), OnnxTensor("updates", {1, 3}, {1, 2, 3})));
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(MaskOf(*bundle), ElementsAre(0, 0, 0, 1, 2, 3));
}

TEST_F(ConstantScatterTest, WhatDoesNotFitIsRefused) {
  const auto error = [this](const WireMessage& indices, const WireMessage& updates) {
    return std::string(Import(Scattered(indices, updates)).status().message());
  };
  EXPECT_THAT(error(Indices({1, 2}, {0, 3}), OnnxTensor("updates", {1}, {1})),
              HasSubstr("index 3 of an axis of 3"));
  EXPECT_THAT(error(Indices({1, 2}, {-3, 0}), OnnxTensor("updates", {1}, {1})),
              HasSubstr("index -3 of an axis of 2"));
  EXPECT_THAT(error(Indices({1, 3}, {0, 0, 0}), OnnxTensor("updates", {1}, {1})),
              HasSubstr("indices [1, 3] into [2, 3]"));
  EXPECT_THAT(error(Indices({1, 1}, {0}), OnnxTensor("updates", {1, 2}, {1, 2})),
              HasSubstr("updates FP32[1, 2], wants FP32[1, 3]"));
}

}  // namespace
}  // namespace octet::onnx
