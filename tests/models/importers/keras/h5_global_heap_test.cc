// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/h5_global_heap.h"

#include <cstdint>
#include <cstring>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <string>
#include <utility>
#include <vector>

namespace octet::keras {
namespace {

using ::testing::HasSubstr;

template <typename T>
void Append(std::string& bytes, T number) {
  bytes.append(reinterpret_cast<const char*>(&number), sizeof(T));
}

// A file of some bytes and a heap of 128, with objects as (index, size).
std::string FileWith(const std::vector<std::pair<std::uint16_t, std::uint64_t>>& objects,
                     std::uint64_t heap_size = 128) {
  std::string heap("GCOL\1\0\0\0", 8);
  Append(heap, heap_size);
  for (const auto& [index, size] : objects) {
    Append(heap, index);
    Append(heap, std::uint16_t{1});
    Append(heap, std::uint32_t{0});
    Append(heap, size);
    if (index != 0) heap.append((size + 7) / 8 * 8 % 128, 'x');
  }
  heap.resize(128, '\0');
  return "before" + heap;
}

std::string Message(const std::string& file) {
  const auto status = CheckGlobalHeaps(std::as_bytes(std::span(file.data(), file.size())));
  return status.ok() ? "ok" : std::string(status.message());
}

TEST(H5GlobalHeapTest, ObjectsThatLieWithinAreFine) {
  EXPECT_EQ(Message(""), "ok");
  EXPECT_EQ(Message("GCOL and other bytes"), "ok");
  EXPECT_EQ(Message(FileWith({{1, 5}, {2, 16}, {0, 56}})), "ok");
  // No room for another header: what is left is free.
  EXPECT_EQ(Message(FileWith({{1, 5}, {2, 72}})), "ok");
  EXPECT_EQ(Message(FileWith({{1, 96}})), "ok");
}

TEST(H5GlobalHeapTest, WhatWouldNeverEndIsRefused) {
  EXPECT_EQ(Message(FileWith({{1, 5}, {0, 0}})),
            "weights: a damaged HDF5 file: the global heap at byte 6 has an object of 0 bytes with "
            "88 bytes left");
  EXPECT_THAT(Message(FileWith({{0, 8}})), HasSubstr("an object of 8 bytes"));
}

TEST(H5GlobalHeapTest, WhatLeavesTheHeapIsRefused) {
  EXPECT_THAT(Message(FileWith({{1, 97}})), HasSubstr("an object of 97 bytes with 112 bytes left"));
  EXPECT_THAT(Message(FileWith({{0, 113}})), HasSubstr("an object of 113 bytes"));
  EXPECT_THAT(Message(FileWith({{7, ~std::uint64_t{0}}})), HasSubstr("has an object of"));
  EXPECT_THAT(Message(FileWith({{7, ~std::uint64_t{0} - 14}})), HasSubstr("has an object of"));
  EXPECT_THAT(Message(FileWith({}, 129)), HasSubstr("has 129 bytes, and the file 128"));
  EXPECT_THAT(Message(FileWith({}, 15)), HasSubstr("has 15 bytes"));
  EXPECT_THAT(Message(FileWith({}).substr(0, 20)), HasSubstr("is cut off"));
}

// Each of several.
TEST(H5GlobalHeapTest, ALaterHeapIsLookedAtToo) {
  EXPECT_THAT(Message(FileWith({{0, 112}}) + FileWith({{0, 0}})), HasSubstr("at byte 140"));
}

}  // namespace
}  // namespace octet::keras
