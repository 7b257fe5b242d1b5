// SPDX-License-Identifier: Apache-2.0
// An answer does not depend on who computed which rows: quantized bundles, their rows cut in parts
// that two Sessions compute at once, against one run of all rows, to the bit.

#include <algorithm>
#include <atomic>
#include <filesystem>
#include <memory>
#include <random>
#include <string>
#include <thread>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/operators/operators.h"
#include "models/runtime/session.h"

namespace octet {
namespace {

constexpr std::int64_t kNumRows = 37;

// A float kernel may add up in another order for another number of rows.
std::vector<std::string> QuantizedModels() {
  std::vector<std::string> paths;
  for (const auto& model : std::filesystem::directory_iterator("models/zoo/repository")) {
    if (!model.path().string().ends_with("fp32")) paths.push_back(model.path() / "1");
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

// Pixels between 0 and 1, each row of a range of its own.
Tensor RandomImages(const TensorSignature& signature) {
  Dims dims;
  for (const Dim& dim : signature.type.shape) {
    dims.push_back(dim.Evaluate(std::vector<std::int64_t>{kNumRows}));
  }
  Tensor tensor(DataType::kFloat32, dims);
  std::mt19937 random(7);
  const std::span<float> pixels = tensor.as<float>();
  for (std::size_t i = 0; i < pixels.size(); ++i) {
    const std::size_t row = i * kNumRows / pixels.size();
    pixels[i] = std::uniform_real_distribution<float>(
        0, static_cast<float>(row + 1) / static_cast<float>(kNumRows))(random);
  }
  return tensor;
}

class SplitRowsTest : public ::testing::TestWithParam<std::string> {
 protected:
  // A Session in memory of its own.
  struct Worker {
    Arena arena;
    std::unique_ptr<Session> session;
  };

  static std::unique_ptr<Worker> MakeWorker(const std::shared_ptr<const Executable>& executable) {
    auto worker = std::make_unique<Worker>();
    worker->session = Session::Create(executable, worker->arena).value();
    return worker;
  }

  // All rows, `part_rows` at a time, by two threads.
  static Tensor RunInParts(const std::shared_ptr<const Executable>& executable, const Tensor& input,
                           const Dims& dims, std::int64_t part_rows) {
    Tensor output(DataType::kFloat32, dims);
    const TensorView in = input.view();
    const MutableTensorView out = output.mutable_view();
    std::atomic<std::int64_t> next = 0;
    const auto work = [&] {
      kernels::PrepareThread();
      const auto worker = MakeWorker(executable);
      for (std::int64_t row = next.fetch_add(part_rows); row < kNumRows;
           row = next.fetch_add(part_rows)) {
        const RowRange rows = {.first = row, .count = std::min(part_rows, kNumRows - row)};
        EXPECT_TRUE(worker->session->RunRows({&in, 1}, {&out, 1}, rows, [] { return false; }).ok());
      }
    };
    std::thread other(work);
    work();
    other.join();
    return output;
  }
};

TEST_P(SplitRowsTest, PartsAreWhatOneRunComputes) {
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle = ReadBundle(GetParam());
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  kernels::PrepareThread();
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (!set->runs_here()) continue;
    const auto executable =
        Executable::Compile(bundle->graph, operators, *set, {.max_rows = 16}).value();
    ASSERT_EQ(executable->inputs().size(), 1U);
    ASSERT_EQ(executable->outputs().size(), 1U);
    const Tensor input = RandomImages(executable->inputs()[0]);
    const TensorView in = input.view();
    const auto alone = MakeWorker(executable);
    std::vector<Dims> dims;
    ASSERT_TRUE(alone->session->OutputDims({&in, 1}, dims).ok());
    Tensor whole(DataType::kFloat32, dims[0]);
    const MutableTensorView out = whole.mutable_view();
    ASSERT_TRUE(alone->session->Run({&in, 1}, {&out, 1}).ok());
    for (const std::int64_t part_rows : {1, 2, 7, 16, 19}) {
      SCOPED_TRACE(::testing::Message() << set->name << ", parts of " << part_rows << " rows");
      const Tensor split = RunInParts(executable, input, dims[0], part_rows);
      EXPECT_TRUE(std::ranges::equal(split.bytes(), std::as_const(whole).bytes()));
    }
  }
}

std::string Name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = std::filesystem::path(info.param).parent_path().filename();
  std::replace(name.begin(), name.end(), '-', '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Zoo, SplitRowsTest, ::testing::ValuesIn(QuantizedModels()), Name);

}  // namespace
}  // namespace octet
