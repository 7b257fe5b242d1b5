// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/reader.h"

#include <algorithm>
#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <random>
#include <span>
#include <string>

#include "models/bundle/sha256.h"
#include "models/bundle/writer.h"
#include "tests/support/small_bundle.h"

namespace octet {
namespace {

using ::testing::HasSubstr;
using testing::ReadWhole;
using testing::SmallBundle;
using testing::WriteWhole;

void Replace(std::string& text, const std::string& from, const std::string& to) {
  const std::size_t at = text.find(from);
  ASSERT_NE(at, std::string::npos) << from;
  text.replace(at, from.size(), to);
}

class ReaderTest : public ::testing::Test {
 protected:
  ReaderTest() : path_(directory_ / "1") {
    const absl::Status status = WriteBundle(SmallBundle(), path_);
    EXPECT_TRUE(status.ok()) << status;
  }

  // Changes a file of the bundle, and the manifest with it, so that only the contents are wrong.
  void Edit(const std::string& name, const std::function<void(std::string&)>& edit) {
    std::string text = ReadWhole(path_ + "/" + name);
    const std::string old_hash = Sha256Hex(std::as_bytes(std::span(text)));
    const std::string old_size = std::to_string(text.size());
    edit(text);
    WriteWhole(path_ + "/" + name, text);
    if (name == "manifest.json") return;
    std::string manifest = ReadWhole(path_ + "/manifest.json");
    Replace(manifest, old_hash, Sha256Hex(std::as_bytes(std::span(text))));
    const std::size_t at = manifest.find('"', manifest.find("\"bytes\"", manifest.find(name)) + 7);
    manifest.replace(at + 1, old_size.size(), std::to_string(text.size()));
    WriteWhole(path_ + "/manifest.json", manifest);
  }

  absl::Status Read() { return ReadBundle(path_).status(); }

  testing::TemporaryDirectory directory_;
  std::string path_;
};

TEST_F(ReaderTest, GivesTheSameOrderedVariablesByteForByte) {
  const Bundle written = SmallBundle();
  ASSERT_TRUE(WriteBundle(written, directory_ / "1.octet").ok());
  for (const std::string& path : {path_, directory_ / "1.octet"}) {
    const auto read = ReadBundle(path);
    ASSERT_TRUE(read.ok()) << read.status();
    ASSERT_EQ(read->layers.size(), written.layers.size());
    for (std::size_t i = 0; i < written.layers.size(); ++i) {
      const Layer& a = written.layers[i];
      const Layer& b = read->layers[i];
      EXPECT_EQ(a.path, b.path);
      EXPECT_EQ(a.layer_class, b.layer_class);
      EXPECT_EQ(a.registered_name, b.registered_name);
      EXPECT_EQ(a.mode, b.mode);
      EXPECT_EQ(a.dtype_policy, b.dtype_policy);
      EXPECT_EQ(a.source_group, b.source_group);
      EXPECT_EQ(a.config, b.config);
      EXPECT_EQ(a.packing.has_value(), b.packing.has_value());
      ASSERT_EQ(a.variables.size(), b.variables.size());
      for (std::size_t v = 0; v < a.variables.size(); ++v) {
        EXPECT_EQ(a.variables[v].name, b.variables[v].name);
        EXPECT_EQ(a.variables[v].scale_convention, b.variables[v].scale_convention);
        EXPECT_EQ(a.variables[v].tensor.data_type(), b.variables[v].tensor.data_type());
        EXPECT_EQ(a.variables[v].tensor.dims(), b.variables[v].tensor.dims());
        EXPECT_TRUE(
            std::ranges::equal(a.variables[v].tensor.bytes(), b.variables[v].tensor.bytes()));
      }
    }
    EXPECT_EQ(read->layers[0].packing->original_length, 3);
    EXPECT_TRUE(read->layers[0].packing->low_nibble_first);
  }
}

TEST_F(ReaderTest, GivesTheSameGraph) {
  const Bundle written = SmallBundle();
  const auto read = ReadBundle(path_);
  ASSERT_TRUE(read.ok()) << read.status();
  ASSERT_EQ(read->graph.values.size(), written.graph.values.size());
  for (std::size_t i = 0; i < written.graph.values.size(); ++i) {
    const Value& a = written.graph.values[i];
    const Value& b = read->graph.values[i];
    EXPECT_EQ(a.name, b.name);
    EXPECT_EQ(a.type, b.type);
    ASSERT_EQ(a.constant.has_value(), b.constant.has_value());
    if (!a.constant.has_value()) continue;
    EXPECT_EQ(a.constant->data_type(), b.constant->data_type());
    EXPECT_EQ(a.constant->packed_axis(), b.constant->packed_axis());
    EXPECT_TRUE(std::ranges::equal(a.constant->bytes(), b.constant->bytes()));
    EXPECT_EQ(reinterpret_cast<std::uintptr_t>(b.constant->bytes().data()) % 64, 0U);
  }
  ASSERT_EQ(read->graph.nodes.size(), 2U);
  EXPECT_EQ(read->graph.nodes[1].inputs, written.graph.nodes[1].inputs);
  EXPECT_EQ(read->graph.nodes[1].attributes, written.graph.nodes[1].attributes);
  EXPECT_EQ(read->graph.inputs, written.graph.inputs);
  EXPECT_EQ(read->graph.outputs, written.graph.outputs);
  EXPECT_EQ(read->source.version, "3.16.0");
  EXPECT_EQ(read->class_labels, written.class_labels);
  EXPECT_EQ(read->digest.size(), 64U);
  ASSERT_TRUE(read->self_test.has_value());
  EXPECT_EQ(read->self_test->outputs[0].as<float>()[7], 0.25F);
}

TEST_F(ReaderTest, WeightsOutliveTheBundleAndItsFiles) {
  ConstantTensor tensor;
  {
    const auto read = ReadBundle(path_);
    ASSERT_TRUE(read.ok()) << read.status();
    tensor = read->layers[1].variables[0].tensor;
  }
  std::filesystem::remove_all(path_);
  EXPECT_EQ(tensor.as<std::int8_t>()[0], 127);
}

TEST_F(ReaderTest, AMissingBundleIsNotFound) {
  const absl::Status status = ReadBundle(directory_ / "none").status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("none"));
}

TEST_F(ReaderTest, AChangedByteOfAnyListedFileIsDataLoss) {
  for (const char* const name :
       {"graph.json", "layers.json", "tests.safetensors", "weights.safetensors"}) {
    const std::string file = path_ + "/" + name;
    const std::string good = ReadWhole(file);
    std::string bad = good;
    bad.back() ^= 1;
    WriteWhole(file, bad);
    EXPECT_THAT(std::string(Read().message()), HasSubstr("SHA-256")) << name;
    EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss) << name;
    WriteWhole(file, good + "x");
    EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss) << name;
    std::filesystem::remove(file);
    EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss) << name;
    WriteWhole(file, good);
  }
  EXPECT_TRUE(Read().ok()) << Read();
}

TEST_F(ReaderTest, ANewerFormatIsUnimplemented) {
  Edit("manifest.json",
       [](std::string& t) { Replace(t, "\"format_version\": 1", "\"format_version\": 2"); });
  EXPECT_EQ(Read().code(), absl::StatusCode::kUnimplemented);
}

TEST_F(ReaderTest, AManifestThatNamesOtherFilesIsRefused) {
  Edit("manifest.json", [](std::string& t) { Replace(t, "graph.json", "../../etc/passwd"); });
  EXPECT_EQ(Read().code(), absl::StatusCode::kInvalidArgument);
}

TEST_F(ReaderTest, UnknownFieldsAreRefused) {
  Edit("graph.json", [](std::string& t) { Replace(t, "\"symbol_names\"", "\"symbols\""); });
  EXPECT_EQ(Read().code(), absl::StatusCode::kDataLoss);
}

TEST_F(ReaderTest, ContentsThatContradictEachOtherAreInvalid) {
  const struct {
    const char* file;
    const char* from;
    const char* to;
    const char* message;
  } kCases[] = {
      {"graph.json", "\"name\": \"y\"", "\"name\": \"z\"", "which does not exist"},
      {"graph.json", "\"tensor\": \"second/kernel\"", "\"tensor\": \"none\"",
       "not in weights.safetensors"},
      {"graph.json", "\"tensor\": \"second/kernel\"", "\"tensor\": \"second/bias\"",
       "but tensor \"second/bias\" is FP32"},
      {"graph.json", "\"name\": \"h\"", "\"name\": \"x\"", "taken twice"},
      {"graph.json", "\"rows\"", "\"length\"", "\"rows\""},
      {"graph.json", "\"FP32\"", "\"FP31\"", "unknown data type"},
      {"graph.json", "\"offset\": \"4\"", "\"offset\": \"-4\"", "at least 0"},
      {"layers.json", "\"index\": 1", "\"index\": 7", "wants index 1"},
      {"layers.json", "\"data_type\": \"FP32\"", "\"data_type\": \"INT8\"", "is stored"},
      {"layers.json", "\"reciprocal\"", "\"other\"", "scale convention"},
      {"layers.json", "\"reciprocal\"", "\"multiply\"", "wants \"reciprocal\""},
      {"layers.json", "\"path\": \"first\"", "\"path\": \"second\"", "unique"},
      {"layers.json", "\"original_length\": \"3\"", "\"original_length\": \"9\"",
       "original length 9"},
  };
  for (const auto& test : kCases) {
    SCOPED_TRACE(test.message);
    const std::string good = ReadWhole(path_ + "/" + test.file);
    const std::string manifest = ReadWhole(path_ + "/manifest.json");
    Edit(test.file, [&](std::string& t) { Replace(t, test.from, test.to); });
    const absl::Status status = Read();
    EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument) << status;
    EXPECT_THAT(std::string(status.message()), HasSubstr(test.message));
    WriteWhole(path_ + "/" + test.file, good);
    WriteWhole(path_ + "/manifest.json", manifest);
  }
  EXPECT_TRUE(Read().ok()) << Read();
}

// As a constant is answered: a row of it, in the self-test too.
TEST_F(ReaderTest, ABundleWithoutInputsHasATestOfOneRow) {
  for (const std::int64_t rows : {1, 4}) {
    Bundle bundle;
    const ValueId w = bundle.graph.AddConstant(
        "w", ConstantTensor::Copy(DataType::kFloat32, {2}, std::vector<float>{1, 2}));
    const ValueId y = bundle.graph.AddValue("y", {DataType::kFloat32, {Dim(kRows), 2}, {}});
    bundle.graph.nodes.push_back({"y", "Constant", {w}, {y}, {}});
    bundle.graph.outputs = {y};
    bundle.self_test = SelfTest{};
    bundle.self_test->outputs.emplace_back(DataType::kFloat32, Dims{rows, 2});
    const std::string path = directory_ / ("constant" + std::to_string(rows));
    // What cannot be read is not written either.
    const absl::Status written = WriteBundle(bundle, path);
    EXPECT_EQ(written.ok(), rows == 1) << written;
    if (!written.ok()) {
      EXPECT_THAT(std::string(written.message()), HasSubstr("and one row"));
      continue;
    }
    const auto read = ReadBundle(path);
    ASSERT_TRUE(read.ok()) << read.status();
    EXPECT_TRUE(read->graph.inputs.empty());
    EXPECT_TRUE(read->self_test->inputs.empty());
    EXPECT_EQ(read->self_test->outputs[0].dims(), (Dims{1, 2}));
  }
}

TEST_F(ReaderTest, UnknownModesAndClassesAreUnimplementedWithTheLayersPath) {
  Edit("layers.json",
       [](std::string& t) { Replace(t, "\"mode\": \"int8\"", "\"mode\": \"int3\""); });
  EXPECT_EQ(Read().code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(Read().message()), HasSubstr("layer \"second\""));
}

// Whatever happens to the bytes, reading ends with a bundle or a status.
TEST_F(ReaderTest, SurvivesMutations) {
  std::mt19937 random(20261121);
  for (const char* const name :
       {"manifest.json", "graph.json", "layers.json", "tests.safetensors", "weights.safetensors"}) {
    const std::string good = ReadWhole(path_ + "/" + name);
    const std::string manifest = ReadWhole(path_ + "/manifest.json");
    for (int round = 0; round < 200; ++round) {
      Edit(name, [&](std::string& text) {
        for (std::uint32_t i = 0; i < 1 + random() % 3; ++i) {
          const std::size_t at = random() % text.size();
          switch (random() % 4) {
            case 0:
              text[at] = static_cast<char>(random());
              break;
            case 1:
              text.erase(at, 1 + random() % 8);
              break;
            case 2:
              text.insert(at, text.substr(random() % text.size(), random() % 16));
              break;
            default:
              text[at] = "0123456789\"{}[],:-"[random() % 18];
          }
          if (text.empty()) text = "x";
        }
      });
      const auto bundle = ReadBundle(path_);
      if (bundle.ok()) {
        EXPECT_EQ(bundle->layers.size(), 3U);
      } else {
        EXPECT_FALSE(bundle.status().message().empty());
      }
      WriteWhole(path_ + "/" + name, good);
      WriteWhole(path_ + "/manifest.json", manifest);
    }
  }
}

}  // namespace
}  // namespace octet
