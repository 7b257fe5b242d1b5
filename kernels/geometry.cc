// SPDX-License-Identifier: Apache-2.0
// The sizes of convolutions and poolings.
#include <cstddef>

#include "kernels/conv2d.h"
#include "kernels/pooling.h"

namespace octet::kernels {
namespace {

std::size_t OutLength(std::size_t padded, std::size_t effective_kernel, std::size_t stride) {
  return (padded - effective_kernel) / stride + 1;
}

}  // namespace

std::size_t Conv2dGeometry::OutHeight() const {
  return OutLength(in_height + pad_top + pad_bottom, (kernel_height - 1) * dilation_height + 1,
                   stride_height);
}

std::size_t Conv2dGeometry::OutWidth() const {
  return OutLength(in_width + pad_left + pad_right, (kernel_width - 1) * dilation_width + 1,
                   stride_width);
}

std::size_t Conv2dGeometry::InSize() const { return in_height * in_width * in_channels; }

std::size_t Conv2dGeometry::OutSize() const { return OutHeight() * OutWidth() * out_channels; }

std::size_t Pool2dGeometry::OutHeight() const {
  return OutLength(in_height + pad_top + pad_bottom, pool_height, stride_height);
}

std::size_t Pool2dGeometry::OutWidth() const {
  return OutLength(in_width + pad_left + pad_right, pool_width, stride_width);
}

std::size_t Pool2dGeometry::InSize() const { return in_height * in_width * channels; }

std::size_t Pool2dGeometry::OutSize() const { return OutHeight() * OutWidth() * channels; }

}  // namespace octet::kernels
