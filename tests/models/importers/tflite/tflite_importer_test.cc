// SPDX-License-Identifier: Apache-2.0
#include "models/importers/tflite/tflite_importer.h"

#include <cstdint>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <string>
#include <vector>

#include "kernels/kernel_set.h"
#include "models/graph/verify.h"
#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"
#include "tests/models/importers/tflite/model_builder.h"

namespace octet::tflite {
namespace {

using testing::Build;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using testing::ModelSpec;

class TfliteImporterTest : public ::testing::Test {
 protected:
  absl::StatusOr<Bundle> Import(std::span<const std::byte> bytes, std::int64_t most = 1 << 20) {
    return TfliteImporter::ImportBytes(bytes, {.operators = &operators_, .max_byte_size = most});
  }

  // The only output for rows of two elements.
  template <typename T>
  std::vector<T> Run(const ModelSpec& spec, DataType type, const std::vector<T>& x) {
    auto bundle = Import(Build(spec));
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    if (!bundle.ok()) return {};
    EXPECT_TRUE(VerifyGraph(bundle->graph, operators_).ok());
    const auto executable =
        Executable::Compile(bundle->graph, operators_, *kernels::FindKernelSet("reference"));
    EXPECT_TRUE(executable.ok()) << executable.status();
    Arena arena;
    const auto session = Session::Create(*executable, arena);
    EXPECT_TRUE(session.ok()) << session.status();
    const Dims x_dims = {static_cast<std::int64_t>(x.size() / 2), 2};
    const std::vector<TensorView> inputs = {{type, x_dims, x.data()}};
    std::vector<Dims> dims;
    EXPECT_TRUE((*session)->OutputDims(inputs, dims).ok());
    EXPECT_EQ((*executable)->outputs()[0].type.data_type, type);
    Tensor output(type, dims[0]);
    const std::vector<MutableTensorView> outputs = {output.mutable_view()};
    EXPECT_TRUE((*session)->Run(inputs, outputs).ok());
    return {output.as<T>().begin(), output.as<T>().end()};
  }

  const OperatorRegistry operators_ = BuiltInOperators();
};

TEST_F(TfliteImporterTest, FloatsAreComputedForEachRow) {
  EXPECT_THAT(Run<float>(testing::SmallModel(), DataType::kFloat32, {1, 1, 2, -1}),
              ElementsAre(3.5F, 7.0F, 2.0F, 0.5F, 2.0F, 0.0F));
}

TEST_F(TfliteImporterTest, IntegersStandForRealNumbers) {
  // Real numbers are half of the integers; sums of their products, a quarter; a bias, a quarter.
  EXPECT_THAT(Run<std::int8_t>(testing::SmallIntegerModel(testing::kInt8), DataType::kInt8, {4, 6}),
              ElementsAre(9, 18, 10));
}

TEST_F(TfliteImporterTest, Uint8GoesInAndComesOut) {
  EXPECT_THAT(
      Run<std::uint8_t>(testing::SmallIntegerModel(testing::kUint8), DataType::kUint8, {132, 134}),
      ElementsAre(137, 146, 138));
}

TEST_F(TfliteImporterTest, ABundleTellsWhatItIs) {
  const auto floats = Import(Build(testing::SmallModel()));
  ASSERT_TRUE(floats.ok()) << floats.status();
  EXPECT_EQ(floats->source.framework, "tflite");
  EXPECT_EQ(floats->source.file_sha256.size(), 64);
  EXPECT_EQ(floats->precision, "fp32");
  const auto integers = Import(Build(testing::SmallIntegerModel(testing::kInt8)));
  ASSERT_TRUE(integers.ok()) << integers.status();
  EXPECT_EQ(integers->precision, "int8-static");
}

TEST_F(TfliteImporterTest, TheProfileDecidesHowIntegersRound) {
  const std::vector<std::byte> bytes = Build(testing::SmallIntegerModel(testing::kInt8));
  const auto requantization = [&](const char* profile) {
    const auto bundle = TfliteImporter::ImportBytes(
        bytes, {.operators = &operators_, .max_byte_size = 1 << 20, .profile = profile});
    EXPECT_TRUE(bundle.ok()) << bundle.status();
    EXPECT_THAT(bundle->source.version, HasSubstr(*profile == 0 ? "tflite-reference" : profile));
    return bundle->graph.nodes[0].String("requantization", "").value();
  };
  EXPECT_EQ(requantization(""), "fixed");
  EXPECT_EQ(requantization("tflite-reference"), "fixed");
  EXPECT_EQ(requantization("tflite-single-rounding"), "fixed_single");
  EXPECT_EQ(requantization("xnnpack"), "float32");
  const auto unknown = TfliteImporter::ImportBytes(
      bytes, {.operators = &operators_, .max_byte_size = 1 << 20, .profile = "exact"});
  EXPECT_EQ(unknown.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(unknown.status().message()),
              HasSubstr("got profile \"exact\", wants tflite-reference, tflite-single-rounding"));
}

TEST_F(TfliteImporterTest, AFileMayLieAnywhereInMemory) {
  const std::vector<std::byte> bytes = Build(testing::SmallIntegerModel(testing::kInt8));
  for (std::size_t offset = 0; offset < 16; ++offset) {
    std::vector<std::byte> moved(offset + bytes.size());
    std::copy(bytes.begin(), bytes.end(), moved.begin() + static_cast<std::ptrdiff_t>(offset));
    EXPECT_TRUE(Import(std::span(moved).subspan(offset)).ok()) << offset;
  }
}

TEST_F(TfliteImporterTest, ALargeFileIsRefused) {
  const std::vector<std::byte> bytes = Build(testing::SmallModel());
  EXPECT_EQ(Import(bytes, 100).status().code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(TfliteImporterTest, AnErrorNamesTheFile) {
  const auto bundle = TfliteImporter().Import("tests/requirements.txt", {.operators = &operators_});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bundle.status().message()), HasSubstr("tests/requirements.txt: "));
}

TEST_F(TfliteImporterTest, AnyByteMayBeAnyOther) {
  for (const std::int8_t type : {testing::kInt8, testing::kUint8}) {
    const std::vector<std::byte> good = Build(testing::SmallIntegerModel(type));
    for (std::size_t i = 0; i < good.size(); ++i) {
      std::vector<std::byte> bytes = good;
      for (const unsigned change : {0x01U, 0x80U, 0xffU}) {
        bytes[i] = good[i] ^ std::byte{static_cast<std::uint8_t>(change)};
        static_cast<void>(Import(bytes));  // an answer of whatever kind
      }
    }
  }
}

}  // namespace
}  // namespace octet::tflite
