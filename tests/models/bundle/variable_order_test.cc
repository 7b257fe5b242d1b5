// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/variable_order.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

namespace octet {
namespace {

using ::testing::HasSubstr;

ConstantTensor Floats(Dims dims, float value = 1.0F) {
  const auto count = static_cast<std::size_t>(NumElements(dims));
  return ConstantTensor::Copy(DataType::kFloat32, std::move(dims),
                              std::vector<float>(count, value));
}
ConstantTensor Int8(Dims dims, DataType type = DataType::kInt8) {
  const auto count = static_cast<std::size_t>(NumElements(dims));
  return ConstantTensor::Copy(type, std::move(dims), std::vector<std::int8_t>(count, 1));
}

Layer DenseInt8() {
  return {"enc/query",
          "Dense",
          "",
          "int8",
          "int8_from_float32",
          "",
          {{"kernel", Int8({3, 2}), ""},
           {"bias", Floats({2}), ""},
           {"kernel_scale", Floats({2}), "reciprocal"}},
          std::nullopt,
          {}};
}

Layer DenseInt4Grouped() {
  return {"enc/query",
          "Dense",
          "",
          "int4",
          "int4/2_from_float32",
          "",
          {{"kernel", Int8({3, 2}), ""},
           {"bias", Floats({3}), ""},
           {"kernel_scale", Floats({2, 3}), "multiply"},
           {"kernel_zero", Int8({2, 3}), ""},
           {"g_idx", Floats({3}), ""}},
          Packing{.bits = 4, .axis = -1, .original_length = 3},
          {}};
}

absl::Status Check(const Layer& layer) { return CheckLayer(layer, BuiltInLayerOrders()); }

std::string ErrorOf(const Layer& layer) {
  const absl::Status status = Check(layer);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
  return std::string(status.message());
}

TEST(VariableOrderTest, EveryLayoutOfDenseIsKnown) {
  EXPECT_TRUE(Check(DenseInt8()).ok()) << Check(DenseInt8());
  EXPECT_TRUE(Check(DenseInt4Grouped()).ok()) << Check(DenseInt4Grouped());
  Layer old = DenseInt4Grouped();  // Keras to 3.13: packed along the inputs, one scale a column
  old.variables = {{"kernel", Int8({2, 3}), ""}, {"kernel_scale", Floats({3}), "reciprocal"}};
  old.packing = Packing{.bits = 4, .axis = 0, .original_length = 3};
  EXPECT_TRUE(Check(old).ok()) << Check(old);
  Layer gptq = DenseInt4Grouped();
  gptq.mode = "gptq";
  gptq.variables = {{"bias", Floats({5}), ""},
                    {"quantized_kernel", Int8({3, 4}, DataType::kUint8), ""},
                    {"kernel_scale", Floats({5, 2}), "multiply"},
                    {"kernel_zero", Int8({5, 2}, DataType::kUint8), ""},
                    {"g_idx", Floats({4}), ""}};
  gptq.packing = Packing{.bits = 4, .axis = 0, .original_length = 5, .is_signed = false};
  EXPECT_TRUE(Check(gptq).ok()) << Check(gptq);
  Layer awq = gptq;
  awq.mode = "awq";
  awq.variables.insert(awq.variables.begin() + 4,
                       LayerVariable{"awq_scales", Floats({4}), "reciprocal"});
  EXPECT_TRUE(Check(awq).ok()) << Check(awq);
  Layer float8 = DenseInt8();
  float8.mode = "float8";
  float8.variables = {{"kernel", Floats({3, 2}), ""},
                      {"inputs_scale", Floats({}), ""},
                      {"inputs_amax_history", Floats({1024}), ""},
                      {"kernel_scale", Floats({}), ""},
                      {"kernel_amax_history", Floats({1024}), ""},
                      {"outputs_grad_scale", Floats({}), ""},
                      {"outputs_grad_amax_history", Floats({1024}), ""}};
  EXPECT_TRUE(Check(float8).ok()) << Check(float8);
}

TEST(VariableOrderTest, AnAbsentBiasTakesNoIndex) {
  Layer layer = DenseInt8();
  layer.variables.erase(layer.variables.begin() + 1);
  EXPECT_TRUE(Check(layer).ok()) << Check(layer);
}

TEST(VariableOrderTest, AnotherOrderNamesLayerIndexFoundAndExpected) {
  Layer layer = DenseInt8();
  std::swap(layer.variables[1], layer.variables[2]);
  const std::string error = ErrorOf(layer);
  EXPECT_THAT(error, HasSubstr("layer \"enc/query\""));
  EXPECT_THAT(error, HasSubstr("variable 2: got \"bias\""));
  layer.variables.resize(1);
  EXPECT_THAT(ErrorOf(layer), HasSubstr("variable 1: got nothing, wants \"kernel_scale\""));
}

TEST(VariableOrderTest, DataTypesAndShapesMustFit) {
  Layer layer = DenseInt8();
  layer.variables[0].tensor = Floats({3, 2});
  EXPECT_THAT(ErrorOf(layer), HasSubstr("variable 0: got \"kernel\" as FP32 [3, 2], wants"));
  layer = DenseInt8();
  layer.variables[2].tensor = Floats({3});
  EXPECT_THAT(ErrorOf(layer), HasSubstr("of shape [3], wants [out=2]"));
}

TEST(VariableOrderTest, ScalesMustBeFiniteAndAboveZero) {
  for (const float bad : {0.0F, -1.0F, std::numeric_limits<float>::infinity(),
                          std::numeric_limits<float>::quiet_NaN()}) {
    Layer layer = DenseInt8();
    layer.variables[2].tensor = Floats({2}, bad);
    EXPECT_THAT(ErrorOf(layer), HasSubstr("finite scales above 0"));
  }
  Layer half = DenseInt8();
  half.variables[2].tensor =
      ConstantTensor::Copy(DataType::kFloat16, {2}, std::vector<std::uint16_t>{0x0001, 0x7bff});
  EXPECT_TRUE(Check(half).ok()) << Check(half);
  half.variables[2].tensor =
      ConstantTensor::Copy(DataType::kFloat16, {2}, std::vector<std::uint16_t>{0x3c00, 0x7c00});
  EXPECT_THAT(ErrorOf(half), HasSubstr("at element 1"));
}

TEST(VariableOrderTest, TheScaleConventionMustBeThatOfTheMode) {
  Layer layer = DenseInt8();
  layer.variables[2].scale_convention = "multiply";
  EXPECT_THAT(ErrorOf(layer), HasSubstr("wants \"reciprocal\""));
}

TEST(VariableOrderTest, PackingMustFit) {
  Layer layer = DenseInt4Grouped();
  layer.packing->original_length = 5;
  EXPECT_THAT(ErrorOf(layer), HasSubstr("original length 5 in 2 bytes"));
  layer.packing->axis = 2;
  EXPECT_THAT(ErrorOf(layer), HasSubstr("packing axis 2"));
  layer.packing.reset();
  EXPECT_THAT(ErrorOf(layer), HasSubstr("no packing"));
  layer = DenseInt8();
  layer.packing = Packing{};
  EXPECT_THAT(ErrorOf(layer), HasSubstr("no variable of this mode is packed"));
}

TEST(VariableOrderTest, GroupIndicesMustBeGroups) {
  for (const float bad : {-1.0F, 2.0F, 0.5F, std::numeric_limits<float>::quiet_NaN()}) {
    Layer layer = DenseInt4Grouped();
    layer.variables[4].tensor = Floats({3}, bad);
    EXPECT_THAT(ErrorOf(layer), HasSubstr("below the number of groups"));
  }
}

TEST(VariableOrderTest, UnknownClassesAndModesAreUnimplementedWithThePath) {
  Layer layer = DenseInt8();
  layer.mode = "int3";
  EXPECT_EQ(Check(layer).code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(Check(layer).message()), HasSubstr("layer \"enc/query\""));
  layer = DenseInt8();
  layer.layer_class = "Lambda";
  EXPECT_EQ(Check(layer).code(), absl::StatusCode::kUnimplemented);
  layer.variables.clear();
  EXPECT_EQ(Check(layer).code(), absl::StatusCode::kUnimplemented);
  layer.mode = "float";
  EXPECT_TRUE(Check(layer).ok());
}

TEST(VariableOrderTest, ACustomClassGoesByItsRegisteredName) {
  Layer layer = {"s",
                 "SimpleScale",
                 "Custom>SimpleScale",
                 "int8",
                 "int8_from_float32",
                 "",
                 {{"kernel", Int8({3}), ""}, {"scale", Floats({}), "reciprocal"}},
                 std::nullopt,
                 {}};
  EXPECT_TRUE(Check(layer).ok()) << Check(layer);
  layer.registered_name = "Mine>Scale";
  EXPECT_EQ(Check(layer).code(), absl::StatusCode::kUnimplemented);
  LayerOrders orders = BuiltInLayerOrders();
  orders.Add({"Mine>Scale",
              "int8",
              {{"kernel", VariableKind::kInt8, "dim"}, {"scale", VariableKind::kReciprocal, ""}}});
  EXPECT_TRUE(CheckLayer(layer, orders).ok());
}

TEST(VariableOrderTest, EveryListedOrderIsWellFormed) {
  const LayerOrders orders = BuiltInLayerOrders();
  for (const LayerOrder& order : orders.orders()) {
    int packed = 0;
    for (const VariableSpec& spec : order.variables) {
      EXPECT_FALSE(spec.name.empty()) << order.layer_class;
      packed += spec.kind == VariableKind::kPacked ? 1 : 0;
    }
    EXPECT_FALSE(order.variables.empty()) << order.layer_class << " " << order.mode;
    EXPECT_LE(packed, 1) << order.layer_class << " " << order.mode;
  }
}

}  // namespace
}  // namespace octet
