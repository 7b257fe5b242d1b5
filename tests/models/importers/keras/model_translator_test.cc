// SPDX-License-Identifier: Apache-2.0
// Models of several inputs whose sizes only a request decides.

#include "models/importers/keras/model_translator.h"

#include <cstddef>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

#include "models/bundle/zip_archive.h"
#include "models/importers/config_view.h"
#include "models/importers/keras/archive.h"
#include "models/importers/keras/keras_importer.h"
#include "models/operators/operators.h"
#include "tests/support/read_file.h"

namespace octet::keras {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr std::int64_t kLimit = 1 << 24;

Json LayerOf(const std::string& class_name, const std::string& name, Json config,
             const std::vector<std::string>& inputs) {
  Json references = Json::array();
  for (const std::string& input : inputs) {
    references.push_back(Json::array({input, 0, 0, Json::object()}));
  }
  config["name"] = name;
  return {{"module", "keras.layers"},
          {"class_name", class_name},
          {"config", std::move(config)},
          {"name", name},
          {"registered_name", nullptr},
          {"inbound_nodes", inputs.empty() ? Json::array() : Json::array({references})}};
}

Json OpenInput(const std::string& name, std::int64_t channels) {
  return LayerOf("InputLayer", name,
                 {{"batch_shape", Json::array({nullptr, nullptr, channels})}, {"dtype", "float32"}},
                 {});
}

// Imports a Functional model of layers without variables; its output is the last one.
absl::StatusOr<Graph> Import(const std::vector<Json>& layers,
                             const std::vector<std::string>& inputs) {
  Json input_layers = Json::array();
  for (const std::string& input : inputs) input_layers.push_back(Json::array({input, 0, 0}));
  const Json config = {
      {"module", "keras.models"},
      {"class_name", "Functional"},
      {"config",
       {{"name", "model"},
        {"layers", layers},
        {"input_layers", input_layers},
        {"output_layers", Json::array({Json::array({layers.back()["name"], 0, 0})})}}},
      {"registered_name", nullptr}};
  const std::vector<std::byte> file =
      octet::testing::ReadFile("tests/golden/keras/3.15.1/mlp_int8.keras");
  const KerasArchive archive = *ReadKerasArchive(file, kLimit);
  const std::string text = config.dump();
  const auto bytes_of = [](const std::string& part) {
    return std::as_bytes(std::span(part.data(), part.size()));
  };
  const auto zip = WriteStoredZip({{"metadata.json", bytes_of(archive.metadata_json)},
                                   {"config.json", bytes_of(text)},
                                   {"model.weights.h5", archive.weights}});
  const OperatorRegistry operators = BuiltInOperators();
  auto bundle = KerasImporter().ImportBytes(bytes_of(*zip),
                                            {.operators = &operators, .max_byte_size = kLimit});
  if (!bundle.ok()) return bundle.status();
  return std::move(bundle->graph);
}

TEST(ModelTranslatorTest, InputsThatMeetNowhereHaveLengthsOfTheirOwn) {
  const auto graph =
      Import({OpenInput("question", 6), OpenInput("text", 6),
              LayerOf("GlobalAveragePooling1D", "first", Json::object(), {"question"}),
              LayerOf("GlobalMaxPooling1D", "second", Json::object(), {"text"}),
              LayerOf("Concatenate", "both", {{"axis", -1}}, {"first", "second"})},
             {"question", "text"});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->symbol_names, ElementsAre("rows", "question/length", "text/length"));
}

TEST(ModelTranslatorTest, InputsThatAreAddedShareALength) {
  const auto graph = Import(
      {OpenInput("a", 6), OpenInput("b", 6), LayerOf("Add", "sum", Json::object(), {"a", "b"})},
      {"a", "b"});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->symbol_names, ElementsAre("rows", "length"));
}

TEST(ModelTranslatorTest, OneInputHasTheShortName) {
  const auto graph =
      Import({OpenInput("x", 6), LayerOf("GlobalMaxPooling1D", "y", Json::object(), {"x"})}, {"x"});
  ASSERT_TRUE(graph.ok()) << graph.status();
  EXPECT_THAT(graph->symbol_names, ElementsAre("rows", "length"));
}

TEST(ModelTranslatorTest, WhatFitsInNeitherWayNamesTheNode) {
  const auto graph = Import(
      {OpenInput("a", 6), OpenInput("b", 5), LayerOf("Add", "sum", Json::object(), {"a", "b"})},
      {"a", "b"});
  EXPECT_EQ(graph.status().code(), absl::StatusCode::kInvalidArgument);
  EXPECT_THAT(std::string(graph.status().message()), HasSubstr("Add \"sum\": shapes"));
}

}  // namespace
}  // namespace octet::keras
