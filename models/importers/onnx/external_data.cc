// SPDX-License-Identifier: Apache-2.0
#include "models/importers/onnx/external_data.h"

#include <sys/stat.h>

#include "absl/status/status.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"

#include "models/base/quoted.h"
#include "models/base/status_macros.h"

namespace octet::onnx {

namespace {

// More files than any exporter writes; each stays mapped.
constexpr std::size_t kMaxFiles = 65536;

absl::Status Denied(const std::string& location, absl::string_view why) {
  return absl::PermissionDeniedError(absl::StrCat(
      "external data at ", Quoted(location), ": ", why,
      "; wants a file in the model's own folder, named by a relative path without \"..\""));
}

std::string FolderOf(const std::string& model_path) {
  const std::size_t slash = model_path.rfind('/');
  if (slash == std::string::npos) return ".";
  return slash == 0 ? "/" : model_path.substr(0, slash);
}

// A number that is not negative; `fallback` where there is none.
absl::StatusOr<std::uint64_t> Number(const std::map<std::string, std::string>& entries,
                                     const std::string& key, std::uint64_t fallback) {
  const auto found = entries.find(key);
  if (found == entries.end()) return fallback;
  std::uint64_t value = 0;
  if (absl::SimpleAtoi(found->second, &value)) return value;
  return absl::InvalidArgumentError(absl::StrCat(
      "external data: ", key, " is ", Quoted(found->second), ", wants a number of bytes"));
}

// Each part of the way, from the folder down, must be what it seems: no symbolic link, and at its
// end a regular file that has no other name elsewhere.
absl::Status CheckWay(const std::string& folder, const std::string& location) {
  std::string at = folder;
  for (const absl::string_view part : absl::StrSplit(location, '/')) {
    if (part == ".") continue;
    if (part.empty() || part == "..") {
      return Denied(location, absl::StrCat("holds ", Quoted(part)));
    }
    at = absl::StrCat(at, "/", part);
    struct stat status {};
    if (::lstat(at.c_str(), &status) != 0) {
      return absl::NotFoundError(absl::StrCat("external data at ", Quoted(location),
                                              ": there is no such file beside the model"));
    }
    if (S_ISLNK(status.st_mode)) return Denied(location, "goes over a symbolic link");
    if (S_ISREG(status.st_mode) && status.st_nlink > 1) {
      return Denied(location, "is a hard link to a file with other names");
    }
  }
  return absl::OkStatus();
}

}  // namespace

ExternalData::ExternalData(const std::string& model_path, std::int64_t max_byte_size)
    : folder_(FolderOf(model_path)), max_byte_size_(max_byte_size) {}

absl::StatusOr<std::shared_ptr<const MappedFile>> ExternalData::Open(const std::string& location) {
  const auto known = files_.find(location);
  if (known != files_.end()) return known->second;
  if (folder_.empty()) return Denied(location, "the model has no folder");
  if (location.empty()) return Denied(location, "names no file");
  if (location.front() == '/' || location.find('\\') != std::string::npos ||
      location.find('\0') != std::string::npos) {
    return Denied(location, "is absolute, or not a plain path");
  }
  if (files_.size() >= kMaxFiles) {
    return absl::ResourceExhaustedError(
        absl::StrCat("external data: more than ", kMaxFiles, " files"));
  }
  RETURN_IF_ERROR(CheckWay(folder_, location));
  ASSIGN_OR_RETURN(std::shared_ptr<const MappedFile> file,
                   MappedFile::Open(absl::StrCat(folder_, "/", location)));
  if (max_byte_size_ < 0 || file->bytes().size() > static_cast<std::size_t>(max_byte_size_)) {
    return absl::ResourceExhaustedError(absl::StrCat("external data at ", Quoted(location),
                                                     ": got ", file->bytes().size(),
                                                     " bytes, wants at most ", max_byte_size_));
  }
  files_[location] = file;
  return file;
}

absl::StatusOr<ExternalBytes> ExternalData::Read(const std::map<std::string, std::string>& entries,
                                                 std::size_t wanted) {
  const auto location = entries.find("location");
  if (location == entries.end()) {
    return absl::InvalidArgumentError("external data: names no location");
  }
  ASSIGN_OR_RETURN(const std::uint64_t offset, Number(entries, "offset", 0));
  ASSIGN_OR_RETURN(const std::uint64_t length, Number(entries, "length", wanted));
  ASSIGN_OR_RETURN(const auto file, Open(location->second));
  const std::size_t size = file->bytes().size();
  if (length != wanted || offset > size || length > size - offset) {
    return absl::InvalidArgumentError(absl::StrCat(
        "external data at ", Quoted(location->second), ": offset ", offset, " and length ", length,
        " of a file of ", size, " bytes for a tensor of ", wanted));
  }
  return ExternalBytes{file->bytes().subspan(offset, wanted), file};
}

}  // namespace octet::onnx
