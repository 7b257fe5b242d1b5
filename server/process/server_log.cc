// SPDX-License-Identifier: Apache-2.0

#include "server/process/server_log.h"

#include <array>
#include <chrono>
#include <functional>
#include <string_view>
#include <utility>

#include "absl/strings/str_cat.h"
#include "spdlog/sinks/sink.h"
#include "spdlog/sinks/stdout_sinks.h"
#include "spdlog/spdlog.h"

namespace octet {
namespace {

constexpr std::array<const char*, 4> kLevelNames = {"debug", "info", "warn", "error"};

spdlog::level::level_enum ToSpdlog(LogLevel level) {
  constexpr std::array kLevels = {spdlog::level::debug, spdlog::level::info, spdlog::level::warn,
                                  spdlog::level::err};
  return kLevels[static_cast<std::size_t>(level)];
}

const char* NameOf(spdlog::level::level_enum level) {
  if (level >= spdlog::level::critical) return "critical";
  if (level >= spdlog::level::err) return "error";
  if (level >= spdlog::level::warn) return "warn";
  return level >= spdlog::level::info ? "info" : "debug";
}

std::uint64_t HashOf(absl::string_view text) {
  return std::hash<std::string_view>()(std::string_view(text.data(), text.size()));
}

}  // namespace

std::optional<LogLevel> ParseLogLevel(absl::string_view name) {
  for (std::size_t i = 0; i < kLevelNames.size(); ++i) {
    if (name == kLevelNames[i]) return static_cast<LogLevel>(i);
  }
  return std::nullopt;
}

const char* LogLevelName(LogLevel level) { return kLevelNames[static_cast<std::size_t>(level)]; }

// spdlog's way in: its own formatter is not used.
class ServerLog::SpdlogSink final : public spdlog::sinks::sink {
 public:
  explicit SpdlogSink(ServerLog& log) : log_(log) {}

  void log(const spdlog::details::log_msg& message) override {
    const absl::string_view text(message.payload.data(), message.payload.size());
    RepeatLimit::Verdict verdict = {.is_let_through = true};
    // What ends the program is always said.
    if (message.level >= spdlog::level::warn && message.level < spdlog::level::critical) {
      verdict = log_.repeats_.Ask(HashOf(text), std::chrono::steady_clock::now());
    }
    if (!verdict.is_let_through) return;
    LogLine line(log_.options_.format,
                 std::chrono::time_point_cast<std::chrono::system_clock::duration>(message.time),
                 NameOf(message.level), text);
    if (verdict.suppressed > 0) line.AddNumber("suppressed", verdict.suppressed);
    log_.sink_.Write(std::move(line).Take());
  }
  void flush() override {}
  void set_pattern(const std::string& /*pattern*/) override {}
  void set_formatter(std::unique_ptr<spdlog::formatter> /*formatter*/) override {}

 private:
  ServerLog& log_;
};

ServerLog::ServerLog(Options options)
    : options_(options),
      sink_({.fd = options.fd, .describe_dropped = [format = options.format](std::uint64_t count) {
               LogLine line(format, std::chrono::system_clock::now(), "warn",
                            "lines of the log were dropped: who reads it is too slow");
               line.AddNumber("dropped", count);
               return std::move(line).Take();
             }}) {
  auto logger =
      std::make_shared<spdlog::logger>("octet-server", std::make_shared<SpdlogSink>(*this));
  logger->set_level(ToSpdlog(options.level));
  spdlog::set_default_logger(std::move(logger));
}

// What is said afterwards, by whatever still runs, goes the simple way.
ServerLog::~ServerLog() {
  spdlog::set_default_logger(
      std::make_shared<spdlog::logger>("end", std::make_shared<spdlog::sinks::stderr_sink_mt>()));
}

void ServerLog::LogLibrary(LogLevel level, absl::string_view library, absl::string_view source,
                           absl::string_view message) {
  if (level < options_.level) return;
  // Not by its text: a stranger could make up any number of those.
  const RepeatLimit::Verdict verdict =
      repeats_.Ask(HashOf(absl::StrCat(library, " ", source)), std::chrono::steady_clock::now());
  if (!verdict.is_let_through) return;
  LogLine line(options_.format, std::chrono::system_clock::now(), LogLevelName(level),
               absl::StrCat(library, ": ", message));
  line.Add("source", source);
  if (verdict.suppressed > 0) line.AddNumber("suppressed", verdict.suppressed);
  sink_.Write(std::move(line).Take());
}

void ServerLog::LogRequest(const RequestReport& report) {
  const bool is_error = report.code != absl::StatusCode::kOk;
  const std::string code = absl::StatusCodeToString(report.code);
  RepeatLimit::Verdict verdict = {.is_let_through = true};
  if (is_error) {
    // A name that nobody knows is a stranger's, who could make up any number of kinds.
    const std::string kind =
        absl::StrCat("request ", report.is_routed ? report.model : "", " ", code);
    verdict = repeats_.Ask(HashOf(kind), std::chrono::steady_clock::now());
    if (!verdict.is_let_through) return;
  }
  LogLine line(options_.format, std::chrono::system_clock::now(), is_error ? "warn" : "info",
               "request");
  line.Add("request_id", report.request_id);
  if (!report.trace_id.empty()) line.Add("trace_id", report.trace_id);
  line.Add("method", report.method).Add("model", report.model).Add("version", report.version);
  line.Add("code", code).AddNumber("rows", static_cast<std::uint64_t>(report.times.rows));
  if (!is_error) {
    line.AddMicroseconds("queue_us", report.times.queue);
    line.AddMicroseconds("compute_us", report.times.quantize + report.times.compute);
  }
  line.AddMicroseconds("total_us", report.times.total);
  if (is_error) line.Add("error", report.error);
  if (verdict.suppressed > 0) line.AddNumber("suppressed", verdict.suppressed);
  sink_.Write(std::move(line).Take());
}

ServerLog::Counts ServerLog::counts() const {
  return {.dropped = sink_.dropped(), .suppressed = repeats_.suppressed()};
}

void LogOutcome(const LoadOutcome& outcome) {
  if (outcome.handle) {
    const ModelVersion& model = *outcome.handle;
    spdlog::info("loaded {} version {}: {} on {}, {} ms", model.name, model.version,
                 model.precision, model.kernel_set,
                 std::chrono::duration_cast<std::chrono::milliseconds>(model.load_time).count());
  } else {
    spdlog::error("{} version {} is not served: {}", outcome.name,
                  outcome.version.empty() ? "-" : outcome.version, DescribeFailure(outcome));
  }
  for (const std::string& warning : outcome.warnings) spdlog::warn("{}", warning);
}

}  // namespace octet
