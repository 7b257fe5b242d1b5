// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/sha256.h"

#include <gtest/gtest.h>
#include <span>
#include <string>

namespace octet {
namespace {

std::string HashOf(const std::string& text) { return Sha256Hex(std::as_bytes(std::span(text))); }

// The examples of FIPS 180-4.
TEST(Sha256Test, GivesThePublishedDigests) {
  EXPECT_EQ(HashOf(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(HashOf("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

}  // namespace
}  // namespace octet
