// SPDX-License-Identifier: Apache-2.0
// What the tests of attention share: shapes, and a run of them.

#pragma once

#include <algorithm>
#include <cstddef>
#include <gtest/gtest.h>
#include <vector>

#include "kernels/attention.h"
#include "kernels/kernel_set.h"
#include "tests/kernels/kernel_set_test_base.h"

namespace octet::kernels {

// [positions, heads, width], as a fully connected layer makes them.
inline AttentionShape DenseAttention(std::size_t heads, std::size_t queries, std::size_t keys,
                                     std::size_t width, std::size_t value_width) {
  return {.heads = heads,
          .queries = queries,
          .keys = keys,
          .width = width,
          .value_width = value_width,
          .query_head_stride = width,
          .query_stride = heads * width,
          .key_stride = width,
          .value_stride = value_width,
          .out_head_stride = value_width,
          .out_stride = heads * value_width,
          .scale = 0.3F};
}

struct AttentionInputs {
  std::vector<float> query;
  std::vector<float> key;
  std::vector<float> value;
};

class AttentionTestBase : public KernelSetTest {
 protected:
  AttentionInputs RandomInputs(const AttentionShape& shape, float largest = 2.0F) {
    return {.query = Floats(shape.heads * shape.queries * shape.width, -largest, largest),
            .key = Floats(shape.keys * shape.width, -largest, largest),
            .value = Floats(shape.keys * shape.value_width, -largest, largest)};
  }

  // Of a dense shape.
  static std::vector<float> Run(AttentionF32 attention, AttentionF32ScratchByteSize byte_size,
                                const AttentionShape& shape, const AttentionInputs& inputs) {
    std::vector<float> out(shape.heads * shape.queries * shape.value_width, 77.0F);
    const Scratch scratch(byte_size(shape));
    attention(shape, inputs.query.data(), inputs.key.data(), inputs.value.data(), out.data(),
              scratch.span());
    return out;
  }
  static std::vector<float> RunF32(const KernelSet& set, const AttentionShape& shape,
                                   const AttentionInputs& inputs) {
    return Run(set.attention_f32, set.attention_f32_scratch_byte_size, shape, inputs);
  }

  // Expects that the queries of one run get the same bits when each `at_a_time` of each head run
  // alone.
  static void ExpectEqualHoweverSplit(AttentionF32 attention, AttentionF32ScratchByteSize byte_size,
                                      const AttentionShape& shape, const AttentionInputs& inputs,
                                      std::size_t at_a_time) {
    const std::vector<float> together = Run(attention, byte_size, shape, inputs);
    std::vector<float> apart(together.size(), 77.0F);
    for (std::size_t head = 0; head < shape.heads; ++head) {
      for (std::size_t first = 0; first < shape.queries; first += at_a_time) {
        AttentionShape part = shape;
        part.heads = 1;
        part.queries = std::min(at_a_time, shape.queries - first);
        if (part.mask.keep != nullptr) {
          part.mask.keep += head * part.mask.head_stride + first * part.mask.query_stride;
        }
        const Scratch scratch(byte_size(part));
        attention(
            part, inputs.query.data() + head * shape.query_head_stride + first * shape.query_stride,
            inputs.key.data(), inputs.value.data(),
            apart.data() + head * shape.out_head_stride + first * shape.out_stride, scratch.span());
      }
    }
    EXPECT_TRUE(SameBits(apart, together)) << at_a_time << " of " << shape.queries << " queries";
  }
};

}  // namespace octet::kernels
