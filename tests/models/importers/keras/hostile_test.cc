// SPDX-License-Identifier: Apache-2.0
// Files that were made, or damaged, to harm: each gives an error, none a crash.

#include <functional>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/bundle/zip_archive.h"
#include "models/importers/config_view.h"
#include "models/importers/keras/archive.h"
#include "models/importers/keras/keras_importer.h"
#include "models/operators/operators.h"
#include "tests/support/read_file.h"

// libhdf5 asks for as many bytes as a damaged file says, and copes with getting none; so should
// the sanitizer's allocator.
extern "C" const char* __asan_default_options() {  // NOLINT: the sanitizer's name for it
  return "allocator_may_return_null=1";
}
extern "C" const char* __tsan_default_options() {  // NOLINT: as above
  return "allocator_may_return_null=1";
}
// What it had allocated before it found the damage it sometimes forgets.
extern "C" const char* __lsan_default_suppressions() {  // NOLINT: as above
  return "leak:libhdf5";
}

namespace octet::keras {
namespace {

using ::testing::HasSubstr;

constexpr std::int64_t kLimit = 1 << 24;

class HostileTest : public ::testing::Test {
 protected:
  HostileTest()
      : operators_(BuiltInOperators()),
        file_(octet::testing::ReadFile("tests/golden/keras/3.15.1/mlp_int8.keras")),
        archive_(*ReadKerasArchive(file_, kLimit)),
        config_(*ParseJson(archive_.config_json, "config.json")) {}

  absl::Status Import(std::span<const std::byte> bytes) const {
    return importer_.ImportBytes(bytes, {.operators = &operators_, .max_byte_size = kLimit})
        .status();
  }

  // Imports the model with another configuration.
  absl::Status ImportConfig(const std::string& config) const {
    const auto bytes_of = [](const std::string& text) {
      return std::as_bytes(std::span(text.data(), text.size()));
    };
    const auto zip = WriteStoredZip({{"metadata.json", bytes_of(archive_.metadata_json)},
                                     {"config.json", bytes_of(config)},
                                     {"model.weights.h5", archive_.weights}});
    return Import(bytes_of(*zip));
  }
  absl::Status ImportConfig(const Json& config) const { return ImportConfig(config.dump()); }

  // The entry of layer `index`; 0 is the input.
  static Json& LayerEntry(Json& config, std::size_t index) {
    return config["config"]["layers"][index];
  }

  const OperatorRegistry operators_;
  const KerasImporter importer_;
  const std::vector<std::byte> file_;
  const KerasArchive archive_;
  const Json config_;
};

TEST_F(HostileTest, TheModelItselfIsGood) { EXPECT_TRUE(ImportConfig(config_).ok()); }

TEST_F(HostileTest, ALambdaIsRefused) {
  Json config = config_;
  LayerEntry(config, 1) = {{"module", "keras.layers"},
                           {"class_name", "Lambda"},
                           {"config", {{"name", "evil"}}},
                           {"registered_name", nullptr}};
  const absl::Status status = ImportConfig(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kPermissionDenied);
  EXPECT_THAT(std::string(status.message()), HasSubstr("\"evil\" (Lambda)"));
}

TEST_F(HostileTest, ALambdaAsAnActivationIsRefused) {
  Json config = config_;
  LayerEntry(config, 1)["config"]["activation"] = {{"class_name", "__lambda__"},
                                                   {"config", {{"value", "4wEAAAA="}}}};
  EXPECT_EQ(ImportConfig(config).code(), absl::StatusCode::kPermissionDenied);
}

TEST_F(HostileTest, AllUnknownLayersAreInOneMessage) {
  Json config = config_;
  LayerEntry(config, 1)["class_name"] = "ConvLSTM2D";
  LayerEntry(config, 2)["registered_name"] = "package>Mine";
  LayerEntry(config, 3)["module"] = "os";
  const absl::Status status = ImportConfig(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  const std::string message(status.message());
  EXPECT_THAT(message, HasSubstr("3 layers"));
  EXPECT_THAT(message, HasSubstr("\"hidden\" (ConvLSTM2D)"));
  EXPECT_THAT(message, HasSubstr("\"second\" (package>Mine)"));
  EXPECT_THAT(message, HasSubstr("\"classes\""));
}

TEST_F(HostileTest, APolicyThatDoesNotFitTheVariablesIsRefused) {
  Json config = config_;
  LayerEntry(config, 1)["config"]["dtype"] = "float32";
  const absl::Status status = ImportConfig(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(status.message()), HasSubstr("hidden"));
  LayerEntry(config, 1)["config"]["dtype"] = "int4_from_float32";
  EXPECT_FALSE(ImportConfig(config).ok());
}

TEST_F(HostileTest, TernaryIsUnimplementedNotFloat) {
  Json config = config_;
  LayerEntry(config, 1)["config"]["dtype"] = "ternary_from_float32";
  const absl::Status status = ImportConfig(config);
  EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented);
  EXPECT_THAT(std::string(status.message()),
              HasSubstr("layer \"hidden\" (Dense): the mode \"ternary\" cannot be imported"));
}

TEST_F(HostileTest, AModeThatEmbeddingsLackIsUnimplemented) {
  const std::vector<std::byte> file =
      octet::testing::ReadFile("tests/golden/keras/3.15.1/encoder_int8.keras");
  const KerasArchive archive = *ReadKerasArchive(file, kLimit);
  for (const char* const mode : {"ternary", "gptq/4/-1", "awq/4/-1"}) {
    Json config = *ParseJson(archive.config_json, "config.json");
    std::string name;
    for (Json& layer : config["config"]["layers"]) {
      if (layer["class_name"] != "Embedding") continue;
      name = layer["config"]["name"];
      layer["config"]["dtype"] = absl::StrCat(mode, "_from_float32");
    }
    ASSERT_NE(name, "");
    const std::string text = config.dump();
    const auto bytes_of = [](const std::string& part) {
      return std::as_bytes(std::span(part.data(), part.size()));
    };
    const auto zip = WriteStoredZip({{"metadata.json", bytes_of(archive.metadata_json)},
                                     {"config.json", bytes_of(text)},
                                     {"model.weights.h5", archive.weights}});
    const absl::Status status = Import(bytes_of(*zip));
    EXPECT_EQ(status.code(), absl::StatusCode::kUnimplemented) << status;
    EXPECT_THAT(std::string(status.message()),
                HasSubstr(absl::StrCat("layer \"", name, "\" (Embedding): the mode \"",
                                       std::string(mode).substr(0, std::string(mode).find('/')),
                                       "\" cannot be imported")));
  }
}

TEST_F(HostileTest, WrongSizesAreRefused) {
  for (const Json& units : {Json(0), Json(-1), Json(10), Json("9"), Json(1e18), Json(nullptr)}) {
    Json config = config_;
    LayerEntry(config, 1)["config"]["units"] = units;
    EXPECT_FALSE(ImportConfig(config).ok()) << units;
  }
  for (const Json& shape : {Json::array(), Json::array({nullptr}), Json::array({nullptr, -5}),
                            Json::array({nullptr, 1e300}), Json(7)}) {
    Json config = config_;
    LayerEntry(config, 0)["config"]["batch_shape"] = shape;
    EXPECT_FALSE(ImportConfig(config).ok()) << shape;
  }
}

TEST_F(HostileTest, DeepNestingIsRefused) {
  EXPECT_FALSE(ImportConfig(std::string(100000, '[')).ok());
  std::string models;
  for (int i = 0; i < 200; ++i) {
    models += R"({"class_name": "Sequential", "config": {"name": "m", "layers": [)";
  }
  EXPECT_FALSE(ImportConfig(models).ok());
}

TEST_F(HostileTest, ModelsThatMultiplyAreRefused) {
  // 20 models, each of which calls the next one ten times, on its own output.
  Json model = {{"class_name", "Dropout"}, {"name", "leaf"}, {"config", {{"name", "leaf"}}}};
  for (int i = 0; i < 20; ++i) {
    const std::string inner = model["name"];
    Json nodes = Json::array();
    for (int call = 0; call < 10; ++call) {
      const Json history = call == 0 ? Json{"in", 0, 0} : Json{inner, call - 1, 0};
      nodes.push_back(
          {{"args",
            {{{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", history}}}}}},
           {"kwargs", Json::object()}});
    }
    model["inbound_nodes"] = nodes;
    const std::string name = "m" + std::to_string(i);
    model = {{"class_name", "Functional"},
             {"name", name},
             {"config",
              {{"name", name},
               {"layers",
                {{{"class_name", "InputLayer"},
                  {"name", "in"},
                  {"config", {{"name", "in"}, {"batch_shape", {nullptr, 3}}}},
                  {"inbound_nodes", Json::array()}},
                 model}},
               {"input_layers", {{"in", 0, 0}}},
               {"output_layers", {{inner, 9, 0}}}}}};
  }
  EXPECT_EQ(ImportConfig(model).code(), absl::StatusCode::kResourceExhausted);
}

TEST_F(HostileTest, ACycleIsRefused) {
  const auto tensor = [](const char* layer) {
    return Json{{"class_name", "__keras_tensor__"}, {"config", {{"keras_history", {layer, 0, 0}}}}};
  };
  const auto dropout = [&](const char* name, const char* input) {
    return Json{{"class_name", "Dropout"},
                {"name", name},
                {"config", {{"name", name}}},
                {"inbound_nodes", {{{"args", {tensor(input)}}, {"kwargs", Json::object()}}}}};
  };
  const Json config = {{"class_name", "Functional"},
                       {"config",
                        {{"layers", {dropout("a", "b"), dropout("b", "a")}},
                         {"input_layers", Json::array()},
                         {"output_layers", {{"a", 0, 0}}}}}};
  EXPECT_EQ(ImportConfig(config).code(), absl::StatusCode::kInvalidArgument);
}

// Every value of the configuration replaced by others, one at a time.
void Mutate(Json& whole, Json& place, const std::function<void(const Json&)>& visit) {
  static const Json kReplacements[] = {nullptr, -1, "x", Json::array(), Json::object(), true, 1e30};
  const Json kept = place;
  for (const Json& replacement : kReplacements) {
    place = replacement;
    visit(whole);
  }
  place = kept;
  if (!place.is_structured()) return;
  for (Json& child : place) Mutate(whole, child, visit);
}

TEST_F(HostileTest, NoChangedValueCrashes) {
  Json config = config_;
  // The initializers are never read, and many.
  for (Json& layer : config["config"]["layers"]) {
    layer["config"].erase("kernel_initializer");
    layer["config"].erase("bias_initializer");
  }
  config.erase("compile_config");
  int count = 0;
  Mutate(config, config, [&](const Json& changed) {
    static_cast<void>(ImportConfig(changed));
    ++count;
  });
  EXPECT_GT(count, 100);
}

TEST_F(HostileTest, NoFlippedByteCrashes) {
  for (std::size_t i = 0; i < file_.size(); i += 1 + file_.size() / 400) {
    std::vector<std::byte> changed = file_;
    changed[i] ^= std::byte{0x55};
    static_cast<void>(Import(changed));
  }
}

TEST_F(HostileTest, NoFlippedByteOfTheWeightsCrashes) {
  const auto bytes_of = [](const std::string& text) {
    return std::as_bytes(std::span(text.data(), text.size()));
  };
  for (std::size_t i = 0; i < archive_.weights.size(); i += 1 + archive_.weights.size() / 800) {
    std::vector<std::byte> weights = archive_.weights;
    weights[i] ^= std::byte{0xff};
    const auto zip = WriteStoredZip(
        {{"config.json", bytes_of(archive_.config_json)}, {"model.weights.h5", weights}});
    static_cast<void>(Import(bytes_of(*zip)));
  }
}

TEST_F(HostileTest, ATruncatedFileIsRefused) {
  for (std::size_t size = 0; size < file_.size(); size += 1 + file_.size() / 100) {
    EXPECT_FALSE(Import(std::span(file_).first(size)).ok()) << size;
  }
}

TEST_F(HostileTest, AFileBeyondTheLimitIsRefused) {
  const absl::Status status =
      importer_.ImportBytes(file_, {.operators = &operators_, .max_byte_size = 100}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kResourceExhausted);
}

}  // namespace
}  // namespace octet::keras
