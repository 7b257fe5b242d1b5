// SPDX-License-Identifier: Apache-2.0
#include "client/cli/repeated_run.h"

#include <algorithm>
#include <memory>
#include <vector>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/operators/operators.h"
#include "tests/support/small_network.h"

namespace octet::cli {
namespace {

using testing::SmallImages;
using testing::SmallNetwork;

class RepeatedRunTest : public ::testing::Test {
 protected:
  const OperatorRegistry operators_ = BuiltInOperators();
  const std::shared_ptr<const Executable> executable_ =
      Executable::Compile(SmallNetwork().graph, operators_, *kernels::BestKernelSet(),
                          {.max_rows = 3})
          .value();
};

TEST_F(RepeatedRunTest, AnswersTheSameAgain) {
  std::vector<Tensor> images;
  images.push_back(SmallImages(3));
  const auto run = RepeatedRun::Create(executable_, images);
  ASSERT_TRUE(run.ok()) << run.status();
  ASSERT_EQ((*run)->outputs().size(), executable_->outputs().size());
  EXPECT_EQ((*run)->outputs()[0].dims()[0], 3);
  const auto bytes = (*run)->outputs()[0].bytes();
  const std::vector<std::byte> first(bytes.begin(), bytes.end());
  (*run)->Run();
  EXPECT_TRUE(std::ranges::equal(first, (*run)->outputs()[0].bytes()));
}

TEST_F(RepeatedRunTest, SeveralShareAnExecutableAndItsInputs) {
  std::vector<Tensor> images;
  images.push_back(SmallImages(2));
  const auto runs = RepeatedRun::CreateMany(executable_, images, 3).value();
  ASSERT_EQ(runs.size(), 3U);
  for (const std::size_t i : {1U, 2U}) {
    EXPECT_TRUE(std::ranges::equal(runs[0]->outputs()[0].bytes(), runs[i]->outputs()[0].bytes()));
    EXPECT_NE(runs[0]->outputs()[0].bytes().data(), runs[i]->outputs()[0].bytes().data());
  }
}

TEST_F(RepeatedRunTest, SeveralFailAsOneDoes) {
  const auto one = RepeatedRun::Create(executable_, {});
  ASSERT_FALSE(one.ok());
  EXPECT_EQ(RepeatedRun::CreateMany(executable_, {}, 2).status(), one.status());
}

TEST_F(RepeatedRunTest, InputsThatDoNotFitAreRefused) {
  EXPECT_EQ(RepeatedRun::Create(executable_, {}).status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet::cli
