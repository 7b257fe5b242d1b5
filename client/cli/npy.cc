// SPDX-License-Identifier: Apache-2.0
#include "client/cli/npy.h"

#include <algorithm>
#include <array>
#include <cctype>
#include <cerrno>
#include <cstdint>
#include <fstream>
#include <optional>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"

namespace octet::cli {
namespace {

constexpr absl::string_view kMagic("\x93NUMPY", 6);
constexpr std::size_t kMaxHeaderBytes = 1 << 20;

struct TypeName {
  DataType type;
  absl::string_view descr;
};
constexpr std::array kTypeNames = {
    TypeName{DataType::kBool, "|b1"},    TypeName{DataType::kInt8, "|i1"},
    TypeName{DataType::kUint8, "|u1"},   TypeName{DataType::kInt16, "<i2"},
    TypeName{DataType::kUint16, "<u2"},  TypeName{DataType::kInt32, "<i4"},
    TypeName{DataType::kUint32, "<u4"},  TypeName{DataType::kInt64, "<i8"},
    TypeName{DataType::kUint64, "<u8"},  TypeName{DataType::kFloat16, "<f2"},
    TypeName{DataType::kFloat32, "<f4"}, TypeName{DataType::kFloat64, "<f8"}};

// The text of `key`'s value in the header, a Python dict literal; up to the next ", '" or "}".
std::optional<absl::string_view> HeaderValue(absl::string_view header, absl::string_view key) {
  const std::size_t at = header.find(absl::StrCat("'", key, "':"));
  if (at == absl::string_view::npos) return std::nullopt;
  absl::string_view rest = header.substr(at + key.size() + 3);
  rest = absl::StripLeadingAsciiWhitespace(rest);
  std::size_t end = 0;
  if (!rest.empty() && rest.front() == '(') {
    end = rest.find(')');
    return end == absl::string_view::npos ? std::nullopt
                                          : std::make_optional(rest.substr(0, end + 1));
  }
  if (!rest.empty() && rest.front() == '\'') {
    end = rest.find('\'', 1);
    return end == absl::string_view::npos ? std::nullopt
                                          : std::make_optional(rest.substr(1, end - 1));
  }
  end = rest.find_first_of(",}");
  return absl::StripAsciiWhitespace(rest.substr(0, end));
}

absl::StatusOr<Dims> ParseShape(absl::string_view text) {
  Dims dims;
  for (absl::string_view part : absl::StrSplit(text.substr(1, text.size() - 2), ',')) {
    part = absl::StripAsciiWhitespace(part);
    if (part.empty()) continue;
    std::int64_t dim = 0;
    if (!absl::SimpleAtoi(part, &dim) || dim < 0) {
      return absl::InvalidArgumentError(absl::StrCat("shape ", text, " is no tuple of sizes"));
    }
    dims.push_back(dim);
  }
  return dims;
}

struct Header {
  DataType type = DataType::kFloat32;
  Dims dims;
};

absl::StatusOr<Header> ParseHeader(absl::string_view text) {
  const auto descr = HeaderValue(text, "descr");
  const auto order = HeaderValue(text, "fortran_order");
  const auto shape = HeaderValue(text, "shape");
  if (!descr || !order || !shape || shape->empty() || shape->front() != '(') {
    return absl::InvalidArgumentError("its header lacks descr, fortran_order or shape");
  }
  if (*order != "False") {
    return absl::InvalidArgumentError("it is in Fortran order; save it with np.ascontiguousarray");
  }
  const auto* const known =
      std::find_if(kTypeNames.begin(), kTypeNames.end(),
                   [&](const TypeName& name) { return name.descr == *descr; });
  if (known == kTypeNames.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("got dtype \"", *descr, "\", wants a little-endian number: ",
                     absl::StrJoin(kTypeNames, " ", [](std::string* out, const TypeName& name) {
                       absl::StrAppend(out, name.descr);
                     })));
  }
  ASSIGN_OR_RETURN(Dims dims, ParseShape(*shape));
  RETURN_IF_ERROR(CheckedNumElements(dims).status());
  return Header{.type = known->type, .dims = std::move(dims)};
}

absl::StatusOr<Tensor> ReadFrom(std::ifstream& file, std::size_t file_size) {
  std::array<char, 12> start{};
  file.read(start.data(), 10);
  if (!file || absl::string_view(start.data(), 6) != kMagic) {
    return absl::InvalidArgumentError("it does not start as an .npy file does");
  }
  if (const int version = static_cast<unsigned char>(start[6]); version < 1 || version > 3) {
    return absl::InvalidArgumentError(
        absl::StrCat("it is of version ", version, ", wants 1, 2 or 3"));
  }
  std::size_t header_size = static_cast<unsigned char>(start[8]) |
                            static_cast<std::size_t>(static_cast<unsigned char>(start[9])) << 8;
  if (start[6] >= 2) {  // versions 2 and 3 have a length of four bytes
    file.read(start.data() + 10, 2);
    header_size |= static_cast<std::size_t>(static_cast<unsigned char>(start[10])) << 16 |
                   static_cast<std::size_t>(static_cast<unsigned char>(start[11])) << 24;
  }
  if (!file || header_size > std::min(kMaxHeaderBytes, file_size)) {
    return absl::InvalidArgumentError("its header ends beyond the file");
  }
  std::string text(header_size, '\0');
  file.read(text.data(), static_cast<std::streamsize>(header_size));
  if (!file) return absl::InvalidArgumentError("its header ends beyond the file");
  ASSIGN_OR_RETURN(Header header, ParseHeader(text));
  const std::size_t wanted = ByteSize(header.type, header.dims);
  const std::size_t found = file_size - static_cast<std::size_t>(file.tellg());
  if (found != wanted) {
    return absl::InvalidArgumentError(absl::StrCat("shape ", ToString(header.dims), " of ",
                                                   DataTypeName(header.type), " wants ", wanted,
                                                   " bytes of data, got ", found));
  }
  Tensor tensor(header.type, header.dims);
  file.read(reinterpret_cast<char*>(tensor.bytes().data()), static_cast<std::streamsize>(wanted));
  if (!file) return absl::InvalidArgumentError("it could not be read to its end");
  return tensor;
}

// Why a stream failed: the last system call's reason. Never OK.
absl::Status LastError(absl::string_view what) {
  return absl::ErrnoToStatus(errno == 0 ? EIO : errno, what);
}

}  // namespace

absl::StatusOr<Tensor> ReadNpy(const std::string& path) {
  std::ifstream file(path, std::ios::binary | std::ios::ate);
  if (!file) return LastError(absl::StrCat("\"", path, "\""));
  const std::streamoff size = file.tellg();
  file.seekg(0);
  absl::StatusOr<Tensor> tensor = size < 0 ? absl::InvalidArgumentError("it is no regular file")
                                           : ReadFrom(file, static_cast<std::size_t>(size));
  if (tensor.ok()) return tensor;
  return absl::Status(tensor.status().code(),
                      absl::StrCat("\"", path, "\": ", tensor.status().message()));
}

absl::Status WriteNpy(const std::string& path, TensorView tensor) {
  const auto* const known =
      std::find_if(kTypeNames.begin(), kTypeNames.end(),
                   [&](const TypeName& name) { return name.type == tensor.data_type; });
  if (known == kTypeNames.end()) {
    return absl::InvalidArgumentError(
        absl::StrCat("\"", path, "\": NumPy has no type for ", DataTypeName(tensor.data_type)));
  }
  const std::string comma = tensor.dims.size() == 1 ? "," : "";
  std::string header =
      absl::StrCat("{'descr': '", known->descr, "', 'fortran_order': False, 'shape': (",
                   absl::StrJoin(tensor.dims, ", "), comma, "), }");
  constexpr std::size_t kAlignment = 64;
  const std::size_t unpadded = kMagic.size() + 4 + header.size() + 1;
  header.append((kAlignment - unpadded % kAlignment) % kAlignment, ' ');
  header += '\n';
  std::ofstream file(path, std::ios::binary);
  file << kMagic << '\x01' << '\0' << static_cast<char>(header.size() & 0xFF)
       << static_cast<char>(header.size() >> 8) << header;
  file.write(tensor.as<char>(),
             static_cast<std::streamsize>(ByteSize(tensor.data_type, tensor.dims)));
  file.close();
  if (!file) return LastError(absl::StrCat("\"", path, "\" cannot be written"));
  return absl::OkStatus();
}

}  // namespace octet::cli
