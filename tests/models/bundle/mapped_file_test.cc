// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/mapped_file.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>

#include "tests/support/small_bundle.h"

namespace octet {
namespace {

TEST(MappedFileTest, HoldsTheBytesOfTheFile) {
  const testing::TemporaryDirectory directory;
  testing::WriteWhole(directory / "file", "octet");
  const auto file = MappedFile::Open(directory / "file");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ((*file)->bytes().size(), 5U);
  EXPECT_EQ(std::memcmp((*file)->bytes().data(), "octet", 5), 0);
}

TEST(MappedFileTest, AnEmptyFileIsEmpty) {
  const testing::TemporaryDirectory directory;
  testing::WriteWhole(directory / "file", "");
  const auto file = MappedFile::Open(directory / "file");
  ASSERT_TRUE(file.ok()) << file.status();
  EXPECT_TRUE((*file)->bytes().empty());
}

TEST(MappedFileTest, WhatIsNotAFileIsRefusedWithoutWaiting) {
  const testing::TemporaryDirectory directory;
  EXPECT_EQ(MappedFile::Open(directory / "none").status().code(), absl::StatusCode::kNotFound);
  EXPECT_EQ(MappedFile::Open(directory / ".").status().code(), absl::StatusCode::kInvalidArgument);
  ASSERT_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  EXPECT_EQ(MappedFile::Open(directory / "pipe").status().code(),
            absl::StatusCode::kInvalidArgument);
}

}  // namespace
}  // namespace octet
