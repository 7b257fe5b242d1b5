// SPDX-License-Identifier: Apache-2.0

#include "server/access/sha256.h"

#include <string>
#include <thread>

#include "absl/strings/escaping.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

std::string Hex(absl::string_view text) {
  const Sha256Digest digest = Sha256(text).value();
  return absl::BytesToHexString({reinterpret_cast<const char*>(digest.data()), digest.size()});
}

// FIPS 180-4's examples.
TEST(Sha256Test, IsThatOfTheStandard) {
  EXPECT_EQ(Hex(""), "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855");
  EXPECT_EQ(Hex("abc"), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
  EXPECT_EQ(Hex("abcdbcdecdefdefgefghfghighijhijkijkljklmklmnlmnomnopnopq"),
            "248d6a61d20638b8e5c026930c3e6039a33ce45964ff2167f6ecedd419db06c1");
}

TEST(Sha256Test, IsTheSameOnAnyThread) {
  std::string other;
  std::thread([&other] { other = Hex("abc"); }).join();
  EXPECT_EQ(other, Hex("abc"));
}

}  // namespace
}  // namespace octet
