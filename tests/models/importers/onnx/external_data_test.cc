// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/external_data.h"

#include <filesystem>
#include <fstream>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <map>
#include <string>

namespace octet::onnx {
namespace {

namespace fs = std::filesystem;
using ::testing::HasSubstr;

using Entries = std::map<std::string, std::string>;

// A folder with a model's folder in it, and a secret beside that.
class ExternalDataTest : public ::testing::Test {
 protected:
  ExternalDataTest()
      : root_(fs::path(::testing::TempDir()) /
              ::testing::UnitTest::GetInstance()->current_test_info()->name()),
        data_((root_ / "model" / "model.onnx").string(), 1 << 20) {
    fs::remove_all(root_);
    fs::create_directories(root_ / "model" / "sub");
    Write("secret.bin", "secret..");
    Write("model/weights.bin", "0123456789abcdef");
    Write("model/sub/more.bin", "ABCDEFGH");
  }
  ~ExternalDataTest() override { fs::remove_all(root_); }

  void Write(const std::string& name, const std::string& text) const {
    std::ofstream(root_ / name, std::ios::binary) << text;
  }

  absl::StatusOr<std::string> Read(Entries entries, std::size_t wanted = 4) {
    auto read = data_.Read(entries, wanted);
    if (!read.ok()) return read.status();
    return std::string(reinterpret_cast<const char*>(read->bytes.data()), read->bytes.size());
  }

  void ExpectDenied(const std::string& location) {
    EXPECT_EQ(Read({{"location", location}}).status().code(), absl::StatusCode::kPermissionDenied)
        << location << ": " << Read({{"location", location}}).status();
  }

  fs::path root_;
  ExternalData data_;
};

TEST_F(ExternalDataTest, APartOfAFileBesideTheModel) {
  EXPECT_EQ(*Read({{"location", "weights.bin"}, {"offset", "10"}, {"length", "4"}}), "abcd");
  EXPECT_EQ(*Read({{"location", "weights.bin"}, {"offset", "2"}}), "2345");
  EXPECT_EQ(*Read({{"location", "sub/more.bin"}}), "ABCD");
  EXPECT_EQ(*Read({{"location", "./weights.bin"}}, 16), "0123456789abcdef");
}

TEST_F(ExternalDataTest, NoPathLeavesTheFolder) {
  ExpectDenied("../secret.bin");
  ExpectDenied("sub/../../secret.bin");
  ExpectDenied("sub/../weights.bin");
  ExpectDenied((root_ / "secret.bin").string());
  ExpectDenied("sub//more.bin");
  ExpectDenied("..\\secret.bin");
  ExpectDenied(std::string("weights.bin\0x", 13));
  ExpectDenied("");
}

TEST_F(ExternalDataTest, LinksAreRefused) {
  fs::create_symlink(root_ / "secret.bin", root_ / "model" / "link.bin");
  fs::create_directory_symlink(root_, root_ / "model" / "up");
  fs::create_hard_link(root_ / "secret.bin", root_ / "model" / "hard.bin");
  ExpectDenied("link.bin");
  ExpectDenied("up/secret.bin");
  ExpectDenied("hard.bin");
}

TEST_F(ExternalDataTest, OffsetsAndLengthsMustLieInTheFile) {
  for (const Entries& entries : {
           Entries{{"location", "weights.bin"}, {"offset", "13"}},
           Entries{{"location", "weights.bin"}, {"offset", "18446744073709551615"}},
           Entries{{"location", "weights.bin"}, {"offset", "-1"}},
           Entries{{"location", "weights.bin"}, {"offset", "0x1"}},
           Entries{{"location", "weights.bin"}, {"offset", "99999999999999999999999"}},
           Entries{{"location", "weights.bin"}, {"length", "8"}},
           Entries{{"location", "weights.bin"}, {"length", "18446744073709551612"}},
           Entries{{"location", "weights.bin"}, {"length", ""}},
           Entries{{"offset", "0"}},
       }) {
    EXPECT_EQ(Read(entries).status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST_F(ExternalDataTest, WhatIsNotThereIsNamed) {
  const absl::Status status = Read({{"location", "absent.bin"}}).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kNotFound);
  EXPECT_THAT(std::string(status.message()), HasSubstr("absent.bin"));
  EXPECT_FALSE(Read({{"location", "sub"}}).ok());  // a folder
}

TEST_F(ExternalDataTest, AFileMayBeTooLarge) {
  ExternalData small((root_ / "model" / "model.onnx").string(), 8);
  EXPECT_EQ(small.Read({{"location", "weights.bin"}}, 4).status().code(),
            absl::StatusCode::kResourceExhausted);
}

TEST_F(ExternalDataTest, AModelInMemoryHasNoFiles) {
  EXPECT_EQ(ExternalData().Read({{"location", "weights.bin"}}, 4).status().code(),
            absl::StatusCode::kPermissionDenied);
}

}  // namespace
}  // namespace octet::onnx
