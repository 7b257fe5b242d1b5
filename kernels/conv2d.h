// SPDX-License-Identifier: Apache-2.0
// Two-dimensional convolution (cross-correlation), channels last, float32, int8
// and int16.

#pragma once

#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

#include "kernels/activation.h"
#include "kernels/epilogue.h"
#include "kernels/prepared.h"
#include "kernels/quantization.h"

namespace octet::kernels {

// One image in, one image out; the number of images is given at run time.
//
//   out_height = (in_height + pad_top + pad_bottom - ((kernel_height - 1) *
//   dilation_height + 1))
//                / stride_height + 1, rounded down; the width likewise
//
// All sizes are at least 1, the effective kernel fits into the padded image,
// and padding stands for real 0: the zero point of an integer input.
struct Conv2dGeometry {
  std::size_t in_height = 1, in_width = 1, in_channels = 1;
  std::size_t kernel_height = 1, kernel_width = 1;
  std::size_t out_channels = 1;
  std::size_t stride_height = 1, stride_width = 1;
  std::size_t dilation_height = 1, dilation_width = 1;
  std::size_t pad_top = 0, pad_left = 0, pad_bottom = 0, pad_right = 0;
  std::size_t groups = 1;  // divides in_channels and out_channels

  std::size_t OutHeight() const;
  std::size_t OutWidth() const;
  std::size_t InSize() const;   // elements of one input image
  std::size_t OutSize() const;  // elements of one output image
};

// Depthwise: out_channels is in_channels * multiplier, groups is in_channels,
// and output channel c * multiplier + i comes from input channel c. The filter
// of either kind lies [kernel_height, kernel_width, in_channels / groups,
// out_channels]: Keras's depthwise [kh, kw, C, multiplier] is the same bytes,
// because in_channels / groups is 1 there. An int8 filter's values stand for
// filter - filter_zero_point[output channel]; uint8 is int8 with 128 subtracted
// from values and zero points alike.
struct Conv2dS8Spec {
  Conv2dGeometry geometry = {};
  std::span<const std::int8_t> filter = {};
  std::span<const std::int8_t> filter_zero_point = {};  // out_channels, or empty: 0
  ZeroPoint in_zero_point{0};
  Epilogue epilogue = {};                // the row of kDynamic is one image
  bool is_open = false;                  // a run says what size its images have
  std::string_view implementation = {};  // of Conv2dS8Implementations; empty: its first
};

// Int16 images times an int8 filter, both symmetric, as in matmul_s16.h.
struct Conv2dS16Spec {
  Conv2dGeometry geometry = {};
  std::span<const std::int8_t> filter = {};
  EpilogueS16 epilogue = {};
  bool is_open = false;
};

struct Conv2dF32Spec {
  Conv2dGeometry geometry = {};
  std::span<const float> filter = {};
  std::span<const float> bias = {};  // out_channels, or empty
  Activation activation = {};
  bool is_open = false;
};

// The images of a run have the size that the spec says, or, where the spec is
// open, that of a geometry which a run brings along: the spec's but for
// in_height, in_width and the four pads, and sane as said above. Then the
// spec's own size stands only for what can be prepared.

class Conv2dS8 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t num_images = 0;                // any number, 0 included
    const Conv2dGeometry* geometry = nullptr;  // null, or equal, if the spec is not open
    std::span<const std::int8_t> in = {};      // num_images * geometry.InSize()
    std::span<const float> row_scale = {};     // kDynamic: one an image; else empty
    EpilogueOutput out = {};                   // num_images * geometry.OutSize(); overlaps no input
    // Elements from one pixel of `out` to the next, out_channels or more, 0: out_channels. What
    // lies between pixels is left alone, and `out` ends with the last pixel.
    std::size_t out_pitch = 0;
    std::span<std::byte> scratch = {};  // at least ScratchByteSize(), aligned to kScratchAlignment
  };

  // Of images of any size.
  virtual std::size_t ScratchByteSize(std::size_t num_images) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

class Conv2dS16 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t num_images = 0;
    const Conv2dGeometry* geometry = nullptr;
    std::span<const std::int16_t> in = {};
    EpilogueS16Output out = {};
    std::size_t out_pitch = 0;
    std::span<std::byte> scratch = {};
  };

  virtual std::size_t ScratchByteSize(std::size_t num_images) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

class Conv2dF32 : public PreparedKernel {
 public:
  struct Arguments {
    std::size_t num_images = 0;
    const Conv2dGeometry* geometry = nullptr;
    std::span<const float> in = {};
    std::span<float> out = {};
    std::span<std::byte> scratch = {};
  };

  virtual std::size_t ScratchByteSize(std::size_t num_images) const = 0;
  virtual void Run(const Arguments& arguments) const = 0;
};

// `geometry` of a run, which is `prepared` where the run says nothing.
inline const Conv2dGeometry& RunGeometry(const Conv2dGeometry* geometry,
                                         const Conv2dGeometry& prepared) {
  return geometry == nullptr ? prepared : *geometry;
}

// `out_pitch` of a run.
inline std::size_t RunPitch(std::size_t out_pitch, const Conv2dGeometry& geometry) {
  return out_pitch == 0 ? geometry.out_channels : out_pitch;
}

// Ordinary, grouped and depthwise alike. Integer convolutions are exact on
// every instruction set, and refuse at prepare what could overflow, as
// matmul_s8.h and matmul_s16.h say. A set may refuse int16 ones, but for
// depthwise ones, where neighbouring outputs see 4 GiB of the padded image.
using PrepareConv2dS8 = Prepared<Conv2dS8> (*)(const Conv2dS8Spec& spec);
// Int8 has several ways to the same bits, as implementations.h says; float has one.
using Conv2dS8Implementations = std::vector<std::string_view> (*)(const Conv2dS8Spec& spec);
using PrepareConv2dS16 = Prepared<Conv2dS16> (*)(const Conv2dS16Spec& spec);
using PrepareConv2dF32 = Prepared<Conv2dF32> (*)(const Conv2dF32Spec& spec);

}  // namespace octet::kernels
