// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/mapped_file.h"

#include <cstring>
#include <gtest/gtest.h>
#include <string>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/support/small_bundle.h"

namespace octet {
namespace {

// Mapped, and read into memory.
constexpr auto kBoth = {&MappedFile::Open, &MappedFile::ReadCopy};

TEST(MappedFileTest, HoldsTheBytesOfTheFile) {
  const testing::TemporaryDirectory directory;
  testing::WriteWhole(directory / "file", "octet");
  for (const auto& open : kBoth) {
    const auto file = open(directory / "file");
    ASSERT_TRUE(file.ok()) << file.status();
    ASSERT_EQ((*file)->bytes().size(), 5U);
    EXPECT_EQ(std::memcmp((*file)->bytes().data(), "octet", 5), 0);
  }
}

TEST(MappedFileTest, AnEmptyFileIsEmpty) {
  const testing::TemporaryDirectory directory;
  testing::WriteWhole(directory / "file", "");
  for (const auto& open : kBoth) {
    const auto file = open(directory / "file");
    ASSERT_TRUE(file.ok()) << file.status();
    EXPECT_TRUE((*file)->bytes().empty());
  }
}

TEST(MappedFileTest, WhatIsNotAFileIsRefusedWithoutWaiting) {
  const testing::TemporaryDirectory directory;
  ASSERT_EQ(mkfifo((directory / "pipe").c_str(), 0600), 0);
  for (const auto& open : kBoth) {
    EXPECT_EQ(open(directory / "none").status().code(), absl::StatusCode::kNotFound);
    EXPECT_EQ(open(directory / ".").status().code(), absl::StatusCode::kInvalidArgument);
    EXPECT_EQ(open(directory / "pipe").status().code(), absl::StatusCode::kInvalidArgument);
  }
}

TEST(MappedFileTest, ACopyIsWhatTheFileWasWhateverHappensToIt) {
  const testing::TemporaryDirectory directory;
  // Of several pages, of which the last is not full.
  const std::string text(3 * 4096 + 5, 'x');
  testing::WriteWhole(directory / "file", text);
  const auto file = MappedFile::ReadCopy(directory / "file");
  ASSERT_TRUE(file.ok()) << file.status();
  ASSERT_EQ(truncate((directory / "file").c_str(), 0), 0);
  testing::WriteWhole(directory / "file", "other");
  ASSERT_EQ((*file)->bytes().size(), text.size());
  EXPECT_EQ(std::memcmp((*file)->bytes().data(), text.data(), text.size()), 0);
}

}  // namespace
}  // namespace octet
