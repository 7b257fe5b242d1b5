// SPDX-License-Identifier: Apache-2.0
// `octet doctor http://HOST:PORT` and `https://HOST:PORT`.

#include <cmath>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/match.h"
#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "nlohmann/json.hpp"

#include "client/cli/doctor_checks.h"
#include "client/explanation.h"
#include "client/http_request.h"

namespace octet::cli {
namespace {

using client::AskHttp;
using client::HttpAnswer;
using Clock = std::chrono::system_clock;

// What gRPC calls a status of HTTP.
absl::StatusCode CodeOf(int status) {
  switch (status) {
    case 401:
      return absl::StatusCode::kUnauthenticated;
    case 403:
      return absl::StatusCode::kPermissionDenied;
    case 404:
      return absl::StatusCode::kNotFound;
    case 503:
      return absl::StatusCode::kUnavailable;
    default:
      return absl::StatusCode::kUnknown;
  }
}

std::string TextAt(const nlohmann::json& object, const char* key) {
  const auto found = object.find(key);
  return found != object.end() && found->is_string() ? found->get<std::string>() : "";
}

// The JSON of an answer that is 200, or its error.
absl::StatusOr<nlohmann::json> JsonOf(const absl::StatusOr<HttpAnswer>& answer) {
  if (!answer.ok()) return answer.status();
  // Without exceptions; what is no JSON is "discarded".
  nlohmann::json json = nlohmann::json::parse(answer->body, nullptr, false);
  if (answer->status != 200) {
    const std::string error = json.is_object() ? TextAt(json, "error") : "";
    return {absl::Status(CodeOf(answer->status),
                         error.empty() ? absl::StrCat("got HTTP status ", answer->status) : error)};
  }
  if (json.is_discarded()) return absl::UnknownError("its answer is no JSON");
  return json;
}

absl::StatusOr<bool> ReadinessOf(const HttpAnswer& answer) {
  if (answer.status == 200) return true;
  // Triton has 400, with nothing to say.
  if (answer.status == 503 || (answer.status == 400 && answer.body.empty())) return false;
  return JsonOf(answer).status();
}

absl::StatusOr<client::ServerMetadata> MetadataOf(const absl::StatusOr<HttpAnswer>& answer) {
  const absl::StatusOr<nlohmann::json> json = JsonOf(answer);
  if (!json.ok()) return json.status();
  if (!json->is_object()) return absl::UnknownError("its metadata is no object");
  return client::ServerMetadata{.name = TextAt(*json, "name"), .version = TextAt(*json, "version")};
}

absl::StatusOr<std::vector<client::IndexedModel>> IndexOf(
    const absl::StatusOr<HttpAnswer>& answer) {
  const absl::StatusOr<nlohmann::json> json = JsonOf(answer);
  if (!json.ok()) return json.status();
  if (!json->is_array()) return absl::UnknownError("its index is no array");
  std::vector<client::IndexedModel> models;
  for (const nlohmann::json& model : *json) {
    if (!model.is_object()) continue;
    models.push_back({.name = TextAt(model, "name"),
                      .version = TextAt(model, "version"),
                      .state = TextAt(model, "state"),
                      .reason = TextAt(model, "reason")});
  }
  return models;
}

// `asked` and `answered`: this machine's time around the request.
void CheckClockOf(const HttpAnswer& answer, Clock::time_point asked, Clock::time_point answered,
                  Findings& findings) {
  const std::optional<Clock::time_point> date = answer.Date();
  if (!date) return;
  // A field Date is cut to the second, and was written at any time between.
  constexpr std::chrono::seconds kMuch{5};
  const auto to_seconds = [](auto span) {
    return std::chrono::duration_cast<std::chrono::seconds>(span).count();
  };
  if (*date < asked - kMuch || *date > answered + kMuch) {
    const auto off = to_seconds(*date - answered);
    findings.Warn(
        "server.clock",
        absl::StrCat("its clock is ", std::abs(off), " s ", off < 0 ? "behind" : "ahead of",
                     " this machine's: certificates may count as expired or not yet "
                     "valid, and logs and traces do not fit together"),
        "run chrony or systemd-timesyncd on both machines");
  } else {
    findings.Ok("server.clock", "its clock and this machine's agree");
  }
}

// A metric without labels.
std::optional<double> Metric(const std::string& text, absl::string_view name) {
  for (const absl::string_view line : absl::StrSplit(text, '\n')) {
    const std::pair<absl::string_view, absl::string_view> words =
        absl::StrSplit(line, absl::MaxSplits(' ', 1));
    double value = 0;
    if (words.first == name && absl::SimpleAtod(words.second, &value)) return value;
  }
  return std::nullopt;
}

void CheckMemoryOf(const absl::StatusOr<HttpAnswer>& answer, Findings& findings) {
  if (!answer.ok() || answer->status != 200) return;
  const auto used = Metric(answer->body, "process_resident_memory_bytes");
  const auto limit = Metric(answer->body, "octet_memory_limit_bytes");
  if (!used || !limit || *limit <= 0) return;
  const double share = *used / *limit;
  constexpr double kMebibyte = 1 << 20;
  const std::string is =
      absl::StrCat("it holds ", std::llround(*used / kMebibyte), " MiB of the ",
                   std::llround(*limit / kMebibyte), " MiB that its container may");
  // A version that takes another's place is in memory beside it for a while.
  constexpr double kMuch = 0.8;
  if (share > kMuch) {
    findings.Warn("server.memory", absl::StrCat(is, ": loading a model may end it"),
                  "raise the memory limit, or serve fewer models or versions");
  } else {
    findings.Ok("server.memory", is);
  }
}

// Whether HTTP makes sense there; without TLS.
bool CheckPlain(const ServerToCheck& server, const absl::StatusOr<HttpAnswer>& answer,
                Findings& findings) {
  // A server of TLS may say so in plain text.
  if (answer.ok() && answer->status != 400) {
    findings.Ok("server.connection", "it takes connections, and speaks HTTP without TLS");
    return true;
  }
  const auto has_tls = client::SpeaksTls(server.address, server.timeout);
  if (has_tls.ok() && *has_tls) {
    findings.Fail("server.tls", "it wants TLS, and this asks without",
                  "ask https://, with --tls-ca FILE unless the system trusts its issuer");
  } else if (answer.ok() || absl::IsInvalidArgument(answer.status())) {
    findings.Fail("server.protocol", "what listens there does not speak HTTP/1",
                  "ask the HTTP port, 8000 unless --http-address says otherwise; gRPC is asked as "
                  "HOST:PORT, without http://");
  } else {
    findings.Fail("server.connection", std::string(answer.status().message()),
                  ConnectAdvice(answer.status()));
  }
  return false;
}

}  // namespace

void CheckHttpServer(const ServerToCheck& server, Findings& findings) {
  const client::Credentials* const credentials = server.credentials.get();
  const auto ask = [&](absl::string_view method, absl::string_view path) {
    return AskHttp(server.address, credentials, method, path, server.timeout);
  };
  const bool has_tls = credentials->has_tls();
  if (has_tls && !CheckTls(server, client::TlsUse::kHttp, findings)) return;
  const Clock::time_point asked = Clock::now();
  const absl::StatusOr<HttpAnswer> ready = ask("GET", "/v2/health/ready");
  const Clock::time_point answered = Clock::now();
  if (!has_tls && !CheckPlain(server, ready, findings)) return;
  CheckReadiness(ready.ok() ? ReadinessOf(*ready) : absl::StatusOr<bool>(ready.status()), findings);
  CheckReleaseOf(MetadataOf(ask("GET", "/v2")), findings);
  CheckIndex(IndexOf(ask("POST", "/v2/repository/index")), findings);
  if (ready.ok()) CheckClockOf(*ready, asked, answered, findings);
  CheckMemoryOf(ask("GET", "/metrics"), findings);
}

}  // namespace octet::cli
