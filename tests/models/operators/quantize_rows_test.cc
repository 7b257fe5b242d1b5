// SPDX-License-Identifier: Apache-2.0
#include "models/operators/quantize_rows.h"

#include <cmath>
#include <cstdint>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "tests/support/run_operator.h"

namespace octet {
namespace {

using testing::HasSubstr;

class QuantizeRowsTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(QuantizeRowsTest);

OperatorRun Rows(Tensor x) {
  OperatorRun run(MakeQuantizeRows());
  run.Input(std::move(x)).Outputs(2);
  return run;
}

TEST_P(QuantizeRowsTest, EveryRowHasAScaleOfItsOwn) {
  const auto outputs = Rows(Floats({1, 2, 3}, {0.5F, -2, 0.4F, 0, 0, 0})).Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ((*outputs)[0].dims(), (Dims{1, 2, 3}));
  EXPECT_EQ((*outputs)[1].dims(), (Dims{1, 2, 1}));
  EXPECT_EQ(Elements<std::int8_t>((*outputs)[0]),
            (std::vector<std::int8_t>{32, -127, 25, 0, 0, 0}));
  EXPECT_EQ(Elements<float>((*outputs)[1]),
            (std::vector<float>{127.0F / (2.0F + 1e-7F), 127.0F / 1e-7F}));
}

TEST_P(QuantizeRowsTest, TakesRangeAndEpsilon) {
  const auto outputs = Rows(Floats({1, 2}, {3, -1}))
                           .With("dynamic_range", std::int64_t{7})
                           .With("dynamic_epsilon", 1.0)
                           .Run(Kernels());
  ASSERT_TRUE(outputs.ok()) << outputs.status();
  EXPECT_EQ(Elements<std::int8_t>((*outputs)[0]), (std::vector<std::int8_t>{5, -2}));
  EXPECT_EQ(Elements<float>((*outputs)[1]), (std::vector<float>{7.0F / 4.0F}));
}

TEST(QuantizeRowsRuleTest, RefusesWhatDoesNotFit) {
  const auto message = [](const OperatorRun& run) {
    return std::string(run.InferStatus().message());
  };
  EXPECT_THAT(message(Rows(Int8s({1, 2}, {1, 2}))), HasSubstr("FP32"));
  EXPECT_THAT(message(Rows(Floats({1, 0}, {}))), HasSubstr("last dimension of at least 1"));
  EXPECT_THAT(message(Rows(Floats({1, 2}, {1, 2})).Open(0, 1)),
              HasSubstr("last dimension of at least 1"));
  EXPECT_THAT(message(Rows(Floats({1, 2}, {1, 2})).Outputs(1)), HasSubstr("wants 2"));
  EXPECT_THAT(message(Rows(Floats({1, 2}, {1, 2})).With("dynamic_range", std::int64_t{200})),
              HasSubstr("dynamic_range"));
}

}  // namespace
}  // namespace octet
