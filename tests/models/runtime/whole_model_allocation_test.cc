// SPDX-License-Identifier: Apache-2.0
// A run allocates nothing, whatever the model is made of: the zoo's bundles (float, int8 dynamic
// and static, int4), the models that Keras saved (encoder, recurrent, convolutional, nested), and
// LSTMs of integers.

#include <algorithm>
#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/reader.h"
#include "models/importers/importers.h"
#include "models/operators/operators.h"
#include "models/runtime/session.h"
#include "tests/support/count_allocations.h"

namespace octet {
namespace {

using testing::allocations;

bool IsModelFile(const std::filesystem::path& path) {
  return path.extension() == ".keras" || path.extension() == ".tflite";
}

std::vector<std::string> Models() {
  std::vector<std::string> paths;
  for (const auto& model : std::filesystem::directory_iterator("models/zoo/repository")) {
    paths.push_back(model.path() / "1");
  }
  for (const char* const folder : {"tests/golden/keras/3.15.1", "tests/golden/tflite_lstm"}) {
    for (const auto& file : std::filesystem::directory_iterator(folder)) {
      if (IsModelFile(file.path())) paths.push_back(file.path());
    }
  }
  std::sort(paths.begin(), paths.end());
  return paths;
}

Graph GraphOf(const std::string& path, const OperatorRegistry& operators) {
  auto bundle = IsModelFile(path) ? ImportModel(path, {.operators = &operators}) : ReadBundle(path);
  EXPECT_TRUE(bundle.ok()) << bundle.status();
  return bundle.ok() ? std::move(bundle->graph) : Graph{};
}

// Zeros of the model's shapes: `rows` rows, every other open dimension 8.
std::vector<Tensor> Inputs(const Executable& executable, std::int64_t rows) {
  std::vector<std::int64_t> symbols(executable.symbol_names().size(), 8);
  symbols[0] = rows;
  std::vector<Tensor> inputs;
  for (const TensorSignature& input : executable.inputs()) {
    Dims dims;
    for (const Dim& dim : input.type.shape) dims.push_back(dim.Evaluate(symbols));
    inputs.emplace_back(input.type.data_type, dims);
  }
  return inputs;
}

class WholeModelAllocationTest : public ::testing::TestWithParam<std::string> {};

TEST_P(WholeModelAllocationTest, ARunAllocatesNothing) {
  const OperatorRegistry operators = BuiltInOperators();
  const Graph graph = GraphOf(GetParam(), operators);
  for (const kernels::KernelSet* set : kernels::AllKernelSets()) {
    if (!set->runs_here()) continue;
    kernels::PrepareThread();
    const auto executable = Executable::Compile(graph, operators, *set, {.max_rows = 4}).value();
    Arena arena;
    const auto session = Session::Create(executable, arena).value();
    for (const std::int64_t rows : {1, 3, 9}) {
      const std::vector<Tensor> inputs = Inputs(*executable, rows);
      std::vector<TensorView> in;
      for (const Tensor& input : inputs) in.push_back(input.view());
      std::vector<Dims> dims;
      ASSERT_TRUE(session->OutputDims(in, dims).ok());
      std::vector<Tensor> outputs;
      std::vector<MutableTensorView> out;
      for (std::size_t i = 0; i < dims.size(); ++i) {
        outputs.emplace_back(executable->outputs()[i].type.data_type, dims[i]);
      }
      for (Tensor& output : outputs) out.push_back(output.mutable_view());
      ASSERT_TRUE(session->Run(in, out).ok());  // the arena, for sequences of this length
      const long before = allocations;
      ASSERT_TRUE(session->Run(in, out).ok());
      EXPECT_EQ(allocations - before, 0) << set->name << ", " << rows << " rows";
    }
  }
}

std::string Name(const ::testing::TestParamInfo<std::string>& info) {
  std::string name = info.param;
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Models, WholeModelAllocationTest, ::testing::ValuesIn(Models()), Name);

}  // namespace
}  // namespace octet
