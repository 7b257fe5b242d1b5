// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/writer.h"

#include <gtest/gtest.h>
#include <string>

#include "models/bundle/reader.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using testing::ReadWhole;
using testing::SmallBundle;

constexpr WriteOptions kReplace = {.if_exists = WriteOptions::IfExists::kReplace,
                                   .layer_orders = nullptr};

TEST(WriterTest, TheSameBundleGivesTheSameBytes) {
  const testing::TemporaryDirectory directory;
  for (const char* const name : {"1", "2", "1.octet", "2.octet"}) {
    const absl::Status status = WriteBundle(SmallBundle(), directory / name);
    ASSERT_TRUE(status.ok()) << status;
  }
  for (const char* const file :
       {"manifest.json", "graph.json", "layers.json", "tests.safetensors", "weights.safetensors"}) {
    const std::string name(file);
    EXPECT_FALSE(ReadWhole(directory / ("1/" + name)).empty()) << file;
    EXPECT_EQ(ReadWhole(directory / ("1/" + name)), ReadWhole(directory / ("2/" + name))) << file;
  }
  EXPECT_EQ(ReadWhole(directory / "1.octet"), ReadWhole(directory / "2.octet"));
}

TEST(WriterTest, AReadBundleIsWrittenAsItWas) {
  const testing::TemporaryDirectory directory;
  ASSERT_TRUE(WriteBundle(SmallBundle(), directory / "1").ok());
  const auto bundle = ReadBundle(directory / "1");
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  ASSERT_TRUE(WriteBundle(*bundle, directory / "a/b/2").ok());
  for (const char* const file :
       {"manifest.json", "graph.json", "layers.json", "tests.safetensors", "weights.safetensors"}) {
    const std::string name(file);
    EXPECT_EQ(ReadWhole(directory / ("1/" + name)), ReadWhole(directory / ("a/b/2/" + name)))
        << file;
  }
}

TEST(WriterTest, BytesThatLayersAndGraphShareAreStoredOnce) {
  const testing::TemporaryDirectory directory;
  Bundle bundle = SmallBundle();
  ASSERT_TRUE(WriteBundle(bundle, directory / "1").ok());
  bundle.layers.clear();
  ASSERT_TRUE(WriteBundle(bundle, directory / "2").ok());
  EXPECT_EQ(std::filesystem::file_size(directory / "1/weights.safetensors"),
            std::filesystem::file_size(directory / "2/weights.safetensors"));
}

TEST(WriterTest, NothingIsReplacedUnasked) {
  const testing::TemporaryDirectory directory;
  for (const char* const name : {"1", "1.octet"}) {
    ASSERT_TRUE(WriteBundle(SmallBundle(), directory / name).ok());
    EXPECT_EQ(WriteBundle(SmallBundle(), directory / name).code(),
              absl::StatusCode::kAlreadyExists);
    Bundle other = SmallBundle();
    other.precision = "fp32";
    const absl::Status status = WriteBundle(other, directory / name, kReplace);
    ASSERT_TRUE(status.ok()) << status;
    EXPECT_EQ(ReadBundle(directory / name).value().precision, "fp32");
  }
}

TEST(WriterTest, OnlyABundleIsEverReplaced) {
  const testing::TemporaryDirectory directory;
  std::filesystem::create_directory(directory / "1");
  testing::WriteWhole(directory / "1/thesis.txt", "years of work");
  EXPECT_EQ(WriteBundle(SmallBundle(), directory / "1", kReplace).code(),
            absl::StatusCode::kAlreadyExists);
  EXPECT_EQ(ReadWhole(directory / "1/thesis.txt"), "years of work");
}

TEST(WriterTest, WhatItsReaderWouldRefuseIsNotWritten) {
  const testing::TemporaryDirectory directory;
  Bundle bad_reference = SmallBundle();
  bad_reference.graph.nodes[0].inputs[0] = 99;
  Bundle bad_name = SmallBundle();
  bad_name.graph.values[0].name = bad_name.graph.values[1].name;
  Bundle bad_layer = SmallBundle();
  bad_layer.layers[1].variables.pop_back();
  Bundle bad_rows = SmallBundle();
  bad_rows.self_test->inputs[0] = Tensor(DataType::kFloat32, {3, 4});
  for (const Bundle* const bundle : {&bad_reference, &bad_name, &bad_layer, &bad_rows}) {
    EXPECT_EQ(WriteBundle(*bundle, directory / "1").code(), absl::StatusCode::kInvalidArgument);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory / "."));
}

}  // namespace
}  // namespace octet
