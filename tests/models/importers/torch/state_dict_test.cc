// SPDX-License-Identifier: Apache-2.0
#include "models/importers/torch/state_dict.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <map>
#include <nlohmann/json.hpp>
#include <span>
#include <string>
#include <vector>

namespace octet::torch {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

struct StoredTensor {
  std::string dtype;
  std::vector<std::int64_t> shape;
  std::string bytes;
};

template <typename T>
StoredTensor Stored(const std::string& dtype, const std::vector<std::int64_t>& shape,
                    const std::vector<T>& elements) {
  return {dtype, shape,
          std::string(reinterpret_cast<const char*>(elements.data()), elements.size() * sizeof(T))};
}

using TensorFile = std::map<std::string, StoredTensor>;

std::string File(const TensorFile& tensors,
                 const std::map<std::string, std::string>& metadata = {}) {
  nlohmann::json header;
  std::string data;
  if (!metadata.empty()) header["__metadata__"] = metadata;
  for (const auto& [name, tensor] : tensors) {
    header[name] = {{"dtype", tensor.dtype},
                    {"shape", tensor.shape},
                    {"data_offsets", {data.size(), data.size() + tensor.bytes.size()}}};
    data += tensor.bytes;
  }
  const std::string text = header.dump();
  std::string file;
  for (int i = 0; i < 8; ++i) file += static_cast<char>(text.size() >> (8 * i));
  return file + text + data;
}

absl::StatusOr<NamedWeights> Read(const TensorFile& tensors,
                                  const std::map<std::string, std::string>& metadata = {}) {
  const std::string file = File(tensors, metadata);
  return ReadStateDict(std::as_bytes(std::span(file.data(), file.size())));
}

// An Int8Tensor "fc.weight" of [2, 2], with what act_quant_kwargs is given as.
std::map<std::string, std::string> Metadata(const std::string& kwargs = "null",
                                            const std::string& type = "Int8Tensor") {
  return {{"tensor_names", R"(["fc.weight"])"},
          {"fc.weight", R"({"_type": ")" + type + R"(", "_data": {"act_quant_kwargs": )" + kwargs +
                            R"(, "block_size": [1, 2]}, "_tensor_data_names": ["qdata"]})"}};
}
std::string Kwargs(const std::string& granularity, const std::string& mapping = "SYMMETRIC",
                   const std::string& reduce_range = "false") {
  return R"({"_type": "QuantizeTensorToInt8Kwargs", "_data": {"granularity": {"_type": ")" +
         granularity + R"(", "_data": {"dim": -1}}, "mapping_type": {"_type": "MappingType", )" +
         R"("_data": ")" + mapping + R"("}, "reduce_range": )" + reduce_range + "}}";
}
TensorFile Parts() {
  return {{"fc._weight_qdata", Stored<std::int8_t>("I8", {2, 2}, {1, 2, 3, 4})},
          {"fc._weight_scale", Stored<float>("F32", {2, 1}, {0.5F, 0.25F})}};
}

TEST(StateDictTest, PlainTensorsAreFloatOrWholeNumbers) {
  const auto weights = Read({{"half", Stored<std::uint16_t>("F16", {2}, {0x3c00, 0xc000})},
                             {"counter", Stored<std::int64_t>("I64", {}, {7})}});
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto& half = std::get<ConstantTensor>(weights->at("half"));
  EXPECT_EQ(half.data_type(), DataType::kFloat32);
  EXPECT_THAT(half.as<float>(), ElementsAre(1.0F, -2.0F));
  EXPECT_EQ(std::get<ConstantTensor>(weights->at("counter")).data_type(), DataType::kInt64);
}

TEST(StateDictTest, TorchaosTensorsArePutTogether) {
  TensorFile parts = Parts();
  parts["fc._weight_zero_point"] = Stored<std::int8_t>("I8", {2, 1}, {0, 5});
  const auto weights = Read(parts, Metadata());
  ASSERT_TRUE(weights.ok()) << weights.status();
  const auto& weight = std::get<QuantizedConstant>(weights->at("fc.weight"));
  EXPECT_THAT(weight.data.as<std::int8_t>(), ElementsAre(1, 2, 3, 4));
  EXPECT_THAT(weight.scale.as<float>(), ElementsAre(0.5F, 0.25F));
  ASSERT_TRUE(weight.zero_point.has_value());
  EXPECT_THAT(weight.zero_point->as<std::int8_t>(), ElementsAre(0, 5));
  EXPECT_EQ(weight.rows.kind, RowsQuantization::Kind::kNone);
}

TEST(StateDictTest, ActivationsAreQuantizedByRow) {
  const auto rows_of = [](const std::string& kwargs) {
    const auto weights = Read(Parts(), Metadata(kwargs));
    EXPECT_TRUE(weights.ok()) << weights.status();
    return std::get<QuantizedConstant>(weights->at("fc.weight")).rows;
  };
  EXPECT_EQ(rows_of(Kwargs("PerRow")).kind, RowsQuantization::Kind::kSymmetric);
  EXPECT_EQ(rows_of(Kwargs("PerRow")).epsilon, std::numeric_limits<float>::epsilon());
  EXPECT_EQ(rows_of(Kwargs("PerRow")).steps, 255);
  EXPECT_EQ(rows_of(Kwargs("PerRow", "ASYMMETRIC")).kind, RowsQuantization::Kind::kAsymmetric);
  EXPECT_EQ(rows_of(Kwargs("PerRow", "SYMMETRIC", "true")).steps, 127);
  for (const auto& kwargs : {Kwargs("PerTensor"), Kwargs("PerRow", "SYMMETRIC_NO_CLIPPING_ERR")}) {
    const absl::Status status = Read(Parts(), Metadata(kwargs)).status();
    EXPECT_TRUE(absl::IsUnimplemented(status)) << status;
    EXPECT_THAT(status.message(), HasSubstr("\"fc.weight\""));
  }
}

TEST(StateDictTest, ActivationsMayHaveOneScaleThatIsKnown) {
  TensorFile parts = Parts();
  parts["fc._weight_act_quant_scale"] = Stored<float>("F32", {1, 1}, {0.5F});
  parts["fc._weight_act_quant_zero_point"] = Stored<std::int8_t>("I8", {1, 1}, {-7});
  const auto weights = Read(parts, Metadata(Kwargs("PerTensor", "ASYMMETRIC", "true")));
  ASSERT_TRUE(weights.ok()) << weights.status();
  const RowsQuantization& rows = std::get<QuantizedConstant>(weights->at("fc.weight")).rows;
  EXPECT_EQ(rows.kind, RowsQuantization::Kind::kStatic);
  EXPECT_EQ(rows.scale, 0.5F);
  EXPECT_EQ(rows.zero_point, -7);
  EXPECT_EQ(rows.steps, 127);
  EXPECT_THAT(Read(parts, Metadata(Kwargs("PerTensor"))).status().message(),
              HasSubstr("symmetric with a zero point of -7"));
  EXPECT_THAT(Read(parts, Metadata()).status().message(),
              HasSubstr("\"act_quant_scale\" without act_quant_kwargs"));
  parts["fc._weight_act_quant_zero_point"] = Stored<float>("F32", {1, 1}, {0.5F});
  EXPECT_THAT(Read(parts, Metadata(Kwargs("PerTensor", "ASYMMETRIC"))).status().message(),
              HasSubstr("a zero point of 0.5"));
  parts.erase("fc._weight_act_quant_zero_point");
  parts["fc._weight_act_quant_scale"] = Stored<float>("F32", {3, 1}, {1, 2, 3});
  EXPECT_THAT(Read(parts, Metadata(Kwargs("PerRow"))).status().message(),
              HasSubstr("has 3 numbers"));
  for (const float scale : {0.0F, -1.0F, 1e-45F, std::numeric_limits<float>::infinity()}) {
    parts["fc._weight_act_quant_scale"] = Stored<float>("F32", {1, 1}, {scale});
    EXPECT_TRUE(absl::IsInvalidArgument(Read(parts, Metadata(Kwargs("PerTensor"))).status()));
  }
}

TEST(StateDictTest, NarrowIntegersMayMeetQuantizedRows) {
  const auto read = [](const std::string& activations, const std::string& type) {
    TensorFile parts = Parts();
    parts["fc._weight_zero_point"] = Stored<std::int8_t>("I8", {2, 1}, {0, 1});
    return Read(parts, {{"tensor_names", R"(["fc.weight"])"},
                        {"fc.weight", R"({"_type": "IntxUnpackedToInt8Tensor", "_data": {"dtype": )"
                                      R"({"_type": "torch.dtype", "_data": ")" +
                                          type + R"("}, "activation_quantization": )" +
                                          activations + "}}"}});
  };
  const auto rows_of = [&read](const std::string& activations, const std::string& type) {
    const auto weights = read(activations, type);
    EXPECT_TRUE(weights.ok()) << weights.status();
    return std::get<QuantizedConstant>(weights->at("fc.weight")).rows;
  };
  EXPECT_EQ(rows_of("null", "float32").kind, RowsQuantization::Kind::kNone);
  const RowsQuantization rows = rows_of(R"("int8_asym_per_token")", "float32");
  EXPECT_EQ(rows.kind, RowsQuantization::Kind::kAsymmetric);
  EXPECT_EQ(rows.epsilon, std::numeric_limits<float>::min());
  EXPECT_EQ(rows_of(R"("int8_asym_per_token")", "float16").epsilon, 0x1p-14F);
  EXPECT_THAT(read(R"("int8_sym")", "float32").status().message(),
              HasSubstr("activation_quantization"));
}

TEST(StateDictTest, AFlattenedSymmetricTensorIsOneWeight) {
  const auto weights = Read({{"w.int_data", Stored<std::int8_t>("I8", {2, 2}, {1, 2, 3, 4})},
                             {"w.scale", Stored<float>("F32", {2, 1}, {1.0F, 2.0F})},
                             {"norm.scale", Stored<float>("F32", {1}, {3.0F})}});
  ASSERT_TRUE(weights.ok()) << weights.status();
  EXPECT_EQ(weights->size(), 2U);
  EXPECT_TRUE(std::holds_alternative<QuantizedConstant>(weights->at("w")));
  EXPECT_TRUE(std::holds_alternative<ConstantTensor>(weights->at("norm.scale")));
}

TEST(StateDictTest, PartsThatAreMissingOrLeftOverAreNamed) {
  TensorFile parts = Parts();
  parts.erase("fc._weight_scale");
  EXPECT_THAT(Read(parts, Metadata()).status().message(), HasSubstr("\"fc._weight_scale\""));
  parts = Parts();
  parts["fc._weight_other"] = Stored<float>("F32", {1}, {1.0F});
  EXPECT_THAT(Read(parts, Metadata()).status().message(), HasSubstr("\"fc._weight_other\""));
  parts = Parts();
  parts["fc._weight_zero_point"] = Stored<float>("F32", {2, 1}, {0.5F, 1.0F});
  EXPECT_THAT(Read(parts, Metadata()).status().message(), HasSubstr("a zero point of 0.5"));
}

TEST(StateDictTest, MetadataIsNotTrusted) {
  EXPECT_THAT(Read(Parts(), Metadata("null", "MXTensor")).status().message(),
              HasSubstr("\"MXTensor\""));
  for (const char* const names : {"", "7", "[7]", R"(["nobody"])", R"(["fc.weight", "fc.weight"])",
                                  R"({"fc.weight": 1})", "[[[["}) {
    auto metadata = Metadata();
    metadata["tensor_names"] = names;
    EXPECT_FALSE(Read(Parts(), metadata).ok()) << names;
  }
  for (const std::string& description :
       {std::string("7"), std::string("{"), std::string(R"({"_type": 7})"),
        std::string(R"({"_type": "Int8Tensor", "_data": {"act_quant_kwargs": 7}})"),
        std::string(200, '[')}) {
    auto metadata = Metadata();
    metadata["fc.weight"] = description;
    EXPECT_FALSE(Read(Parts(), metadata).ok()) << description;
  }
  const std::string damaged = File(Parts()).substr(0, 60);
  EXPECT_TRUE(absl::IsDataLoss(
      ReadStateDict(std::as_bytes(std::span(damaged.data(), damaged.size()))).status()));
}

}  // namespace
}  // namespace octet::torch
