// SPDX-License-Identifier: Apache-2.0
#include "models/importers/keras/archive.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>
#include <zip.h>

#include "absl/status/status.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"

#include "models/base/status_macros.h"

namespace octet::keras {

namespace {

constexpr std::uint64_t kMaxMembers = 10000;
// A configuration is text, a few hundred KB for the largest models.
constexpr std::uint64_t kMaxJsonByteSize = std::uint64_t{64} << 20;
// Keras stores its members as they are. A file packed again by hand shrinks less than this.
constexpr std::uint64_t kMaxExpansion = 100;
constexpr std::uint64_t kExpansionAllowance = std::uint64_t{1} << 20;

struct CloseArchive {
  void operator()(zip_t* archive) const { zip_discard(archive); }
};
struct CloseMember {
  void operator()(zip_file_t* file) const { zip_fclose(file); }
};
using Archive = std::unique_ptr<zip_t, CloseArchive>;

absl::StatusOr<Archive> Open(std::span<const std::byte> bytes) {
  zip_error_t error;
  zip_error_init(&error);
  zip_source_t* const source = zip_source_buffer_create(bytes.data(), bytes.size(), 0, &error);
  zip_t* archive = nullptr;
  if (source != nullptr) {
    archive = zip_open_from_source(source, ZIP_RDONLY | ZIP_CHECKCONS, &error);
    if (archive == nullptr) zip_source_free(source);
  }
  const std::string message = archive == nullptr ? zip_error_strerror(&error) : "";
  zip_error_fini(&error);
  if (archive == nullptr) {
    return absl::InvalidArgumentError(absl::StrCat("not a .keras archive: ", message));
  }
  return Archive(archive);
}

bool ClimbsOut(absl::string_view name) {
  if (name.empty() || name.front() == '/' || absl::StrContains(name, '\\') ||
      absl::StrContains(name, '\0')) {
    return true;
  }
  const std::vector<absl::string_view> parts = absl::StrSplit(name, '/');
  return std::find(parts.begin(), parts.end(), "..") != parts.end();
}

// The members by name, their names checked.
absl::StatusOr<std::map<std::string, zip_uint64_t>> ListMembers(zip_t* archive) {
  const zip_int64_t count = zip_get_num_entries(archive, 0);
  if (count < 0 || static_cast<std::uint64_t>(count) > kMaxMembers) {
    return absl::InvalidArgumentError(
        absl::StrCat("archive: got ", count, " members, wants at most ", kMaxMembers));
  }
  std::map<std::string, zip_uint64_t> members;
  for (zip_uint64_t i = 0; i < static_cast<zip_uint64_t>(count); ++i) {
    const char* const name = zip_get_name(archive, i, ZIP_FL_ENC_RAW);
    if (name == nullptr || ClimbsOut(name)) {
      return absl::InvalidArgumentError(
          absl::StrCat("archive: member ", i, " is called \"", name == nullptr ? "" : name,
                       "\", wants a relative path inside the archive"));
    }
    if (!members.emplace(name, i).second) {
      return absl::InvalidArgumentError(
          absl::StrCat("archive: the member \"", name, "\" occurs twice"));
    }
  }
  return members;
}

// Reads one member into `Bytes`, a contiguous container of bytes.
template <typename Bytes>
absl::StatusOr<Bytes> ReadMember(zip_t* archive, const std::string& name, zip_uint64_t index,
                                 std::uint64_t max_byte_size) {
  zip_stat_t stat;
  zip_stat_init(&stat);
  constexpr zip_uint64_t kWanted = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE | ZIP_STAT_ENCRYPTION_METHOD;
  if (zip_stat_index(archive, index, 0, &stat) != 0 || (stat.valid & kWanted) != kWanted) {
    return absl::InvalidArgumentError(absl::StrCat("archive: \"", name, "\" has no valid header"));
  }
  if (stat.encryption_method != ZIP_EM_NONE) {
    return absl::UnimplementedError(absl::StrCat("archive: \"", name, "\" is encrypted"));
  }
  if (stat.size > max_byte_size) {
    return absl::ResourceExhaustedError(absl::StrCat("archive: \"", name, "\" has ", stat.size,
                                                     " bytes, wants at most ", max_byte_size));
  }
  if (stat.size > kExpansionAllowance && stat.size / kMaxExpansion > stat.comp_size) {
    return absl::ResourceExhaustedError(
        absl::StrCat("archive: \"", name, "\" grows from ", stat.comp_size, " to ", stat.size,
                     " bytes, wants at most ", kMaxExpansion, " times as many"));
  }
  const std::unique_ptr<zip_file_t, CloseMember> file(zip_fopen_index(archive, index, 0));
  if (file == nullptr) {
    return absl::InvalidArgumentError(
        absl::StrCat("archive: \"", name, "\": ", zip_strerror(archive)));
  }
  Bytes bytes(static_cast<std::size_t>(stat.size), typename Bytes::value_type{});
  std::size_t filled = 0;
  while (filled < bytes.size()) {
    const zip_int64_t got = zip_fread(file.get(), bytes.data() + filled, bytes.size() - filled);
    if (got <= 0) break;
    filled += static_cast<std::size_t>(got);
  }
  // The read that finds the end also checks the checksum.
  char beyond = 0;
  if (filled != bytes.size() || zip_fread(file.get(), &beyond, 1) != 0) {
    return absl::InvalidArgumentError(
        absl::StrCat("archive: \"", name, "\" is damaged: ", zip_file_strerror(file.get())));
  }
  return bytes;
}

}  // namespace

absl::StatusOr<KerasArchive> ReadKerasArchive(std::span<const std::byte> bytes,
                                              std::int64_t max_byte_size) {
  ASSIGN_OR_RETURN(const Archive archive, Open(bytes));
  ASSIGN_OR_RETURN(const auto members, ListMembers(archive.get()));
  const auto config = members.find("config.json");
  if (config == members.end()) {
    return absl::InvalidArgumentError(
        "archive: wants the member \"config.json\"; this is no .keras file");
  }
  const auto weights = members.find("model.weights.h5");
  if (weights == members.end()) {
    if (members.contains("model.weights.npz")) {
      return absl::UnimplementedError(
          "archive: the weights are in \"model.weights.npz\"; save the model with "
          "weights_format=\"h5\"");
    }
    return absl::InvalidArgumentError("archive: wants the member \"model.weights.h5\"");
  }
  KerasArchive result;
  const auto limit = static_cast<std::uint64_t>(std::max<std::int64_t>(max_byte_size, 0));
  const std::uint64_t json_limit = std::min(limit, kMaxJsonByteSize);
  ASSIGN_OR_RETURN(result.config_json, ReadMember<std::string>(archive.get(), config->first,
                                                               config->second, json_limit));
  if (const auto metadata = members.find("metadata.json"); metadata != members.end()) {
    ASSIGN_OR_RETURN(result.metadata_json, ReadMember<std::string>(archive.get(), metadata->first,
                                                                   metadata->second, json_limit));
  }
  ASSIGN_OR_RETURN(result.weights, ReadMember<std::vector<std::byte>>(archive.get(), weights->first,
                                                                      weights->second, limit));
  return result;
}

}  // namespace octet::keras
