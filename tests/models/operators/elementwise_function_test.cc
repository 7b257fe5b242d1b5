// SPDX-License-Identifier: Apache-2.0

#include "models/operators/elementwise_function.h"

#include <cmath>
#include <functional>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "models/tensor/reduced_float.h"
#include "tests/support/run_operator.h"

namespace octet {
namespace {

class ElementwiseFunctionTest : public OperatorTest {};
OCTET_FOR_EVERY_KERNEL_SET(ElementwiseFunctionTest);

TEST_P(ElementwiseFunctionTest, EveryNameComputesItsFunction) {
  struct Case {
    std::string name;
    std::function<double(double)> formula;
    std::vector<float> inputs;
  };
  const std::vector<float> any = {-2.5F, -1.5F, -0.5F, -0.0F, 0.5F, 1.5F, 2.5F, 1e9F};
  const std::vector<float> unit = {-1.0F, -0.5F, 0.0F, 0.25F, 0.99F};
  const std::vector<Case> cases = {
      {"acos", [](double x) { return std::acos(x); }, unit},
      {"acosh", [](double x) { return std::acosh(x); }, {1.0F, 2.0F, 30.0F}},
      {"asin", [](double x) { return std::asin(x); }, unit},
      {"asinh", [](double x) { return std::asinh(x); }, any},
      {"atan", [](double x) { return std::atan(x); }, any},
      {"atanh", [](double x) { return std::atanh(x); }, {-0.9F, 0.0F, 0.5F}},
      {"ceil", [](double x) { return std::ceil(x); }, any},
      {"cos", [](double x) { return std::cos(x); }, any},
      {"cosh", [](double x) { return std::cosh(x); }, unit},
      {"erf", [](double x) { return std::erf(x); }, any},
      {"floor", [](double x) { return std::floor(x); }, any},
      {"sin", [](double x) { return std::sin(x); }, any},
      {"sinh", [](double x) { return std::sinh(x); }, unit},
      {"tan", [](double x) { return std::tan(x); }, unit},
      {"to_bfloat16", [](double x) { return RoundedTo(kBfloat16Form, x); }, {1e9F, 0.3F, 3.4e38F}},
      {"to_float16", [](double x) { return RoundedTo(kFloat16Form, x); }, {1e9F, 0.3F, 1e-7F}},
  };
  for (const Case& one : cases) {
    OperatorRun run(MakeElementwiseFunction());
    run.With("function", one.name);
    run.Input(Floats({static_cast<std::int64_t>(one.inputs.size()), 1}, one.inputs));
    const std::vector<float> got = run.First(Kernels());
    ASSERT_EQ(got.size(), one.inputs.size()) << one.name;
    for (std::size_t i = 0; i < got.size(); ++i) {
      EXPECT_EQ(got[i], static_cast<float>(one.formula(static_cast<double>(one.inputs[i]))))
          << one.name << " of " << one.inputs[i];
    }
  }
}

TEST_P(ElementwiseFunctionTest, TiesAreRoundedToEven) {
  OperatorRun run(MakeElementwiseFunction());
  run.With("function", "round");
  run.Input(Floats({6, 1}, {0.5F, 1.5F, 2.5F, -0.5F, -1.5F, 2.4F}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{0, 2, 2, -0.0F, -2, 2}));
}

TEST_P(ElementwiseFunctionTest, TheSignOfZeroIsZero) {
  OperatorRun run(MakeElementwiseFunction());
  run.With("function", "sign");
  run.Input(Floats({3, 1}, {-3.0F, 0.0F, 0.1F}));
  EXPECT_EQ(run.First(Kernels()), (std::vector<float>{-1, 0, 1}));
}

TEST_P(ElementwiseFunctionTest, AnUnknownFunctionIsRefused) {
  OperatorRun run(MakeElementwiseFunction());
  run.With("function", "gamma");
  run.Input(Floats({1, 1}, {1.0F}));
  EXPECT_EQ(run.Run(Kernels()).status().code(), absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
