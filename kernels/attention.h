// SPDX-License-Identifier: Apache-2.0
// Scaled dot-product attention.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

namespace octet::kernels {

// What a query may attend to: everything, but for keys whose byte is 0.
struct AttentionMask {
  const std::uint8_t* keep = nullptr;  // of head 0, query 0 and key 0; null: everything
  std::size_t head_stride = 0;         // in bytes, as the others; 0 where one serves all
  std::size_t query_stride = 0;
  std::size_t key_stride = 0;
};

// The heads that share one key and one value:
//
//   s[h, t, j] = scale * (sum over p of query[h, t, p] * key[j, p]), then soft_cap * tanh(s /
//                soft_cap) where soft_cap > 0
//   out[h, t]  = sum over j of softmax over j (s[h, t, j]) * value[j]
//
// A key that is masked, or, where is_causal, j > t, gets the weight 0. A query without a key gets
// the mean of all values, or 0 where zero_masked_rows. Strides are in elements; the last dimension
// of each matrix is contiguous.
struct AttentionShape {
  std::size_t heads = 1;
  std::size_t queries = 0;
  std::size_t keys = 0;         // with none, every result is 0
  std::size_t width = 0;        // of a query and a key; at least 1
  std::size_t value_width = 0;  // of a value and a result; at least 1
  std::size_t query_head_stride = 0;
  std::size_t query_stride = 0;  // from t to t + 1
  std::size_t key_stride = 0;    // from j to j + 1
  std::size_t value_stride = 0;
  std::size_t out_head_stride = 0;
  std::size_t out_stride = 0;
  float scale = 1.0F;
  float soft_cap = 0.0F;
  bool is_causal = false;
  bool zero_masked_rows = false;
  AttentionMask mask = {};
};

// The matrices overlap nowhere. Scores are in memory for a few queries and a block of keys at a
// time. Within 1e-5 of the largest value on every set; the order of summation differs between them,
// but no query's result depends on which others there are. scratch is at least
// AttentionF32ScratchByteSize(shape) bytes, aligned to kScratchAlignment: it grows with the widths,
// but neither with keys nor queries, except in the reference set.
using AttentionF32 = void (*)(const AttentionShape& shape, const float* query, const float* key,
                              const float* value, float* out, std::span<std::byte> scratch);
using AttentionF32ScratchByteSize = std::size_t (*)(const AttentionShape& shape);

// The same at less precision, and faster: queries, keys, values and weights are rounded to
// bfloat16, products are added up in float32, and the softmax is in float32.
//
// A result is within 2^-7 * (1 + a) of the largest value, where a is the largest of |scale| * (sum
// over p of |query[h, t, p] * key[j, p]|) over the keys j that the query attends to. That is for
// errors that all point one way. Of normally distributed matrices 64 wide, 16 to 2000 keys, results
// are within 2e-3 of the largest value where scores have the standard deviation 1, and within 1e-2
// where it is 4. Subnormal numbers count as 0.
struct ReducedAttention {
  std::string_view name;  // "attention_bf16"
  AttentionF32 run;
  AttentionF32ScratchByteSize scratch_byte_size;
};

}  // namespace octet::kernels
