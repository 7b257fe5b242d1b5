// SPDX-License-Identifier: Apache-2.0

#include "server/metrics/metrics.h"

#include <chrono>
#include <string>

#include "absl/strings/str_cat.h"
#include "gmock/gmock.h"
#include "gtest/gtest.h"

#include "models/base/memory_limit.h"
#include "server/metrics/metric_list.h"

namespace octet {
namespace {

using std::chrono_literals::operator""us;
using testing::HasSubstr;
using testing::Not;

Metrics::Options TwoWorkers() { return {.num_workers = 2, .server_version = "1.2.3"}; }

TEST(MetricsTest, EveryMetricIsInAScrapeOfAServedEvaluatedModel) {
  Metrics metrics(TwoWorkers());
  const auto model = metrics.AddModel(
      {"digits", "1", "fp32"},
      {.kernel_set = "avx2", .digest = "abc", .evaluations = {{"digits", 360, 0.98}}});
  metrics.SetAccessSource([] {
    return AccessFigures{.refusals = {{"grpc", 3, 2}},
                         .failed_handshakes = {{"grpc", 7}},
                         .connections = {{"http", 5, 6}},
                         .http_buffered_bytes = 8,
                         .limits = {{"http.max_connections", 256}},
                         .reloads = {{"certificates", 1, 4}},
                         .certificate_not_after = 2e9};
  });
  const std::string text = metrics.Scrape();
  for (const MetricDescription& metric : AllMetrics()) {
    // This machine's business.
    if (metric.id == MetricId::kMemoryLimit && !ReadMemoryLimit()) continue;
    EXPECT_THAT(text, HasSubstr(absl::StrCat("# TYPE ", metric.name, " ",
                                             MetricTypeName(metric.type), "\n")));
  }
  EXPECT_THAT(text, HasSubstr("octet_model_accuracy_ratio{model=\"digits\",version=\"1\","
                              "precision=\"fp32\",dataset=\"digits\"} 0.98\n"));
  EXPECT_THAT(text, HasSubstr("octet_models_loaded 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_access_refusals_total{listener=\"grpc\","
                              "code=\"UNAUTHENTICATED\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("octet_credential_reloads_total{files=\"certificates\","
                              "outcome=\"refused\"} 4\n"));
  EXPECT_THAT(text, HasSubstr("octet_tls_handshake_failures_total{listener=\"grpc\"} 7\n"));
  EXPECT_THAT(text, HasSubstr("octet_http_connections{listener=\"http\"} 5\n"));
  EXPECT_THAT(text, HasSubstr("octet_http_refused_connections_total{listener=\"http\"} 6\n"));
  EXPECT_THAT(text, HasSubstr("octet_http_buffered_bytes 8\n"));
  EXPECT_THAT(text, HasSubstr("octet_limit{limit=\"http.max_connections\"} 256\n"));
  EXPECT_THAT(text, HasSubstr("octet_tls_certificate_not_after_seconds 2000000000\n"));
  EXPECT_THAT(text, HasSubstr("octet_build_info{version=\"1.2.3\"} 1\n"));
}

TEST(MetricsTest, RecordedRequestsShowAtTheNextScrape) {
  Metrics metrics(TwoWorkers());
  const auto model = metrics.AddModel({"digits", "1", "fp32"}, {});
  model->RecordSuccess(0, {.total = 20us, .rows = 3});
  model->RecordFailure(1, absl::StatusCode::kDataLoss, 1us);
  model->RecordBatch(0, {.rows = 3, .helped_parts = 2});
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("octet_rows_total{model=\"digits\",version=\"1\","
                              "precision=\"fp32\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("precision=\"fp32\",code=\"DATA_LOSS\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_split_batches_total{model=\"digits\",version=\"1\","
                              "precision=\"fp32\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_helped_parts_total{model=\"digits\",version=\"1\","
                              "precision=\"fp32\"} 2\n"));
}

TEST(MetricsTest, ModelDisappearsWithItsLastHandle) {
  Metrics metrics(TwoWorkers());
  auto model = metrics.AddModel({"digits", "1", "fp32"}, {});
  model.reset();
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("octet_models_loaded 0\n"));
  EXPECT_THAT(text, Not(HasSubstr("digits")));
}

TEST(MetricsTest, LoadFailuresAreCountedByStep) {
  Metrics metrics(TwoWorkers());
  EXPECT_THAT(metrics.Scrape(),
              HasSubstr("octet_model_load_failures_total{reason=\"self_test\"} 0\n"));
  metrics.RecordLoadFailure("bad", "3", LoadStep::kSelfTest);
  metrics.RecordLoadFailure("bad", "3", LoadStep::kRead);
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("octet_model_load_failures_total{reason=\"self_test\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_model_load_failures_total{reason=\"read\"} 1\n"));
  const char* const refused = "octet_model_ready{model=\"bad\",version=\"3\",precision=\"\"} 0\n";
  EXPECT_THAT(text, HasSubstr(refused));
  // What is gone is no alert any more; what was counted stays counted.
  metrics.ForgetLoadFailure("bad", "3");
  EXPECT_THAT(metrics.Scrape(), Not(HasSubstr(refused)));
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_model_load_failures_total{reason=\"read\"} 1\n"));
}

TEST(MetricsTest, BatchesTellHowFullTheyAreAndWhyTheyWent) {
  Metrics metrics(TwoWorkers());
  const auto model = metrics.AddModel({"m", "1", "fp32"}, {});
  model->SetBatchLimit(16);
  model->RecordBatch(0, {.rows = 1, .max_rows = 16});
  model->RecordBatch(1, {.rows = 16, .max_rows = 16, .reason = DispatchReason::kFull});
  model->RecordBatch(1, {.rows = 40, .max_rows = 16, .reason = DispatchReason::kPreferred});
  const std::string text = metrics.Scrape();
  const std::string labels = "model=\"m\",version=\"1\",precision=\"fp32\"";
  EXPECT_THAT(text, HasSubstr("octet_batch_limit_rows{" + labels + "} 16\n"));
  EXPECT_THAT(text,
              HasSubstr("octet_batch_fullness_ratio_bucket{" + labels + ",le=\"0.125\"} 1\n"));
  EXPECT_THAT(text,
              HasSubstr("octet_batch_fullness_ratio_bucket{" + labels + ",le=\"0.875\"} 1\n"));
  EXPECT_THAT(text, HasSubstr("octet_batch_fullness_ratio_bucket{" + labels + ",le=\"1\"} 3\n"));
  EXPECT_THAT(text, HasSubstr("octet_batch_fullness_ratio_sum{" + labels + "} 2.0625\n"));
  EXPECT_THAT(text, HasSubstr("octet_batches_total{" + labels + ",reason=\"preferred\"} 1\n"));
}

TEST(MetricsTest, UnroutedFailuresHaveNoModel) {
  Metrics metrics(TwoWorkers());
  metrics.RecordUnroutedFailure(0, absl::StatusCode::kNotFound);
  metrics.RecordUnroutedFailure(1, absl::StatusCode::kNotFound);
  EXPECT_THAT(metrics.Scrape(),
              HasSubstr("octet_request_failures_total{model=\"\",version=\"\",precision=\"\","
                        "code=\"NOT_FOUND\"} 2\n"));
}

TEST(MetricsTest, SourcesAreAskedAtEachScrape) {
  Metrics metrics(TwoWorkers());
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_ready 0\n"));
  bool is_ready = true;
  metrics.SetSources({[&is_ready] { return is_ready; }, [] { return std::int64_t{5}; }});
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_ready 1\n"));
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_requests_in_flight 5\n"));
  is_ready = false;
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_ready 0\n"));
}

TEST(MetricsTest, TuningFiguresAreThoseSaidLast) {
  Metrics metrics(TwoWorkers());
  EXPECT_THAT(metrics.Scrape(), HasSubstr("octet_tuning_measured_layers_total 0\n"));
  metrics.SetTuningFigures({.pending_layers = 9});
  metrics.SetTuningFigures({.pending_layers = 4,
                            .measured_layers = 5,
                            .recompiled_versions = 1,
                            .time = std::chrono::milliseconds(2500)});
  const std::string text = metrics.Scrape();
  EXPECT_THAT(text, HasSubstr("octet_tuning_pending_layers 4\n"));
  EXPECT_THAT(text, HasSubstr("octet_tuning_measured_layers_total 5\n"));
  EXPECT_THAT(text, HasSubstr("octet_tuning_seconds_total 2.5\n"));
  EXPECT_THAT(text, HasSubstr("octet_tuning_recompiled_versions_total 1\n"));
}

}  // namespace
}  // namespace octet
