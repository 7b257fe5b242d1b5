// SPDX-License-Identifier: Apache-2.0
#include "client/cli/input_files.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <utility>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "client/cli/npy.h"
#include "tests/support/small_bundle.h"
#include "tests/support/tiny_operators.h"

namespace octet::cli {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using testing::FloatsOf;
using testing::FloatTensor;
using ::testing::HasSubstr;
using testing::TemporaryDirectory;

template <typename T>
Tensor MakeTensor(DataType type, Dims dims, const std::vector<T>& elements) {
  Tensor tensor(type, std::move(dims));
  std::copy(elements.begin(), elements.end(), tensor.as<T>().begin());
  return tensor;
}

InputSpecification Input(const std::string& name, DataType type, Dims dims) {
  return {.name = name, .data_type = type, .dims = std::move(dims)};
}

class InputFilesTest : public ::testing::Test {
 protected:
  std::string Write(const std::string& name, const Tensor& tensor) {
    std::string path = directory_ / name;
    EXPECT_TRUE(WriteNpy(path, tensor.view()).ok());
    return path;
  }
  void ExpectRefused(const std::vector<std::string>& arguments,
                     const std::vector<InputSpecification>& inputs, const std::string& message,
                     const std::string& also = "") {
    const absl::Status status = ReadInputFiles(arguments, inputs).status();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_THAT(std::string(status.message()), AllOf(HasSubstr(message), HasSubstr(also)));
  }

  TemporaryDirectory directory_;
  const InputSpecification x_ = Input("x", DataType::kFloat32, {-1, 2});
  const InputSpecification y_ = Input("y", DataType::kFloat32, {-1, 1});
};

TEST_F(InputFilesTest, AModelWithoutInputsWantsNone) {
  const auto tensors = ReadInputFiles({}, {});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_TRUE(tensors->empty());
  EXPECT_EQ(NumRows(*tensors), 1);
  EXPECT_TRUE(TakeRows(*tensors, 5).empty());
  ExpectRefused({"x.npy"}, {}, "the model has no inputs");
}

TEST_F(InputFilesTest, AFileAloneIsTheOneInput) {
  const std::string path = Write("x.npy", FloatTensor({1, 2}, {1, 2}));
  const auto tensors = ReadInputFiles({path}, {x_});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 1U);
  EXPECT_EQ((*tensors)[0].dims(), (Dims{1, 2}));
  EXPECT_THAT(FloatsOf((*tensors)[0]), ElementsAre(1, 2));
}

TEST_F(InputFilesTest, NamesPutFilesInTheModelsOrder) {
  const std::string x = Write("a.npy", FloatTensor({1, 2}, {1, 2}));
  const std::string y = Write("b.npy", FloatTensor({1, 1}, {3}));
  const auto tensors = ReadInputFiles({"y=" + y, "x=" + x}, {x_, y_});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  ASSERT_EQ(tensors->size(), 2U);
  EXPECT_THAT(FloatsOf((*tensors)[0]), ElementsAre(1, 2));
  EXPECT_THAT(FloatsOf((*tensors)[1]), ElementsAre(3));
}

TEST_F(InputFilesTest, AnEqualsSignMayStandInAFilesName) {
  const std::string path = Write("rate=1.npy", FloatTensor({1, 2}, {1, 2}));
  EXPECT_TRUE(ReadInputFiles({path}, {x_}).ok());
  EXPECT_TRUE(ReadInputFiles({"x=" + path}, {x_}).ok());
}

TEST_F(InputFilesTest, UnknownNamesAreRefusedWithTheKnownOnes) {
  const std::string path = Write("x.npy", FloatTensor({1, 2}, {1, 2}));
  ExpectRefused({"z=" + path}, {x_, y_}, "--input z=" + path, "among \"x\", \"y\"");
  ExpectRefused({path}, {x_, y_}, "wants NAME=FILE.npy");
  ExpectRefused({"z=" + path}, {x_}, "no such file, and the model's input is \"x\"");
}

TEST_F(InputFilesTest, AMissingInputIsNamed) {
  const std::string path = Write("x.npy", FloatTensor({1, 2}, {1, 2}));
  ExpectRefused({"x=" + path}, {x_, y_}, "input \"y\" is missing");
  ExpectRefused({}, {x_}, "input \"x\" is missing", "--input x=FILE.npy");
}

TEST_F(InputFilesTest, AnInputGivenTwiceIsRefused) {
  const std::string path = Write("x.npy", FloatTensor({1, 2}, {1, 2}));
  ExpectRefused({"x=" + path, "x=" + path}, {x_, y_}, "input \"x\" is given twice");
  ExpectRefused({path, path}, {x_}, "input \"x\" is given twice");
}

TEST_F(InputFilesTest, AMissingFileIsNotFound) {
  const absl::Status status = ReadInputFiles({"x=/no/such.npy"}, {x_}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("/no/such.npy"));
}

TEST_F(InputFilesTest, InputsMustHaveAsManyRows) {
  const std::string x = Write("a.npy", FloatTensor({2, 2}, {1, 2, 3, 4}));
  const std::string y = Write("b.npy", FloatTensor({1, 1}, {3}));
  ExpectRefused({"x=" + x, "y=" + y}, {x_, y_}, "input \"y\" has 1 rows, but \"x\" has 2");
}

TEST_F(InputFilesTest, RowsOfAnotherShapeAreTakenAsTheyLie) {
  const std::string path = Write("x.npy", FloatTensor({2, 4}, {1, 2, 3, 4, 5, 6, 7, 8}));
  const auto tensors = ReadInputFiles({path}, {Input("x", DataType::kFloat32, {-1, 2, 2, 1})});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ((*tensors)[0].dims(), (Dims{2, 2, 2, 1}));
  EXPECT_THAT(FloatsOf((*tensors)[0]), ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
}

TEST_F(InputFilesTest, OpenDimensionsTakeWhatTheFileHas) {
  const std::string path = Write("x.npy", FloatTensor({1, 5}, {1, 2, 3, 4, 5}));
  const auto tensors = ReadInputFiles({path}, {Input("x", DataType::kFloat32, {-1, -1})});
  ASSERT_TRUE(tensors.ok()) << tensors.status();
  EXPECT_EQ((*tensors)[0].dims(), (Dims{1, 5}));
}

TEST_F(InputFilesTest, OtherShapesAreRefusedWithTheWantedOne) {
  const std::string path = Write("x.npy", FloatTensor({2, 3}, {1, 2, 3, 4, 5, 6}));
  ExpectRefused({path}, {x_}, "got shape [2, 3], wants [-1, 2]", "input \"x\" from");
  ExpectRefused({path}, {Input("x", DataType::kFloat32, {-1, -1, 3})}, "got shape [2, 3]");
  const std::string empty = Write("empty.npy", Tensor(DataType::kFloat32, {0, 2}));
  ExpectRefused({empty}, {x_}, "got shape [0, 2], wants rows");
  const std::string scalar = Write("scalar.npy", Tensor(DataType::kFloat32, {}));
  ExpectRefused({scalar}, {x_}, "wants rows");
}

TEST_F(InputFilesTest, ShapesThatNoServerShouldClaimAreRefused) {
  const std::string path = Write("x.npy", FloatTensor({1, 6}, {1, 2, 3, 4, 5, 6}));
  ExpectRefused({path}, {Input("x", DataType::kFloat32, {})}, "no rows");
  ExpectRefused({path}, {Input("x", DataType::kFloat32, {-1, -2, -3})}, "got shape [1, 6]");
  // 4 elements modulo 2^64.
  const std::string four = Write("four.npy", FloatTensor({1, 4}, {1, 2, 3, 4}));
  ExpectRefused({four}, {Input("x", DataType::kFloat32, {-1, 4, (std::int64_t{1} << 62) + 1})},
                "got shape [1, 4]");
}

TEST_F(InputFilesTest, NumbersAreConvertedWhereTheyFit) {
  const std::string integers =
      Write("i.npy", MakeTensor<std::int64_t>(DataType::kInt64, {1, 2}, {-128, 127}));
  for (const auto& [type, wanted] :
       {std::pair(DataType::kInt8, "INT8"), std::pair(DataType::kInt32, "INT32")}) {
    const auto tensors = ReadInputFiles({integers}, {Input("x", type, {-1, 2})});
    ASSERT_TRUE(tensors.ok()) << wanted << tensors.status();
    EXPECT_EQ((*tensors)[0].data_type(), type);
  }
  const auto real = ReadInputFiles({integers}, {x_});
  ASSERT_TRUE(real.ok()) << real.status();
  EXPECT_THAT(FloatsOf((*real)[0]), ElementsAre(-128, 127));
  const std::string doubles =
      Write("d.npy", MakeTensor<double>(DataType::kFloat64, {1, 2}, {0.5, -1e30}));
  const auto rounded = ReadInputFiles({doubles}, {x_});
  ASSERT_TRUE(rounded.ok()) << rounded.status();
  EXPECT_THAT(FloatsOf((*rounded)[0]), ElementsAre(0.5F, -1e30F));
}

TEST_F(InputFilesTest, NumbersThatDoNotFitAreRefusedWithTheirPlace) {
  const std::string large =
      Write("i.npy", MakeTensor<std::int64_t>(DataType::kInt64, {1, 2}, {1, 128}));
  ExpectRefused({large}, {Input("x", DataType::kInt8, {-1, 2})},
                "element 1 is 128, which does not fit INT8");
  const std::string negative =
      Write("n.npy", MakeTensor<std::int8_t>(DataType::kInt8, {1, 2}, {1, -1}));
  ExpectRefused({negative}, {Input("x", DataType::kUint8, {-1, 2})},
                "element 1 is -1, which does not fit UINT8");
  const std::string huge =
      Write("u.npy", MakeTensor<std::uint64_t>(DataType::kUint64, {1, 2}, {1, ~std::uint64_t{0}}));
  ExpectRefused({huge}, {Input("x", DataType::kInt64, {-1, 2})}, "which does not fit INT64");
  const std::string doubles =
      Write("d.npy", MakeTensor<double>(DataType::kFloat64, {1, 2}, {0.5, 1e300}));
  ExpectRefused({doubles}, {x_}, "element 1 is 1e+300, which does not fit FP32");
}

TEST_F(InputFilesTest, TypesThatAreNotConvertedAreRefused) {
  const std::string floats = Write("f.npy", FloatTensor({1, 2}, {1, 2}));
  ExpectRefused({floats}, {Input("x", DataType::kInt8, {-1, 2})}, "got FP32, wants INT8");
  ExpectRefused({floats}, {Input("x", DataType::kBool, {-1, 2})}, "got FP32, wants BOOL");
}

TEST_F(InputFilesTest, LabelsAreIntegersOfAnyType) {
  const std::string path =
      Write("labels.npy", MakeTensor<std::uint8_t>(DataType::kUint8, {3}, {7, 0, 255}));
  const auto labels = ReadLabels(path, 3);
  ASSERT_TRUE(labels.ok()) << labels.status();
  EXPECT_THAT(*labels, ElementsAre(7, 0, 255));
}

TEST_F(InputFilesTest, LabelsThatDoNotFitAreRefusedWithTheirFile) {
  const std::string path = Write("labels.npy", FloatTensor({3}, {7, 0, 2}));
  const absl::Status count = ReadLabels(path, 4).status();
  EXPECT_EQ(count.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(count.message()), HasSubstr("3 labels for 4 rows"));
  const absl::Status type = ReadLabels(path, 3).status();
  EXPECT_EQ(type.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(type.message()), AllOf(HasSubstr(path), HasSubstr("got FP32")));
}

TEST(CheckLabelsTest, ALabelThatIsNoClassIsNamedWithItsFile) {
  EXPECT_TRUE(CheckLabels("y.npy", {0, 9}, 10).ok());
  for (const std::int64_t label : {-1, 10}) {
    const absl::Status status = CheckLabels("y.npy", {3, label}, 10);
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(status.message(),
              "\"y.npy\" has the label " + std::to_string(label) + ", wants one of 10 classes");
  }
}

TEST(TakeRowsTest, TakesTheFirstAndStartsAgainWhereThereAreFewer) {
  std::vector<Tensor> tensors;
  tensors.push_back(FloatTensor({3, 2}, {1, 2, 3, 4, 5, 6}));
  EXPECT_THAT(FloatsOf(TakeRows(tensors, 2)[0]), ElementsAre(1, 2, 3, 4));
  const std::vector<Tensor> more = TakeRows(tensors, 5);
  EXPECT_EQ(more[0].dims(), (Dims{5, 2}));
  EXPECT_THAT(FloatsOf(more[0]), ElementsAre(1, 2, 3, 4, 5, 6, 1, 2, 3, 4));
}

TEST(RowsTest, PointsAtARowInPlace) {
  const Tensor tensor = FloatTensor({3, 2}, {1, 2, 3, 4, 5, 6});
  Dims dims;
  const TensorView view = Rows(tensor, 2, dims);
  EXPECT_EQ(view.as<float>()[0], 5);
  EXPECT_EQ(view.as<float>(), tensor.as<float>().data() + 4);
}

}  // namespace
}  // namespace octet::cli
