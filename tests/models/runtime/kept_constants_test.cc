// SPDX-License-Identifier: Apache-2.0

#include "models/runtime/kept_constants.h"

#include <memory>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet {
namespace {

using ::testing::ElementsAre;

// y = x * weight + offset, and the offset itself; weight and offset lie in one piece of memory.
class KeptConstantsTest : public ::testing::Test {
 protected:
  KeptConstantsTest() {
    const auto memory =
        std::make_shared<std::vector<float>>(std::vector<float>{1, 2, 3, 4, 10, 20});
    memory_ = memory;
    const auto constant = [&](const char* name, Dims dims, std::size_t first) {
      const Shape shape = ToShape(dims);
      const auto size = static_cast<std::size_t>(NumElements(dims));
      return Add({name,
                  {DataType::kFloat32, shape, std::nullopt},
                  ConstantTensor(DataType::kFloat32, std::move(dims),
                                 std::as_bytes(std::span(*memory).subspan(first, size)), memory)});
    };
    const TensorType rows = {DataType::kFloat32, {Dim(kRows), 2}, std::nullopt};
    const ValueId x = Add({"x", rows, std::nullopt});
    weight_ = constant("weight", {2, 2}, 0);
    offset_ = constant("offset", {2}, 4);
    const ValueId product = Add({"product", rows, std::nullopt});
    const ValueId y = Add({"y", rows, std::nullopt});
    graph_.nodes.push_back({"dense", "FullyConnected", {x, weight_}, {product}, {}});
    graph_.nodes.push_back({"sum", "Add", {product, offset_}, {y}, {}});
    graph_.inputs = {x};
    graph_.outputs = {y};
  }

  std::shared_ptr<const Executable> Compile(bool copies) {
    auto executable =
        Executable::Compile(std::move(graph_), operators_, *kernels::FindKernelSet("reference"),
                            {.copies_constants = copies});
    EXPECT_TRUE(executable.ok()) << executable.status();
    return *std::move(executable);
  }

  const CompiledValue& Compiled(const Executable& executable, ValueId id) {
    return executable.compiled().values[static_cast<std::size_t>(id)];
  }

  const OperatorRegistry operators_ = BuiltInOperators();
  Graph graph_;
  std::weak_ptr<const std::vector<float>> memory_;
  ValueId weight_ = kNoValue;
  ValueId offset_ = kNoValue;

 private:
  ValueId Add(Value value) {
    graph_.values.push_back(std::move(value));
    return static_cast<ValueId>(graph_.values.size() - 1);
  }
};

void ExpectSum(const std::shared_ptr<const Executable>& executable) {
  Arena arena;
  const std::unique_ptr<Session> session = Session::Create(executable, arena).value();
  Tensor x(DataType::kFloat32, {1, 2});
  x.as<float>()[0] = 1;
  x.as<float>()[1] = 1;
  Tensor y(DataType::kFloat32, {1, 2});
  const TensorView inputs[] = {x.view()};
  const MutableTensorView outputs[] = {y.mutable_view()};
  ASSERT_TRUE(session->Run(inputs, outputs).ok());
  EXPECT_THAT(std::vector<float>(y.as<float>().begin(), y.as<float>().end()), ElementsAre(14, 26));
}

TEST_F(KeptConstantsTest, NothingOfTheGraphsMemoryIsHeldWhereConstantsAreCopied) {
  const auto executable = Compile(/*copies=*/true);
  EXPECT_TRUE(memory_.expired());
  EXPECT_FALSE(Compiled(*executable, weight_).constant.has_value());
  EXPECT_TRUE(Compiled(*executable, offset_).constant.has_value());
  ExpectSum(executable);
}

TEST_F(KeptConstantsTest, WhatStepsReadIsBorrowedElse) {
  const auto executable = Compile(/*copies=*/false);
  EXPECT_FALSE(memory_.expired());
  EXPECT_FALSE(Compiled(*executable, weight_).constant.has_value());
  ExpectSum(executable);
}

}  // namespace
}  // namespace octet
