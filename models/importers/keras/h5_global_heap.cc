// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/h5_global_heap.h"

#include <cstdint>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

// The signature, version 1 and three reserved bytes: no weights look like that by chance.
constexpr absl::string_view kStart("GCOL\1\0\0\0", 8);
constexpr std::size_t kHeaderSize = 16;        // of a heap, with its size
constexpr std::size_t kObjectHeaderSize = 16;  // index, references, reserved, size

// Little endian, as the file and every CPU that this runs on.
template <typename T>
T NumberAt(std::span<const std::byte> bytes, std::size_t at) {
  T number = 0;
  std::memcpy(&number, bytes.data() + at, sizeof(T));
  return number;
}

absl::Status Damaged(std::size_t place, absl::string_view what) {
  return absl::InvalidArgumentError(
      absl::StrCat("weights: a damaged HDF5 file: the global heap at byte ", place, " ", what));
}

// `heap` is all of the file from `place` on.
absl::Status CheckHeap(std::span<const std::byte> heap, std::size_t place) {
  if (heap.size() < kHeaderSize) return Damaged(place, "is cut off");
  const auto size = NumberAt<std::uint64_t>(heap, 8);
  if (size < kHeaderSize || size > heap.size()) {
    return Damaged(
        place, absl::StrCat("has ", size, " bytes, and the file ", heap.size(), " from there on"));
  }
  std::uint64_t at = kHeaderSize;
  while (size - at >= kObjectHeaderSize) {
    const auto index = NumberAt<std::uint16_t>(heap, at);
    const auto bytes = NumberAt<std::uint64_t>(heap, at + 8);
    const std::uint64_t left = size - at;
    // The size of the free space, which is object 0, has its header in it.
    const bool fits = index == 0 ? bytes >= kObjectHeaderSize && bytes <= left
                                 : bytes <= left - kObjectHeaderSize;
    if (!fits) {
      return Damaged(place,
                     absl::StrCat("has an object of ", bytes, " bytes with ", left, " bytes left"));
    }
    const std::uint64_t step = index == 0 ? bytes : kObjectHeaderSize + (bytes + 7) / 8 * 8;
    if (step >= left) break;
    at += step;
  }
  return absl::OkStatus();
}

}  // namespace

absl::Status CheckGlobalHeaps(std::span<const std::byte> file) {
  const absl::string_view text(reinterpret_cast<const char*>(file.data()), file.size());
  for (std::size_t at = text.find(kStart); at != absl::string_view::npos;
       at = text.find(kStart, at + kStart.size())) {
    RETURN_IF_ERROR(CheckHeap(file.subspan(at), at));
  }
  return absl::OkStatus();
}

}  // namespace octet::keras
