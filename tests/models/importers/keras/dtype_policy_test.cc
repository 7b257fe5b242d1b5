// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/dtype_policy.h"

#include <gtest/gtest.h>
#include <string>

namespace octet::keras {
namespace {

absl::StatusOr<DtypePolicy> Parse(const std::string& text, absl::string_view path = "a/dense") {
  return ParseDtypePolicy(*ParseJson(text, "test"), path);
}

TEST(DtypePolicyTest, ReadsNames) {
  EXPECT_EQ(Parse("null")->mode, "float");
  EXPECT_EQ(Parse(R"("mixed_bfloat16")")->source, "mixed_bfloat16");
  const auto int8 = Parse(R"("int8_from_mixed_bfloat16")");
  ASSERT_TRUE(int8.ok());
  EXPECT_EQ(int8->mode, "int8");
  EXPECT_EQ(int8->source, "mixed_bfloat16");
  EXPECT_FALSE(Parse(R"("complex64")").ok());
}

TEST(DtypePolicyTest, ReadsPolicyObjects) {
  const auto object = [](const char* name, const char* mode) {
    return std::string(R"({"module": "keras.dtype_policies", "class_name": ")") + name +
           R"(", "config": {"mode": ")" + mode + R"(", "source_name": "float32"}})";
  };
  EXPECT_EQ(Parse(object("QuantizedDTypePolicy", "int8"))->name, "int8_from_float32");
  EXPECT_FALSE(Parse(object("QuantizedDTypePolicy", "int4"))->group_size.has_value());
  EXPECT_EQ(Parse(object("Int4DTypePolicy", "int4/128"))->group_size, 128);
  EXPECT_EQ(Parse(object("Int4DTypePolicy", "int4/-1"))->group_size, -1);
  EXPECT_EQ(Parse(object("Int4DTypePolicy", "int4/None"))->group_size, -1);
  const auto gptq = Parse(object("GPTQDTypePolicy", "gptq/2/64"));
  ASSERT_TRUE(gptq.ok());
  EXPECT_EQ(gptq->bits, 2);
  EXPECT_EQ(gptq->group_size, 64);
  EXPECT_EQ(Parse(object("AWQDTypePolicy", "awq/4/-1"))->mode, "awq");
  EXPECT_EQ(Parse(object("QuantizedFloat8DTypePolicy", "float8"))->mode, "float8");
  for (const char* const mode : {"int4/0", "int4/x", "gptq", "gptq/5/1", "int8/3", "int16"}) {
    EXPECT_FALSE(Parse(object("QuantizedDTypePolicy", mode)).ok()) << mode;
  }
  EXPECT_EQ(Parse(object("MyPolicy", "int8")).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(DtypePolicyTest, AMapGivesTheLayersOwn) {
  const std::string map =
      R"({"class_name": "DTypePolicyMap", "config": {"default_policy": "float32", "policy_map": {
          "a/dense": "int8_from_float32", "b/.*": {"class_name": "QuantizedDTypePolicy",
          "config": {"mode": "int8", "source_name": null}}}}})";
  EXPECT_EQ(Parse(map, "a/dense")->mode, "int8");
  EXPECT_EQ(Parse(map, "b/dense")->mode, "int8");
  EXPECT_EQ(Parse(map, "ab/dense")->mode, "float");
}

TEST(DtypePolicyTest, AMapWithTwoMatchesOrAMapInsideIsRefused) {
  EXPECT_FALSE(Parse(R"({"class_name": "DTypePolicyMap", "config": {"default_policy": null,
      "policy_map": {"a/.*": "float32", ".*dense": "float32"}}})")
                   .ok());
  EXPECT_FALSE(Parse(R"({"class_name": "DTypePolicyMap", "config": {"default_policy":
      {"class_name": "DTypePolicyMap", "config": {}}}})")
                   .ok());
}

TEST(DtypePolicyTest, AnExpensivePatternMatchesNothing) {
  EXPECT_EQ(Parse(R"({"class_name": "DTypePolicyMap", "config": {"default_policy": "float32",
      "policy_map": {"((a{255}){255}){255}": "int8_from_float32"}}})")
                ->mode,
            "float");
}

}  // namespace
}  // namespace octet::keras
