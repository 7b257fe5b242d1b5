// SPDX-License-Identifier: Apache-2.0
#include "models/bundle/layout.h"

#include <cerrno>
#include <fcntl.h>
#include <google/protobuf/message.h>
#include <google/protobuf/util/json_util.h>
#include <unistd.h>

namespace octet {

absl::StatusOr<std::string> ToJson(const google::protobuf::Message& message) {
  google::protobuf::util::JsonPrintOptions options;
  options.add_whitespace = true;
  options.preserve_proto_field_names = true;
  std::string json;
  const auto status = google::protobuf::util::MessageToJsonString(message, &json, options);
  if (!status.ok()) {
    return absl::InvalidArgumentError(
        absl::StrCat("cannot be written as JSON: ", std::string(status.message())));
  }
  if (json.empty() || json.back() != '\n') json += '\n';
  return json;
}

absl::Status FromJson(absl::string_view file, std::span<const std::byte> json, std::size_t max_size,
                      google::protobuf::Message& message) {
  if (json.size() > max_size) {
    return absl::DataLossError(
        absl::StrCat(file, ": ", json.size(), " bytes; the most is ", max_size));
  }
  const google::protobuf::StringPiece text(reinterpret_cast<const char*>(json.data()), json.size());
  google::protobuf::util::JsonParseOptions options;
  options.ignore_unknown_fields = false;
  const auto status = google::protobuf::util::JsonStringToMessage(text, &message, options);
  if (status.ok()) return absl::OkStatus();
  return absl::DataLossError(absl::StrCat(file, ": ", std::string(status.message())));
}

absl::Status WriteWholeFile(const std::string& path, absl::string_view bytes) {
  const auto failed = [&path](int error) {
    return absl::ErrnoToStatus(error, absl::StrCat("\"", path, "\""));
  };
  const int fd = open(path.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0666);
  if (fd < 0) return failed(errno);
  while (!bytes.empty()) {
    const ssize_t written = write(fd, bytes.data(), bytes.size());
    if (written < 0 && errno == EINTR) continue;
    if (written < 0) {
      const int error = errno;
      close(fd);
      return failed(error);
    }
    bytes.remove_prefix(static_cast<std::size_t>(written));
  }
  const int synced = fsync(fd) == 0 ? 0 : errno;
  if (close(fd) != 0) return failed(errno);
  return synced == 0 ? absl::OkStatus() : failed(synced);
}

}  // namespace octet
