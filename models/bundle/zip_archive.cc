// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/zip_archive.h"

#include <algorithm>
#include <array>
#include <cstdint>
#include <limits>

#include "absl/status/status.h"
#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"

namespace octet {

namespace {

constexpr std::uint32_t kLocalSignature = 0x04034b50;
constexpr std::uint32_t kCentralSignature = 0x02014b50;
constexpr std::uint32_t kEndSignature = 0x06054b50;
constexpr std::size_t kLocalSize = 30;
constexpr std::size_t kCentralSize = 46;
constexpr std::size_t kEndSize = 22;
constexpr std::size_t kMaxMembers = 64;
constexpr std::size_t kAlignment = 64;
constexpr std::uint16_t kDosDate = 0x0021;  // 1980-01-01
constexpr std::uint16_t kVersion = 20;
constexpr std::uint16_t kUtf8Flag = 0x0800;
// An extra field's header, and the number under which ours pads, as Android's zipalign does.
constexpr std::size_t kExtraHeaderSize = 4;
constexpr std::uint16_t kPaddingExtraId = 0xd935;

using Bytes = std::span<const std::byte>;

// Little-endian reads. Precondition: in bounds.
std::uint16_t Read16(Bytes bytes, std::size_t at) {
  return static_cast<std::uint16_t>(std::to_integer<unsigned>(bytes[at]) |
                                    std::to_integer<unsigned>(bytes[at + 1]) << 8);
}
std::uint32_t Read32(Bytes bytes, std::size_t at) {
  return static_cast<std::uint32_t>(Read16(bytes, at)) |
         static_cast<std::uint32_t>(Read16(bytes, at + 2)) << 16;
}

void Append16(std::string& out, std::uint16_t value) {
  out.push_back(static_cast<char>(value & 0xff));
  out.push_back(static_cast<char>(value >> 8));
}
void Append32(std::string& out, std::uint32_t value) {
  Append16(out, static_cast<std::uint16_t>(value & 0xffff));
  Append16(out, static_cast<std::uint16_t>(value >> 16));
}

std::uint32_t Crc32(Bytes bytes) {
  static constexpr auto kTable = [] {
    std::array<std::uint32_t, 256> table = {};
    for (std::uint32_t i = 0; i < 256; ++i) {
      std::uint32_t value = i;
      for (int bit = 0; bit < 8; ++bit) {
        value = (value & 1) != 0 ? (value >> 1) ^ 0xedb88320U : value >> 1;
      }
      table[i] = value;
    }
    return table;
  }();
  std::uint32_t crc = 0xffffffffU;
  for (const std::byte byte : bytes) {
    crc = kTable[(crc ^ std::to_integer<std::uint32_t>(byte)) & 0xff] ^ (crc >> 8);
  }
  return ~crc;
}

absl::Status Damage(absl::string_view what) {
  return absl::DataLossError(absl::StrCat("zip archive: ", what));
}

// Where the end record begins. A comment may follow it.
absl::StatusOr<std::size_t> FindEnd(Bytes bytes) {
  if (bytes.size() < kEndSize) return Damage("too short");
  const std::size_t last = bytes.size() - kEndSize;
  const std::size_t first = last > 0xffff ? last - 0xffff : 0;
  for (std::size_t at = last + 1; at-- > first;) {
    if (Read32(bytes, at) == kEndSignature && Read16(bytes, at + 20) == last - at) return at;
  }
  return Damage("no end record");
}

struct Member {
  std::string name;
  std::uint32_t crc;
  std::uint32_t size;
  std::uint32_t local;  // offset of the local header
};

// The central entry at `at`, which moves behind it.
absl::StatusOr<Member> ReadCentral(Bytes bytes, std::size_t end, std::size_t& at) {
  if (end - at < kCentralSize || Read32(bytes, at) != kCentralSignature) {
    return Damage("no central entry where one should be");
  }
  const std::size_t name_size = Read16(bytes, at + 28);
  const std::size_t size =
      kCentralSize + name_size + Read16(bytes, at + 30) + Read16(bytes, at + 32);
  if (end - at < size) return Damage("central entry beyond the directory");
  Member member;
  member.name.assign(reinterpret_cast<const char*>(&bytes[at]) + kCentralSize, name_size);
  if ((Read16(bytes, at + 8) & ~kUtf8Flag & ~0x0008) != 0) {
    return absl::UnimplementedError(
        absl::StrCat("zip member \"", absl::CHexEscape(member.name), "\": encrypted or patched"));
  }
  if (Read16(bytes, at + 10) != 0) {
    return absl::UnimplementedError(absl::StrCat("zip member \"", absl::CHexEscape(member.name),
                                                 "\" is compressed; a bundle's members are "
                                                 "stored (zip -0)"));
  }
  member.crc = Read32(bytes, at + 16);
  member.size = Read32(bytes, at + 20);
  member.local = Read32(bytes, at + 42);
  if (member.size != Read32(bytes, at + 24)) return Damage("stored member with two sizes");
  if (member.size == 0xffffffffU || member.local == 0xffffffffU) {
    return absl::UnimplementedError("zip64 archives are not supported; use a directory");
  }
  at += size;
  return member;
}

// The data of `member`; `begin` and `end` get the bytes that it and its header take.
absl::StatusOr<Bytes> ReadLocal(Bytes bytes, std::size_t directory, const Member& member,
                                std::size_t& begin, std::size_t& end) {
  const std::string name = absl::CHexEscape(member.name);
  begin = member.local;
  if (begin > directory || directory - begin < kLocalSize ||
      Read32(bytes, begin) != kLocalSignature) {
    return Damage(absl::StrCat("no header for member \"", name, "\""));
  }
  const std::size_t name_size = Read16(bytes, begin + 26);
  const std::size_t header = kLocalSize + name_size + Read16(bytes, begin + 28);
  if (directory - begin < header || directory - begin - header < member.size) {
    return Damage(absl::StrCat("member \"", name, "\" beyond the archive"));
  }
  const absl::string_view local_name(
      reinterpret_cast<const char*>(bytes.data()) + begin + kLocalSize, name_size);
  if (local_name != member.name || Read16(bytes, begin + 8) != 0) {
    return Damage(absl::StrCat("headers of member \"", name, "\" disagree"));
  }
  end = begin + header + member.size;
  const Bytes data = bytes.subspan(begin + header, member.size);
  if (Crc32(data) != member.crc) {
    return Damage(absl::StrCat("member \"", name, "\" has another CRC-32 than the archive says"));
  }
  return data;
}

}  // namespace

absl::StatusOr<std::map<std::string, Bytes>> ReadStoredZip(Bytes bytes) {
  ASSIGN_OR_RETURN(const std::size_t end_record, FindEnd(bytes));
  const std::size_t count = Read16(bytes, end_record + 10);
  if (Read16(bytes, end_record + 4) != 0 || Read16(bytes, end_record + 6) != 0 ||
      Read16(bytes, end_record + 8) != count) {
    return absl::UnimplementedError("zip archive on several disks");
  }
  if (count > kMaxMembers) {
    return absl::UnimplementedError(
        absl::StrCat("zip archive with ", count, " members; the most is ", kMaxMembers));
  }
  const std::size_t directory_size = Read32(bytes, end_record + 12);
  const std::size_t directory = Read32(bytes, end_record + 16);
  if (directory > end_record || end_record - directory != directory_size) {
    return Damage("central directory is not where the end record says");
  }
  std::map<std::string, Bytes> members;
  std::vector<std::pair<std::size_t, std::size_t>> taken;
  std::size_t at = directory;
  for (std::size_t i = 0; i < count; ++i) {
    ASSIGN_OR_RETURN(const Member member, ReadCentral(bytes, end_record, at));
    std::size_t begin = 0;
    std::size_t end = 0;
    ASSIGN_OR_RETURN(const Bytes data, ReadLocal(bytes, directory, member, begin, end));
    taken.emplace_back(begin, end);
    if (!members.emplace(member.name, data).second) {
      return Damage(absl::StrCat("member \"", absl::CHexEscape(member.name), "\" is there twice"));
    }
  }
  if (at != end_record) return Damage("central directory is longer than its entries");
  std::sort(taken.begin(), taken.end());
  for (std::size_t i = 1; i < taken.size(); ++i) {
    if (taken[i].first < taken[i - 1].second) return Damage("members overlap");
  }
  return members;
}

absl::StatusOr<std::string> WriteStoredZip(const std::vector<NamedBytes>& members) {
  if (members.size() > kMaxMembers) {
    return absl::InvalidArgumentError(
        absl::StrCat("zip archive with ", members.size(), " members; the most is ", kMaxMembers));
  }
  std::string out;
  std::string directory;
  for (const auto& member : members) {
    const std::string& name = member.first;
    const std::span<const std::byte> data = member.second;
    const std::size_t local = out.size();
    const std::size_t unpadded = local + kLocalSize + name.size() + kExtraHeaderSize;
    const std::size_t padding = (kAlignment - unpadded % kAlignment) % kAlignment;
    if (name.size() > 0xffff || data.size() >= 0xffffffffU - kAlignment - unpadded) {
      return absl::UnimplementedError(
          absl::StrCat("zip member \"", name, "\": archives of 4 GiB; use a directory"));
    }
    const auto size = static_cast<std::uint32_t>(data.size());
    const std::uint32_t crc = Crc32(data);
    const auto append_shared = [&](std::string& to, std::uint16_t extra_size) {
      Append16(to, kVersion);
      Append16(to, kUtf8Flag);
      Append16(to, 0);  // stored
      Append16(to, 0);  // midnight
      Append16(to, kDosDate);
      Append32(to, crc);
      Append32(to, size);
      Append32(to, size);
      Append16(to, static_cast<std::uint16_t>(name.size()));
      Append16(to, extra_size);
    };
    Append32(out, kLocalSignature);
    append_shared(out, static_cast<std::uint16_t>(kExtraHeaderSize + padding));
    out += name;
    Append16(out, kPaddingExtraId);
    Append16(out, static_cast<std::uint16_t>(padding));
    out.append(padding, '\0');
    out.append(reinterpret_cast<const char*>(data.data()), data.size());

    Append32(directory, kCentralSignature);
    Append16(directory, kVersion);
    append_shared(directory, 0);
    Append16(directory, 0);  // comment
    Append16(directory, 0);  // disk
    Append16(directory, 0);  // internal attributes
    Append32(directory, 0);  // external attributes
    Append32(directory, static_cast<std::uint32_t>(local));
    directory += name;
  }
  if (out.size() + directory.size() >= 0xffffffffU) {
    return absl::UnimplementedError("zip archive of 4 GiB; use a directory");
  }
  const auto directory_offset = static_cast<std::uint32_t>(out.size());
  const auto count = static_cast<std::uint16_t>(members.size());
  out += directory;
  Append32(out, kEndSignature);
  Append16(out, 0);
  Append16(out, 0);
  Append16(out, count);
  Append16(out, count);
  Append32(out, static_cast<std::uint32_t>(directory.size()));
  Append32(out, directory_offset);
  Append16(out, 0);
  return out;
}

}  // namespace octet
