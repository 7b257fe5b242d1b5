// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/quantize_config.h"

#include <gtest/gtest.h>
#include <string>

namespace octet::keras {
namespace {

absl::StatusOr<QuantizeConfig> Parse(const std::string& class_name, const std::string& config,
                                     const std::string& activation = "linear") {
  const Json json =
      *ParseJson(R"({"class_name": ")" + class_name + R"(", "config": )" + config + "}", "test");
  return ParseQuantizeConfig(ConfigView(json, "layer \"a\""), activation);
}

absl::StatusOr<std::optional<RangeQuantizer>> Quantizer(const std::string& class_name,
                                                        const std::string& config) {
  const Json json =
      *ParseJson(R"({"class_name": ")" + class_name + R"(", "config": )" + config + "}", "test");
  return ParseQuantizer(ConfigView(json, "layer \"a\""));
}

constexpr const char* kDense =
    R"({"weight_attrs": ["kernel"], "activation_attrs": ["activation"], "quantize_output": false})";

TEST(QuantizeConfigTest, ReadsTheDefaultSchemes) {
  const auto dense = Parse("Default8BitQuantizeConfig", kDense);
  ASSERT_TRUE(dense.ok()) << dense.status();
  EXPECT_EQ(dense->weight_attributes, std::vector<std::string>{"kernel"});
  EXPECT_EQ(dense->weights.num_bits, 8);
  EXPECT_TRUE(dense->weights.narrow_range);
  EXPECT_FALSE(dense->weights.per_axis);
  EXPECT_FALSE(dense->activations.narrow_range);
  EXPECT_TRUE(dense->quantizes_activation);
  EXPECT_FALSE(dense->quantizes_output);
  EXPECT_TRUE(Parse("Default8BitConvQuantizeConfig", kDense)->weights.per_axis);
  EXPECT_FALSE(Parse("Default8BitConvTransposeQuantizeConfig", kDense)->weights.per_axis);
  const auto bits = Parse("DefaultNBitQuantizeConfig",
                          R"({"weight_attrs": [], "activation_attrs": [], "quantize_output": true,
                              "num_bits_weight": 4, "num_bits_activation": 16})");
  ASSERT_TRUE(bits.ok()) << bits.status();
  EXPECT_EQ(bits->weights.num_bits, 4);
  EXPECT_EQ(bits->activations.num_bits, 16);
  EXPECT_TRUE(bits->quantizes_output);
}

TEST(QuantizeConfigTest, ReadsWhatQuantizesOutputsAlone) {
  EXPECT_FALSE(Parse("NoOpQuantizeConfig", "{}")->quantizes_output);
  EXPECT_TRUE(Parse("Default8BitOutputQuantizeConfig", "{}")->quantizes_output);
  EXPECT_FALSE(
      Parse("Default8BitOutputQuantizeConfig", R"({"quantize_output": false})")->quantizes_output);
  EXPECT_TRUE(Parse("Default8BitActivationQuantizeConfig", "{}", "silu")->quantizes_output);
  EXPECT_FALSE(Parse("Default8BitActivationQuantizeConfig", "{}", "tanh")->quantizes_output);
}

TEST(QuantizeConfigTest, ReadsConfigsThatHoldAnother) {
  const std::string inner =
      std::string(R"({"class_name": "Default8BitQuantizeConfig", "config": )") + kDense + "}";
  const auto output = Parse("OutputOnlyConfig", R"({"quantize_config": )" + inner + "}");
  ASSERT_TRUE(output.ok()) << output.status();
  EXPECT_TRUE(output->weight_attributes.empty());
  EXPECT_TRUE(output->quantizes_activation);
  const auto fixed =
      Parse("FixedQuantizeConfig",
            R"({"num_bits": 4, "init_min": -1, "init_max": 2, "config": )" + inner + "}");
  ASSERT_TRUE(fixed.ok()) << fixed.status();
  EXPECT_EQ(fixed->weight_attributes.size(), 1);
  ASSERT_TRUE(fixed->activations.fixed.has_value());
  EXPECT_EQ(fixed->activations.fixed->max, 2.0F);
  EXPECT_EQ(fixed->activations.num_bits, 8);
}

TEST(QuantizeConfigTest, RefusesWhatItDoesNotKnowByName) {
  for (const char* const name : {"MyQuantizeConfig", "Default8BitQuantizeConfigRNN",
                                 "DefaultNBitQuantizeConfigRNN", "Default8Bit", "QuantizeConfig"}) {
    const absl::Status status = Parse(name, kDense).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << name;
    EXPECT_NE(status.message().find(name), absl::string_view::npos) << status;
  }
  EXPECT_FALSE(Parse("Default8BitQuantizeConfig", R"({"weight_attrs": [3]})").ok());
  EXPECT_FALSE(Parse("Default8BitQuantizeConfig", R"({"activation_attrs": ["f"]})").ok());
}

TEST(QuantizeConfigTest, ReadsQuantizers) {
  const auto last =
      Quantizer("LastValueQuantizer", R"({"num_bits": 4, "per_axis": true, "narrow_range": true})");
  ASSERT_TRUE(last.ok() && last->has_value());
  EXPECT_EQ((*last)->num_bits, 4);
  EXPECT_TRUE((*last)->per_axis);
  EXPECT_TRUE((*last)->narrow_range);
  EXPECT_FALSE((*Quantizer("AllValuesQuantizer", R"({"per_axis": true})"))->per_axis);
  EXPECT_TRUE((*Quantizer("FixedQuantizer", R"({"init_min": -1})"))->fixed.has_value());
  EXPECT_FALSE(Quantizer("NoQuantizer", "{}")->has_value());
  EXPECT_EQ(Quantizer("FixedRangeQuantizer", "{}").status().code(),
            absl::StatusCode::kUnimplemented);
}

}  // namespace
}  // namespace octet::keras
