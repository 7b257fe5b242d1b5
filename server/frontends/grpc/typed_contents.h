// SPDX-License-Identifier: Apache-2.0
// InferTensorContents: a tensor's elements as a repeated field of their type.

#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

#include "server/frontends/grpc/wire_format.h"

namespace octet {

// Collects the bytes of the one field that is set. Keeps views of what it is given where it can.
class TypedContents {
 public:
  // Reads one InferTensorContents; several are merged, as protobuf does.
  // Returns INVALID_ARGUMENT for malformed bytes and for elements in two fields.
  absl::Status Read(Bytes message);

  [[nodiscard]] bool empty() const { return field_ == 0; }

  // The elements as raw bytes of `data_type`: a view, or a new buffer in `buffer`.
  // Returns INVALID_ARGUMENT if the field is not the one for `data_type`, or an element is out of
  // its range; RESOURCE_EXHAUSTED for more than `max_bytes`. BYTES gives no bytes: no model takes
  // them.
  absl::StatusOr<Bytes> ToRaw(absl::string_view data_type, std::size_t max_bytes,
                              std::unique_ptr<std::byte[]>& buffer) const;

 private:
  void Append(Bytes part);

  std::uint32_t field_ = 0;        // of InferTensorContents; 0: none yet
  Bytes first_;                    // the elements' wire bytes, if they are in one part
  std::vector<std::byte> joined_;  // else
};

// The other way round: the size of the InferTensorContents that holds an answer's `raw` elements of
// `data_type`, at most ten times that of `raw`. Preconditions, here and below: the datatype is one
// that has typed contents (all of the protocol's but FP16 and BF16), and `raw` holds whole
// elements.
std::size_t TypedByteSize(absl::string_view data_type, Bytes raw);

// Appends the field `contents` of an output: number 5, an InferTensorContents.
void AppendTypedContents(absl::string_view data_type, Bytes raw, std::string& out);

}  // namespace octet
