// SPDX-License-Identifier: Apache-2.0
// A repository with one model that serves ("good", version 1) and one that does not ("bad").

#pragma once

#include <filesystem>
#include <memory>
#include <span>
#include <string>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "server/frontends/http/control_answers.h"
#include "server/metrics/metrics.h"
#include "server/repository/bundle_loader.h"
#include "server/repository/model_repository.h"
#include "server/repository/repository_loader.h"
#include "tests/support/small_bundle.h"

namespace octet::testing {

class ServedRooms {
 public:
  ServedRooms()
      : operators_(BuiltInOperators()),
        metrics_({.num_workers = 1, .server_version = "1.2.3"}),
        loader_({.kernel_set_name = "reference"}, operators_, *kernels::FindKernelSet("reference"),
                metrics_) {
    Bundle bundle = SmallBundle();
    bundle.self_test.reset();
    EXPECT_TRUE(WriteBundle(bundle, folder_ / "good/1").ok());
    std::filesystem::create_directories(folder_ / "bad/1");
    EXPECT_TRUE(
        RepositoryLoader({.path = folder_ / ""}, {loader_, repository_, metrics_}).LoadAll().ok());
    EXPECT_EQ(repository_.ReadyVersions().size(), 1U);
  }

  HttpRooms rooms() {
    return {repository_, metrics_, [this] { return is_ready; }, [] { return std::int64_t{3}; },
            "1.2.3"};
  }
  ModelRepository& repository() { return repository_; }
  TemporaryDirectory& folder() { return folder_; }

  bool is_ready = true;

 private:
  TemporaryDirectory folder_;
  OperatorRegistry operators_;
  Metrics metrics_;
  BundleLoader loader_;
  ModelRepository repository_;
};

}  // namespace octet::testing
