// SPDX-License-Identifier: Apache-2.0
#include "client/cli/self_test_inputs.h"

#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "client/cli/npy.h"
#include "tests/support/small_bundle.h"
#include "tests/support/small_network.h"

namespace octet::cli {
namespace {

using ::testing::HasSubstr;

// Tokens [rows, length] of `type` that are looked up in a table of `table_rows`, after a Cast and a
// Reshape, and one more input of the same type that is not.
Graph LookUpGraph(DataType type, std::int64_t table_rows) {
  testing::NetworkBuilder net(1);
  net.graph.symbol_names = {"rows", "length"};
  const Shape shape = {Dim(kRows), Dim(Symbol{1})};
  const ValueId tokens = net.Activation("tokens", shape);
  const ValueId other = net.Activation("other", shape);
  for (const ValueId id : {tokens, other}) {
    net.graph.values[static_cast<std::size_t>(id)].type.data_type = type;
  }
  const ValueId cast = net.Activation("cast", shape);
  net.AddNode("cast", "Cast", {tokens}, cast, {{"to", std::string("FP32")}});
  const ValueId moved = net.Activation("moved", shape);
  net.AddNode("moved", "Identity", {cast}, moved);
  const ValueId table = net.Weight("table", {table_rows, 4}, 1.0F);
  const ValueId out = net.Activation("out", {Dim(kRows), Dim(Symbol{1}), 4});
  net.AddNode("look_up", "Gather", {moved, table}, out);
  net.graph.inputs = {tokens, other};
  net.graph.outputs = {out};
  return std::move(net.graph);
}

template <typename T>
T Largest(const Tensor& tensor) {
  return *std::max_element(tensor.as<T>().begin(), tensor.as<T>().end());
}

TEST(SelfTestInputsTest, IndicesStayWithinTheTableTheyAreLookedUpIn) {
  const auto inputs = *RandomSelfTestInputs(LookUpGraph(DataType::kInt32, 3), 64);
  ASSERT_EQ(inputs.size(), 2U);
  EXPECT_EQ(inputs[0].dims(), Dims({4, 64}));
  EXPECT_EQ(Largest<std::int32_t>(inputs[0]), 2);
  EXPECT_EQ(Largest<std::int32_t>(inputs[1]), 9);  // of which no table is known
  const auto one = *RandomSelfTestInputs(LookUpGraph(DataType::kInt64, 1), 64);
  EXPECT_EQ(Largest<std::int64_t>(one[0]), 0);
}

TEST(SelfTestInputsTest, IndicesMayBeFloats) {
  const auto inputs = *RandomSelfTestInputs(LookUpGraph(DataType::kFloat32, 5), 64);
  for (const float value : inputs[0].as<float>()) {
    EXPECT_TRUE(value == 0 || value == 1 || value == 2 || value == 3 || value == 4) << value;
  }
  EXPECT_LT(*std::min_element(inputs[1].as<float>().begin(), inputs[1].as<float>().end()), 0.0F);
}

TEST(SelfTestInputsTest, RowsThatTakeTooMuchMemoryAreRefused) {
  const Graph graph = LookUpGraph(DataType::kFloat32, 5);
  for (const std::int64_t length : {std::int64_t{1} << 24, std::int64_t{1} << 62}) {
    const auto inputs = RandomSelfTestInputs(graph, length);
    EXPECT_EQ(inputs.status().code(), absl::StatusCode::kResourceExhausted);
    EXPECT_THAT(std::string(inputs.status().message()), HasSubstr("input \""));
  }
}

class ReadSelfTestInputsTest : public ::testing::Test {
 protected:
  absl::StatusOr<std::vector<Tensor>> Read(std::int64_t num_rows) {
    Tensor rows(DataType::kFloat32, {num_rows, 2});
    for (std::size_t i = 0; i < rows.as<float>().size(); ++i) {
      rows.as<float>()[i] = static_cast<float>(i);
    }
    const absl::Status written = WriteNpy(path_, rows.view());
    EXPECT_TRUE(written.ok()) << written;
    return ReadSelfTestInputs({path_},
                              {{.name = "x", .data_type = DataType::kFloat32, .dims = {-1, 2}}});
  }

  testing::TemporaryDirectory root_;
  const std::string path_ = root_ / "rows.npy";
};

TEST_F(ReadSelfTestInputsTest, TheFirstEightRowsAreTaken) {
  const auto four = Read(4);
  ASSERT_TRUE(four.ok()) << four.status();
  EXPECT_EQ(four->front().dims(), Dims({4, 2}));
  const auto many = Read(100);
  ASSERT_TRUE(many.ok()) << many.status();
  EXPECT_EQ(many->front().dims(), Dims({8, 2}));
  EXPECT_EQ(many->front().as<float>()[15], 15.0F);
}

TEST_F(ReadSelfTestInputsTest, FewerThanFourRowsNameTheFile) {
  const absl::Status status = Read(3).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_EQ(status.message(),
            "--input " + path_ + ": got 3 rows, wants at least 4 for the self-test");
}

TEST_F(ReadSelfTestInputsTest, RowsOfAnotherShapeNameTheFile) {
  ASSERT_TRUE(Read(4).ok());
  const absl::Status status =
      ReadSelfTestInputs({path_}, {{.name = "x", .data_type = DataType::kFloat32, .dims = {-1, 3}}})
          .status();
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("from \"" + path_ + "\": got shape [4, 2]"));
}

}  // namespace
}  // namespace octet::cli
