// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/zip_archive.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <span>
#include <string>
#include <vector>

namespace octet {
namespace {

using ::testing::HasSubstr;

std::span<const std::byte> BytesOf(const std::string& text) {
  return std::as_bytes(std::span(text));
}

std::string Archive() {
  static const std::string a = "first";
  static const std::string b(100, 'b');
  return WriteStoredZip({{"a", BytesOf(a)}, {"b", BytesOf(b)}}).value();
}

TEST(ZipArchiveTest, WhatIsWrittenIsRead) {
  const std::string archive = Archive();
  const auto members = ReadStoredZip(BytesOf(archive));
  ASSERT_TRUE(members.ok()) << members.status();
  ASSERT_EQ(members->size(), 2U);
  EXPECT_EQ(members->at("a").size(), 5U);
  EXPECT_EQ(members->at("b").size(), 100U);
  for (const auto& [name, bytes] : *members) {
    EXPECT_EQ((bytes.data() - BytesOf(archive).data()) % 64, 0) << name;
  }
}

TEST(ZipArchiveTest, TheSameMembersGiveTheSameBytes) { EXPECT_EQ(Archive(), Archive()); }

TEST(ZipArchiveTest, AChangedByteOfDataIsDamage) {
  std::string archive = Archive();
  archive[archive.find("first")] ^= 1;
  const auto status = ReadStoredZip(BytesOf(archive)).status();
  EXPECT_EQ(status.code(), absl::StatusCode::kDataLoss);
  EXPECT_THAT(std::string(status.message()), HasSubstr("CRC-32"));
}

TEST(ZipArchiveTest, EveryShorterArchiveIsDamage) {
  const std::string archive = Archive();
  for (std::size_t size = 0; size < archive.size(); ++size) {
    const std::string shorter = archive.substr(0, size);
    EXPECT_EQ(ReadStoredZip(BytesOf(shorter)).status().code(), absl::StatusCode::kDataLoss) << size;
  }
}

TEST(ZipArchiveTest, CompressedMembersAreUnimplemented) {
  std::string archive = Archive();
  const std::size_t central = archive.find("PK\x01\x02");
  archive[central + 10] = 8;
  EXPECT_EQ(ReadStoredZip(BytesOf(archive)).status().code(), absl::StatusCode::kUnimplemented);
}

TEST(ZipArchiveTest, OneMemberTwiceIsDamage) {
  std::string archive = Archive();
  // Both headers of "b" get the name "a".
  std::size_t at = archive.find("PK\x03\x04", 1);
  archive[at + 30] = 'a';
  at = archive.find("PK\x01\x02", archive.find("PK\x01\x02") + 1);
  archive[at + 46] = 'a';
  EXPECT_THAT(std::string(ReadStoredZip(BytesOf(archive)).status().message()),
              HasSubstr("\"a\" is there twice"));
}

}  // namespace
}  // namespace octet
