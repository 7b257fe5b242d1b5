// SPDX-License-Identifier: Apache-2.0

#include "server/frontends/http/status_page.h"

#include <chrono>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_replace.h"

#include "server/metrics/model_metrics.h"

namespace octet {
namespace {

// Colours of light and dark pages; no picture, font or script comes from anywhere.
constexpr absl::string_view kHead = R"(<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta http-equiv="refresh" content="5">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>Octet</title>
<style>
:root { color-scheme: light dark; --line: #d6dbe1; --soft: #5c6670; --good: #12703a; --bad: #b3261e;
        --page: #ffffff; --panel: #f4f6f8; --ink: #16191d; }
@media (prefers-color-scheme: dark) {
  :root { --line: #343b43; --soft: #9aa5b1; --good: #5fd08a; --bad: #ff8a80; --page: #14171a;
          --panel: #1d2126; --ink: #e8ebee; } }
body { margin: 0; background: var(--page); color: var(--ink);
       font: 15px/1.45 system-ui, -apple-system, "Segoe UI", sans-serif; }
main { max-width: 80rem; margin: 0 auto; padding: 1.5rem 1rem 3rem; }
h1 { font-size: 1.5rem; margin: 0 0 .25rem; }
h2 { font-size: 1.05rem; margin: 2rem 0 .5rem; }
p { margin: .25rem 0; color: var(--soft); }
.state { font-weight: 600; }
.good { color: var(--good); } .bad { color: var(--bad); }
.scroll { overflow-x: auto; border: 1px solid var(--line); border-radius: 6px; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .4rem .55rem; text-align: right; white-space: nowrap;
         border-bottom: 1px solid var(--line); font-variant-numeric: tabular-nums; }
tr:last-child td { border-bottom: 0; }
th { background: var(--panel); font-weight: 600; font-size: .85rem; color: var(--soft); }
th.t, td.t { text-align: left; }
td.w { white-space: normal; }
td small { color: var(--soft); }
code { white-space: nowrap; }
.note { margin-top: 1rem; }
a { color: inherit; }
</style>
</head>
<body>
<main>
)";

std::string FormatTime(std::chrono::nanoseconds duration) {
  const double microseconds = static_cast<double>(duration.count()) / 1e3;
  if (microseconds < 1000) return absl::StrFormat("%.3g us", microseconds);
  if (microseconds < 1e6) return absl::StrFormat("%.3g ms", microseconds / 1e3);
  return absl::StrFormat("%.3g s", microseconds / 1e6);
}

std::string QuantileCell(const LatencyCounts& counts, double quantile) {
  return absl::StrCat("<td>", counts.count == 0 ? "-" : FormatTime(counts.Quantile(quantile)),
                      "</td>");
}

std::string AccuracyCell(const ModelVersion& model) {
  if (model.evaluations.empty()) return "<td>-</td>";
  std::string cell = "<td>";
  for (const EvaluationFigure& evaluation : model.evaluations) {
    absl::StrAppend(&cell, cell.size() > 4 ? "<br>" : "",
                    absl::StrFormat("%.2f %%", evaluation.accuracy * 100), " <small>",
                    EscapeHtml(evaluation.dataset), ", ", evaluation.samples, "</small>");
  }
  return absl::StrCat(cell, "</td>");
}

std::string ModelRow(const ModelVersion& model) {
  const ModelStatistics statistics = model.metrics->Statistics();
  const LatencyCounts& compute = statistics.stages[static_cast<std::size_t>(Stage::kCompute)];
  const double mean_rows = statistics.num_batches == 0
                               ? 0
                               : static_cast<double>(statistics.num_batch_rows) /
                                     static_cast<double>(statistics.num_batches);
  return absl::StrCat(
      "<tr><td class=\"t\"><a href=\"/v2/models/", EscapeHtml(model.name), "/versions/",
      model.version, "\">", EscapeHtml(model.name), "</a></td><td>", model.version,
      "</td><td class=\"t\">", EscapeHtml(model.precision), "</td><td class=\"t\">",
      EscapeHtml(model.kernel_set), "</td>", AccuracyCell(model), "<td>", statistics.success.count,
      "</td><td", statistics.failure.count == 0 ? "" : " class=\"bad\"", ">",
      statistics.failure.count, "</td>", QuantileCell(statistics.total, 0.5),
      QuantileCell(statistics.total, 0.9), QuantileCell(statistics.total, 0.99),
      QuantileCell(compute, 0.5), "<td>",
      statistics.num_batches == 0 ? "-" : absl::StrFormat("%.2f", mean_rows), "</td></tr>\n");
}

std::string ModelTable(const std::vector<ModelHandle>& models) {
  if (models.empty()) return "<p>No model is served.</p>\n";
  std::string table =
      "<div class=\"scroll\"><table>\n<tr><th class=\"t\">Model</th><th>Version</th>"
      "<th class=\"t\">Precision</th><th class=\"t\">Kernels</th><th>Accuracy</th>"
      "<th>Answered</th><th>Failed</th><th>p50</th><th>p90</th><th>p99</th><th>Compute p50</th>"
      "<th>Rows a batch</th></tr>\n";
  for (const ModelHandle& model : models) absl::StrAppend(&table, ModelRow(*model));
  absl::StrAppend(&table, "</table></div>\n");
  return table;
}

std::string RefusedTable(const std::vector<IndexEntry>& index) {
  std::string rows;
  for (const IndexEntry& entry : index) {
    if (entry.state == VersionState::kReady) continue;
    absl::StrAppend(&rows, "<tr><td class=\"t\">", EscapeHtml(entry.name), "</td><td>",
                    entry.version.empty() ? "-" : entry.version, "</td><td class=\"t w\">",
                    EscapeHtml(entry.reason), "</td></tr>\n");
  }
  if (rows.empty()) return "";
  return absl::StrCat(
      "<h2 class=\"bad\">Not served</h2>\n<div class=\"scroll\"><table>\n<tr><th "
      "class=\"t\">Model</th><th>Version</th><th class=\"t\">Why, and what to do</th></tr>\n",
      rows, "</table></div>\n");
}

}  // namespace

std::string EscapeHtml(absl::string_view text) {
  return absl::StrReplaceAll(
      text, {{"&", "&amp;"}, {"<", "&lt;"}, {">", "&gt;"}, {"\"", "&quot;"}, {"'", "&#39;"}});
}

std::string StatusPage(const HttpRooms& rooms) {
  const bool is_ready = rooms.is_ready();
  return absl::StrCat(
      kHead, "<h1>Octet</h1>\n<p><span class=\"state ",
      is_ready ? "good\">ready" : "bad\">not ready", "</span>, release ",
      EscapeHtml(rooms.server_version), ", ", rooms.metrics.num_workers(), " threads, ",
      rooms.requests_in_flight(), " requests in flight</p>\n<h2>Models</h2>\n",
      ModelTable(rooms.repository.ReadyVersions()), RefusedTable(rooms.repository.Index()),
      "<p class=\"note\">Times are since the start of the server, from a request's arrival to the "
      "hand-over of "
      "its "
      "answer; compute is the model alone. Accuracy is what <code>octet evaluate --record</code> "
      "measured on the named data set.</p>\n"
      "<p><a href=\"/metrics\">Metrics for Prometheus</a>, <a href=\"/v2\">server "
      "metadata</a></p>\n"
      "</main>\n</body>\n</html>\n");
}

}  // namespace octet
