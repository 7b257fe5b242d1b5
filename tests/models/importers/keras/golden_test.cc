// SPDX-License-Identifier: Apache-2.0
// Models that Keras saved, imported and run, against the outputs that Keras computed.
//
// tests/golden/keras/make_fixtures.py makes them.

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <memory>
#include <optional>
#include <sstream>
#include <string>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"

#include "kernels/kernel_set.h"
#include "models/importers/importers.h"
#include "models/operators/operators.h"
#include "models/runtime/executable.h"
#include "models/runtime/session.h"

namespace octet {
namespace {

namespace fs = std::filesystem;

const char* const kGolden = "tests/golden/keras";

// An array that NumPy saved, of a type that the fixtures use.
std::optional<Tensor> ReadNpy(const fs::path& path) {
  std::ifstream file(path, std::ios::binary);
  if (!file) return std::nullopt;
  std::stringstream whole;
  whole << file.rdbuf();
  const std::string bytes = whole.str();
  const std::size_t header = 10;
  const auto header_size = static_cast<std::size_t>(static_cast<unsigned char>(bytes[8])) +
                           256U * static_cast<unsigned char>(bytes[9]);
  const std::string text = bytes.substr(header, header_size);
  Dims dims;
  const std::size_t open = text.find('(');
  std::stringstream shape(text.substr(open + 1, text.find(')') - open - 1));
  for (std::string part; std::getline(shape, part, ',');) {
    if (part.find_first_of("0123456789") != std::string::npos) dims.push_back(std::stoll(part));
  }
  const DataType type = absl::StrContains(text, "<i4")   ? DataType::kInt32
                        : absl::StrContains(text, "|u1") ? DataType::kUint8
                                                         : DataType::kFloat32;
  Tensor tensor(type, dims);
  const auto size = static_cast<std::ptrdiff_t>(tensor.bytes().size());
  EXPECT_EQ(bytes.size(), header + header_size + tensor.bytes().size()) << path;
  std::transform(bytes.end() - size, bytes.end(), tensor.bytes().begin(),
                 [](char c) { return static_cast<std::byte>(c); });
  return tensor;
}

std::vector<Tensor> ReadAll(const std::string& stem, const char* kind) {
  std::vector<Tensor> tensors;
  while (true) {
    std::optional<Tensor> tensor = ReadNpy(absl::StrCat(stem, ".", kind, tensors.size(), ".npy"));
    if (!tensor.has_value()) return tensors;
    tensors.push_back(*std::move(tensor));
  }
}

// The largest difference, as a part of the largest output.
double Difference(const Tensor& got, const Tensor& wanted) {
  double difference = 0.0;
  double largest = 0.0;
  for (std::size_t i = 0; i < wanted.as<float>().size(); ++i) {
    const double a = got.as<float>()[i];
    const double b = wanted.as<float>()[i];
    difference = std::max(difference, std::isnan(a) ? INFINITY : std::abs(a - b));
    largest = std::max(largest, std::abs(b));
  }
  return difference / largest;
}

// Runs the model on `inputs`.
absl::StatusOr<std::vector<Tensor>> RunModel(const Graph& graph,
                                             const std::vector<Tensor>& inputs) {
  const OperatorRegistry operators = BuiltInOperators();
  const kernels::KernelSetSelection selection =
      kernels::SelectKernelSet(std::getenv("OCTET_KERNEL_SET"));
  if (selection.set == nullptr) return absl::FailedPreconditionError(selection.error);
  auto executable = Executable::Compile(graph, operators, *selection.set);
  if (!executable.ok()) return executable.status();
  Arena arena;
  auto session = Session::Create(*executable, arena);
  if (!session.ok()) return session.status();
  std::vector<TensorView> views;
  for (const Tensor& input : inputs) views.push_back(input.view());
  std::vector<Dims> dims;
  if (absl::Status status = (*session)->OutputDims(views, dims); !status.ok()) return status;
  std::vector<Tensor> outputs;
  std::vector<MutableTensorView> output_views;
  for (const Dims& shape : dims) outputs.emplace_back(DataType::kFloat32, shape);
  for (Tensor& output : outputs) output_views.push_back(output.mutable_view());
  if (absl::Status status = (*session)->Run(views, output_views); !status.ok()) return status;
  return outputs;
}

// How far the outputs may be from Keras's, as a part of the largest output.
double Bound(const std::string& stem) {
  // Keras computes these in bfloat16, whose steps are 2^-8; Octet computes in float32.
  if (absl::StrContains(stem, "bfloat16")) return 2e-2;
  // An input of a later layer that differs by one ulp may be rounded to the next integer: one step
  // of 127 in one of its inputs. Layers on identical inputs are within 2e-6.
  if (absl::StrContains(stem, "int8") && !absl::StrContains(stem, "weight_only")) return 1e-2;
  // Keras 3.13 and older quantize the inputs of int4 layers, too.
  if (absl::StrContains(stem, "int4") && !absl::StrContains(stem, "/3.14") &&
      !absl::StrContains(stem, "/3.15")) {
    return 1e-2;
  }
  return 1e-5;
}

class GoldenTest : public ::testing::TestWithParam<std::string> {};

TEST_P(GoldenTest, ImportsAndComputesWhatKerasDoes) {
  const std::string& stem = GetParam();
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle = ImportModel(stem + ".keras", {.operators = &operators});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  const std::vector<Tensor> inputs = ReadAll(stem, "x");
  const std::vector<Tensor> wanted = ReadAll(stem, "y");
  ASSERT_FALSE(wanted.empty());
  const auto got = RunModel(bundle->graph, inputs);
  ASSERT_TRUE(got.ok()) << got.status();
  ASSERT_EQ(got->size(), wanted.size());
  for (std::size_t i = 0; i < wanted.size(); ++i) {
    ASSERT_EQ((*got)[i].dims(), wanted[i].dims());
    const double difference = Difference((*got)[i], wanted[i]);
    EXPECT_LE(difference, Bound(stem)) << "output " << i;
    RecordProperty(absl::StrCat("difference_", i), absl::StrCat(difference));
  }
}

std::vector<std::string> Stems() {
  std::vector<std::string> stems;
  if (!fs::exists(kGolden)) return stems;
  for (const auto& entry : fs::recursive_directory_iterator(kGolden)) {
    if (entry.path().extension() != ".keras") continue;
    stems.push_back((entry.path().parent_path() / entry.path().stem()).string());
  }
  std::sort(stems.begin(), stems.end());
  return stems;
}

std::string TestName(const ::testing::TestParamInfo<std::string>& info) {
  const fs::path path(info.param);
  std::string name = path.parent_path().filename().string() + "_" + path.filename().string();
  std::replace_if(
      name.begin(), name.end(), [](char c) { return std::isalnum(c) == 0; }, '_');
  return name;
}

INSTANTIATE_TEST_SUITE_P(Keras, GoldenTest, ::testing::ValuesIn(Stems()), TestName);

Bundle ImportGolden(const std::string& name) {
  const OperatorRegistry operators = BuiltInOperators();
  auto bundle = ImportModel(absl::StrCat(kGolden, "/", name, ".keras"), {.operators = &operators});
  EXPECT_TRUE(bundle.ok()) << bundle.status();
  return bundle.ok() ? *std::move(bundle) : Bundle{};
}

std::vector<std::string> Names(const Layer& layer) {
  std::vector<std::string> names;
  for (const LayerVariable& variable : layer.variables) names.push_back(variable.name);
  return names;
}

TEST(GoldenLayersTest, AreThereInSerializedOrder) {
  const Bundle bundle = ImportGolden("3.15.1/mlp_int4");
  ASSERT_EQ(bundle.layers.size(), 3U);
  EXPECT_EQ(bundle.layers[0].path, "hidden");
  EXPECT_EQ(bundle.layers[0].mode, "int4");
  EXPECT_EQ(bundle.layers[0].dtype_policy, "int4/128_from_float32");
  EXPECT_EQ(bundle.layers[0].source_group, "layers/dense/vars");
  EXPECT_EQ(bundle.layers[1].source_group, "layers/dense_1/vars");
  EXPECT_THAT(Names(bundle.layers[0]),
              ::testing::ElementsAre("kernel", "bias", "kernel_scale", "kernel_zero", "g_idx"));
  ASSERT_TRUE(bundle.layers[0].packing.has_value());
  EXPECT_EQ(bundle.layers[0].packing->original_length, 9);
  EXPECT_EQ(bundle.layers[0].variables[0].tensor.dims(), (Dims{6, 5}));
  EXPECT_EQ(bundle.source.version, "3.15.1");
  EXPECT_EQ(bundle.precision, "int4");
}

TEST(GoldenLayersTest, TellTheTwoInt4LayoutsApart) {
  const Bundle old_layout = ImportGolden("3.13.2/mlp_int4");
  EXPECT_THAT(Names(old_layout.layers[0]),
              ::testing::ElementsAre("kernel", "bias", "kernel_scale"));
  EXPECT_EQ(old_layout.layers[0].packing->axis, 0);
  EXPECT_EQ(ImportGolden("3.14.1/mlp_int4").layers[0].packing->axis, 1);
}

TEST(GoldenLayersTest, InferTheModesThatKerasForgets) {
  const Bundle bundle = ImportGolden("3.15.1/encoder_int8");
  const auto query =
      std::find_if(bundle.layers.begin(), bundle.layers.end(),
                   [](const Layer& layer) { return layer.path == "attention/query"; });
  ASSERT_NE(query, bundle.layers.end());
  EXPECT_EQ(query->mode, "int8");
  EXPECT_EQ(query->source_group, "layers/multi_head_attention/query_dense/vars");
}

TEST(GoldenGraphTest, IsNamedAfterKerasLayers) {
  const Bundle bundle = ImportGolden("3.15.1/nested_float");
  std::vector<std::string> names;
  for (const ValueId id : bundle.graph.inputs) {
    names.push_back(bundle.graph.values[static_cast<std::size_t>(id)].name);
  }
  for (const ValueId id : bundle.graph.outputs) {
    names.push_back(bundle.graph.values[static_cast<std::size_t>(id)].name);
  }
  EXPECT_THAT(names, ::testing::ElementsAre("a", "b", "left", "right"));
}

// Real models from elsewhere, where they are at hand.
TEST(RealModelTest, MnistIsImportedInBothFormats) {
  const std::string folder = "../shared/data/keras/mnist-cnn";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const OperatorRegistry operators = BuiltInOperators();
  for (const char* const name : {"mnist_model.keras", "mnist_model.h5"}) {
    const auto bundle = ImportModel(absl::StrCat(folder, "/", name), {.operators = &operators});
    ASSERT_TRUE(bundle.ok()) << bundle.status();
    EXPECT_EQ(bundle->precision, "fp32");
  }
}

TEST(RealModelTest, FaceEmotionGivesTheReferenceOutputs) {
  const std::string folder = "../shared/data/keras/face-emotion";
  if (!fs::exists(folder)) GTEST_SKIP() << folder << " is not there";
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle =
      ImportModel(folder + "/fer2013_mini_XCEPTION.102-0.66.hdf5", {.operators = &operators});
  ASSERT_TRUE(bundle.ok()) << bundle.status();
  auto input = ReadNpy(folder + "/reference/inputs_float32.npy");
  const auto wanted = ReadNpy(folder + "/reference/outputs_float32.npy");
  ASSERT_TRUE(input.has_value() && wanted.has_value());
  std::vector<Tensor> inputs;
  inputs.push_back(*std::move(input));
  const auto got = RunModel(bundle->graph, inputs);
  ASSERT_TRUE(got.ok()) << got.status();
  EXPECT_LE(Difference(got->front(), *wanted), 1e-5);
}

TEST(RealModelTest, ACustomModelIsRefusedWithItsClass) {
  const std::string path = "../shared/data/keras/small/pre_pr22362_nested_container.keras";
  if (!fs::exists(path)) GTEST_SKIP() << path << " is not there";
  const OperatorRegistry operators = BuiltInOperators();
  const auto bundle = ImportModel(path, {.operators = &operators});
  EXPECT_EQ(bundle.status().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(bundle.status().message()),
              ::testing::HasSubstr("legacy_nested_container>NestedDenseModel"));
}

}  // namespace
}  // namespace octet
