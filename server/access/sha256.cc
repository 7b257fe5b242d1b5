// SPDX-License-Identifier: Apache-2.0

#include "server/access/sha256.h"

#include <memory>

#include "openssl/evp.h"

namespace octet {

std::optional<Sha256Digest> Sha256(absl::string_view text) {
  // Fetched once, and the context is the thread's own: each of both would allocate.
  static const EVP_MD* const digest = EVP_MD_fetch(nullptr, "SHA256", nullptr);
  thread_local const std::unique_ptr<EVP_MD_CTX, decltype(&EVP_MD_CTX_free)> context(
      EVP_MD_CTX_new(), &EVP_MD_CTX_free);
  Sha256Digest hash{};
  const bool is_done = digest != nullptr && context != nullptr &&
                       EVP_DigestInit_ex2(context.get(), digest, nullptr) == 1 &&
                       EVP_DigestUpdate(context.get(), text.data(), text.size()) == 1 &&
                       EVP_DigestFinal_ex(context.get(), hash.data(), nullptr) == 1;
  if (!is_done) return std::nullopt;
  return hash;
}

}  // namespace octet
