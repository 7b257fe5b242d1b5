// SPDX-License-Identifier: Apache-2.0
// The lists of docs/formats.md are the importers' own. With OCTET_WRITE_LISTS=1 this writes them.

#include <algorithm>
#include <array>
#include <cstdlib>
#include <fstream>
#include <gtest/gtest.h>
#include <map>
#include <sstream>
#include <string>
#include <tuple>
#include <vector>

#include "absl/strings/str_cat.h"

#include "models/importers/keras/layer_registry.h"
#include "models/importers/onnx/model_proto.h"
#include "models/importers/onnx/operator_list.h"
#include "models/importers/onnx/tensor_data.h"
#include "models/importers/tflite/model_file.h"
#include "models/importers/tflite/operator_names.h"
#include "models/importers/tflite/translators.h"

namespace octet {
namespace {

constexpr const char* kDocument = OCTET_SOURCE_DIR "/docs/formats.md";
// More than ONNX has.
constexpr int kTypeNumbers = 64;
// TensorFlow Lite's, by number.
constexpr std::array<const char*, 19> kTfliteTypes = {
    "FLOAT32", "FLOAT16",   "INT32",  "UINT8",   "INT64",      "STRING", "BOOL",
    "INT16",   "COMPLEX64", "INT8",   "FLOAT64", "COMPLEX128", "UINT64", "RESOURCE",
    "VARIANT", "UINT32",    "UINT16", "INT4",    "BFLOAT16"};

using Names = std::vector<std::string>;

std::string ReadDocument() {
  std::ifstream file(kDocument);
  EXPECT_TRUE(file.good()) << kDocument;
  std::ostringstream text;
  text << file.rdbuf();
  return text.str();
}

Names OnnxNames(absl::string_view domain) {
  Names names;
  for (const absl::string_view name : onnx::OperatorNames(domain)) names.emplace_back(name);
  return names;
}

Names OnnxTypes() {
  Names names;
  for (int type = 0; type < kTypeNumbers; ++type) {
    if (onnx::ElementType(type).ok()) names.push_back(onnx::ElementTypeName(type));
  }
  return names;
}

Names TfliteNames() {
  Names names;
  for (const tflite::Translator& translator : tflite::BuiltInTranslators()) {
    names.push_back(tflite::OperatorName(translator.code));
  }
  return names;
}

Names TfliteTypes() {
  Names names;
  for (std::size_t type = 0; type < kTfliteTypes.size(); ++type) {
    if (tflite::DataTypeOf(static_cast<int>(type)).has_value())
      names.emplace_back(kTfliteTypes[type]);
  }
  return names;
}

// The lists by their titles in the document.
std::map<std::string, Names> Lists() {
  std::map<std::string, Names> lists = {{"Keras", keras::BuiltInLayerClasses().Keys()},
                                        {"ONNX", OnnxNames("")},
                                        {"ONNX Runtime", OnnxNames("com.microsoft")},
                                        {"Types of ONNX", OnnxTypes()},
                                        {"TensorFlow Lite", TfliteNames()},
                                        {"Types of TensorFlow Lite", TfliteTypes()}};
  for (auto& [title, names] : lists) {
    std::sort(names.begin(), names.end());
    names.erase(std::unique(names.begin(), names.end()), names.end());
  }
  return lists;
}

// The names in lines as wide as the rest of the document.
std::string Paragraph(const std::string& title, const Names& names) {
  constexpr std::size_t kWidth = 115;
  std::string text;
  std::string line = absl::StrCat("**", title, "** (", names.size(), "):");
  for (const std::string& name : names) {
    if (line.size() + name.size() + 3 > kWidth) {
      absl::StrAppend(&text, line, "\n");
      line.clear();
    }
    absl::StrAppend(&line, line.empty() ? "`" : " `", name, "`");
  }
  return absl::StrCat(text, line, "\n");
}

TEST(FormatListsTest, TheDocumentHasTheImportersOwnLists) {
  constexpr absl::string_view kBegin = "<!-- lists: begin -->\n";
  constexpr absl::string_view kEnd = "<!-- lists: end -->\n";
  std::string wanted;
  for (const auto& [title, names] : Lists()) {
    EXPECT_FALSE(names.empty()) << title;
    absl::StrAppend(&wanted, "\n", Paragraph(title, names));
  }
  absl::StrAppend(&wanted, "\n");
  const std::string document = ReadDocument();
  const std::size_t begin = document.find(kBegin.data());
  const std::size_t end = document.find(kEnd.data());
  ASSERT_NE(begin, std::string::npos) << kBegin;
  ASSERT_NE(end, std::string::npos) << kEnd;
  const std::size_t first = begin + kBegin.size();
  if (const char* const write = std::getenv("OCTET_WRITE_LISTS"); write != nullptr) {
    std::ofstream(kDocument) << document.substr(0, first) << wanted << document.substr(end);
    return;
  }
  EXPECT_EQ(document.substr(first, end - first), wanted)
      << "run this test with OCTET_WRITE_LISTS=1, which writes the lists of docs/formats.md";
}

// What the tables say in words about each operator is written by hand: none is forgotten.
TEST(FormatListsTest, TheTablesNameEveryOperator) {
  const std::string document = ReadDocument();
  const std::map<std::string, Names> lists = Lists();
  for (const auto& [title, section, next] :
       {std::tuple{"ONNX", "\n## ONNX\n", "\n## TensorFlow Lite\n"},
        std::tuple{"ONNX Runtime", "\n## ONNX\n", "\n## TensorFlow Lite\n"},
        std::tuple{"TensorFlow Lite", "\n## TensorFlow Lite\n", "\n## PyTorch and torchao\n"}}) {
    const std::size_t begin = document.find(section);
    const std::size_t end = document.find(next);
    ASSERT_TRUE(begin < end && end != std::string::npos) << section;
    const std::string text = document.substr(begin, end - begin);
    for (const std::string& name : lists.at(title)) {
      EXPECT_NE(text.find(absl::StrCat("`", name, "`")), std::string::npos)
          << "docs/formats.md: the section on " << title << " says nothing of " << name;
    }
  }
}

}  // namespace
}  // namespace octet
