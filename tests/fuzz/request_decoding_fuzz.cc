// SPDX-License-Identifier: Apache-2.0
// Feeds bytes to the reader of inference requests, whole and in pieces: the first byte says how
// large a piece is.

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <cstdlib>
#include <span>
#include <vector>

#include "server/frontends/grpc/tensor_codec.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  if (size == 0) return 0;
  const octet::Bytes bytes = std::as_bytes(std::span(data + 1, size - 1));
  const std::size_t piece = std::size_t{data[0]} + 1;
  std::vector<octet::Bytes> pieces;
  for (std::size_t at = 0; at < bytes.size(); at += piece) {
    pieces.push_back(bytes.subspan(at, std::min(piece, bytes.size() - at)));
  }
  constexpr std::size_t kMostTensorBytes = 1 << 16;
  const auto whole = octet::DecodeRequest({&bytes, 1}, kMostTensorBytes);
  const auto split = octet::DecodeRequest(pieces, kMostTensorBytes);
  if (whole.ok() != split.ok()) std::abort();
  if (!whole.ok()) return 0;
  for (std::size_t i = 0; i < whole->inputs.size(); ++i) {
    const octet::RequestInput& input = whole->inputs[i];
    if (!std::ranges::equal(input.data, split->inputs[i].data)) std::abort();
    if (input.memory && (!input.data.empty() || input.memory->region.empty())) std::abort();
    if (input.memory && input.memory->byte_size == 0) std::abort();
  }
  return 0;
}
