// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/onnx_importer.h"

#include <algorithm>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <limits>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "tests/support/onnx_import_test.h"
#include "tests/support/onnx_writer.h"

namespace octet::onnx {
namespace {

using ::octet::testing::OnnxGraph;
using ::octet::testing::OnnxInt;
using ::octet::testing::OnnxInts;
using ::octet::testing::OnnxModel;
using ::octet::testing::OnnxNode;
using ::octet::testing::OnnxNumbers;
using ::octet::testing::OnnxTensor;
using ::octet::testing::OnnxValue;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

class OnnxImporterTest : public ::octet::testing::OnnxImportTest {};

OnnxGraph Linear() {
  return {.nodes = {OnnxNode("MatMul", {"x", "w"}, {"xw"}), OnnxNode("Add", {"xw", "b"}, {"xwb"}),
                    OnnxNode("Relu", {"xwb"}, {"y"})},
          .initializers = {OnnxTensor("w", {2, 3}, {1, 2, 3, 4, 5, 6}),
                           OnnxTensor("b", {3}, {1, 1, 1})},
          .inputs = {OnnxValue("x", {0, 2})},
          .outputs = {OnnxValue("y", {0, 3})}};
}

TEST_F(OnnxImporterTest, AnAdditionBehindAMatrixIsItsBias) {
  const auto bundle = Import(Linear());
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("FullyConnected", "Activation"));
  ASSERT_EQ(bundle->layers.size(), 1U);
  EXPECT_EQ(bundle->layers[0].layer_class, "Dense");
  ASSERT_EQ(bundle->layers[0].variables.size(), 2U);
  EXPECT_EQ(bundle->layers[0].variables[0].name, "kernel");
  EXPECT_EQ(bundle->layers[0].variables[1].name, "bias");
  EXPECT_EQ(bundle->layers[0].path, bundle->graph.nodes[0].name);
  EXPECT_EQ(bundle->source.framework, "onnx");
  EXPECT_EQ(bundle->precision, "fp32");
}

TEST_F(OnnxImporterTest, AWrittenBatchIsAnyNumberOfRows) {
  OnnxGraph graph = Linear();
  graph.inputs = {OnnxValue("x", {7, 2})};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, 2]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 3]");
}

TEST_F(OnnxImporterTest, AModelThatMixesItsFirstDimensionIsRunOnceARow) {
  const auto bundle = Import({.nodes = {OnnxNode("Transpose", {"x"}, {"y"})},
                              .initializers = {},
                              .inputs = {OnnxValue("x", {4, 2})},
                              .outputs = {OnnxValue("y", {2, 4})}});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.inputs[0]), "[rows, 4, 2]");
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 2, 4]");
}

TEST_F(OnnxImporterTest, TransposesBetweenConvolutionsCancel) {
  const std::vector<float> w(9 * 2 * 2, 0.5F);
  OnnxGraph graph = {
      .nodes = {OnnxNode("Conv", {"x", "w"}, {"a"}, {OnnxInts("pads", {1, 1, 1, 1})}),
                OnnxNode("Relu", {"a"}, {"b"}),
                OnnxNode("Conv", {"b", "w"}, {"c"}, {OnnxInts("pads", {1, 1, 1, 1})}),
                OnnxNode("Add", {"b", "c"}, {"d"}), OnnxNode("GlobalAveragePool", {"d"}, {"e"}),
                OnnxNode("Flatten", {"e"}, {"y"})},
      .initializers = {OnnxTensor("w", {2, 2, 3, 3}, w)},
      .inputs = {OnnxValue("x", {0, 2, 5, 5})},
      .outputs = {OnnxValue("y", {0, 2})}};
  const auto bundle = Import(graph);
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  std::vector<std::string> ops = Ops(*bundle);
  EXPECT_EQ(std::count(ops.begin(), ops.end(), "Transpose"), 2) << ::testing::PrintToString(ops);
}

TEST_F(OnnxImporterTest, ShapesAreComputedWhileImporting) {
  // [n, 2, 3] as [n, 6], the way PyTorch writes it.
  const auto bundle = Import(
      {.nodes = {OnnxNode("Shape", {"x"}, {"shape"}), OnnxNode("Gather", {"shape", "zero"}, {"n"}),
                 OnnxNode("Concat", {"n", "rest"}, {"to"}, {OnnxInt("axis", 0)}),
                 OnnxNode("Reshape", {"x", "to"}, {"y"})},
       .initializers = {OnnxNumbers("zero", {0}), OnnxNumbers("rest", {-1})},
       .inputs = {OnnxValue("x", {0, 2, 3})},
       .outputs = {OnnxValue("y", {0, 6})}});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  EXPECT_THAT(Ops(*bundle), ElementsAre("Reshape"));
  EXPECT_EQ(ShapeOf(*bundle, bundle->graph.outputs[0]), "[rows, 6]");
}

TEST_F(OnnxImporterTest, EveryUnknownOperatorIsNamedAtOnce) {
  const auto bundle =
      Import({.nodes = {OnnxNode("Frobnicate", {"x"}, {"a"}), OnnxNode("Loop", {"a"}, {"b"}),
                        OnnxNode("Frobnicate", {"b"}, {"y"})},
              .initializers = {},
              .inputs = {OnnxValue("x", {0, 2})},
              .outputs = {OnnxValue("y", {0, 2})}});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(bundle.status().message()),
              ::testing::AllOf(HasSubstr("Frobnicate x 2 (\"Frobnicate_a\")"),
                               HasSubstr("Loop (control flow) x 1 (\"Loop_b\")")));
}

TEST_F(OnnxImporterTest, EveryAttributeThatIsUnknownIsNamedAtOnce) {
  const auto bundle = Import({.nodes = {OnnxNode("Relu", {"x"}, {"a"}, {OnnxInt("speed", 3)}),
                                        OnnxNode("Tanh", {"x"}, {"b"}, {OnnxInt("mood", 3)}),
                                        OnnxNode("Add", {"a", "b"}, {"y"})},
                              .initializers = {},
                              .inputs = {OnnxValue("x", {0, 2})},
                              .outputs = {OnnxValue("y", {0, 2})}});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(bundle.status().message()),
              ::testing::AllOf(HasSubstr("\"speed\""), HasSubstr("\"mood\"")));
}

TEST_F(OnnxImporterTest, OldOpsetsAreRefused) {
  const absl::Status status = Import(OnnxModel(Linear(), 6)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()), HasSubstr("opset 6"));
}

// --- Files that were made, or damaged, to harm.

TEST_F(OnnxImporterTest, ACycleIsAnError) {
  const auto bundle =
      Import({.nodes = {OnnxNode("Add", {"x", "b"}, {"a"}), OnnxNode("Relu", {"a"}, {"b"})},
              .initializers = {},
              .inputs = {OnnxValue("x", {0, 2})},
              .outputs = {OnnxValue("b", {0, 2})}});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(bundle.status().message()), HasSubstr("nothing before it makes"));
}

TEST_F(OnnxImporterTest, AValueThatIsMadeTwiceIsAnError) {
  OnnxGraph graph = Linear();
  graph.nodes.push_back(OnnxNode("Relu", {"x"}, {"y"}));
  EXPECT_EQ(Import(graph).status().code(), absl::StatusCode::kInvalidArgument);
  graph = Linear();
  graph.initializers.push_back(OnnxTensor("b", {1}, {1}));
  EXPECT_EQ(Import(graph).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(OnnxImporterTest, RawDataMustBeAsLongAsTheShapeSays) {
  for (const std::vector<std::int64_t>& dims : {std::vector<std::int64_t>{2, 4},
                                                {2, 2},
                                                {-2, -3},
                                                {1LL << 32, 1LL << 32},
                                                {2, 3, 1LL << 62}}) {
    OnnxGraph graph = Linear();
    graph.initializers[0] = OnnxTensor("w", dims, {1, 2, 3, 4, 5, 6});
    const absl::Status status = Import(graph).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr("\"w\""));
  }
}

TEST_F(OnnxImporterTest, AWeightOfMoreDimensionsThanItsInputIsAnError) {
  OnnxGraph graph = {.nodes = {OnnxNode("Conv", {"x", "w"}, {"y"})},
                     .initializers = {OnnxTensor("w", {1, 1, 1, 1, 1, 1}, {1})},
                     .inputs = {OnnxValue("x", {0, 1, 4, 4})},
                     .outputs = {OnnxValue("y", {0, 1, 4, 4})}};
  EXPECT_EQ(Import(graph).status().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(OnnxImporterTest, APadBeyondAnyImageIsAnError) {
  constexpr std::int64_t kLowest = std::numeric_limits<std::int64_t>::min();
  for (const std::int64_t pad : {kLowest, kLowest + 1, std::int64_t{1} << 40}) {
    const auto bundle = Import({.nodes = {OnnxNode("Pad", {"x", "pads"}, {"y"})},
                                .initializers = {OnnxNumbers("pads", {0, pad, 0, 0})},
                                .inputs = {OnnxValue("x", {0, 2})},
                                .outputs = {OnnxValue("y", {0, 2})}});
    EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(bundle.status().message(), HasSubstr(absl::StrCat("a pad of ", pad)));
  }
}

TEST_F(OnnxImporterTest, AnIndexBeyondAnyAxisIsAnError) {
  for (const std::int64_t index :
       {std::numeric_limits<std::int64_t>::min(), std::numeric_limits<std::int64_t>::max()}) {
    // An open axis has no length to hold it against.
    const auto bundle =
        Import({.nodes = {OnnxNode("Gather", {"x", "i"}, {"y"}, {OnnxInt("axis", 1)})},
                .initializers = {OnnxNumbers("i", {index})},
                .inputs = {OnnxValue("x", {0, -1})},
                .outputs = {OnnxValue("y", {0, 1})}});
    EXPECT_EQ(bundle.status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(bundle.status().message(), HasSubstr(absl::StrCat("index ", index)));
  }
}

TEST_F(OnnxImporterTest, ASmallFileMakesNoLargeConstant) {
  for (const std::vector<std::int64_t>& shape :
       {std::vector<std::int64_t>{1 << 20, 1 << 20}, {1LL << 40, 1LL << 40}, {1 << 13, 1 << 13}}) {
    const auto bundle = Import({.nodes = {OnnxNode("ConstantOfShape", {"shape"}, {"c"}),
                                          OnnxNode("Add", {"x", "c"}, {"y"})},
                                .initializers = {OnnxNumbers("shape", shape)},
                                .inputs = {OnnxValue("x", {0, 2})},
                                .outputs = {OnnxValue("y", {0, 2})}});
    EXPECT_FALSE(bundle.ok());
  }
}

TEST_F(OnnxImporterTest, EveryCutOfAFileIsAnError) {
  const std::string whole = OnnxModel(Linear());
  for (std::size_t size = 0; size < whole.size(); ++size) {
    EXPECT_FALSE(Import(whole.substr(0, size)).ok()) << size;
  }
}

TEST_F(OnnxImporterTest, EveryDamagedByteIsAnErrorOrAnotherModel) {
  const std::string whole = OnnxModel(Linear());
  for (std::size_t at = 0; at < whole.size(); ++at) {
    for (const char value : {'\x00', '\x7f', '\xff'}) {
      std::string damaged = whole;
      damaged[at] = value;
      static_cast<void>(Import(damaged));  // must return
    }
  }
}

TEST_F(OnnxImporterTest, ExternalDataOfAModelInMemoryAreRefused) {
  using ::octet::testing::WireMessage;
  OnnxGraph graph = Linear();
  const WireMessage location = WireMessage().Bytes(1, "location").Bytes(2, "../../etc/passwd");
  graph.initializers[1] =
      WireMessage().Number(1, 3).Number(2, 1).Bytes(8, "b").Message(13, location).Number(14, 1);
  EXPECT_EQ(Import(graph).status().code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(OnnxImporterTest, NamesMustBeUtf8) {
  OnnxGraph graph = Linear();
  graph.inputs = {OnnxValue("\xff\xfe", {0, 2})};
  EXPECT_EQ(Import(graph).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet::onnx
