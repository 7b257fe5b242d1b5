// SPDX-License-Identifier: Apache-2.0
// Everything of a server behind its front ends, with one small network in its repository.

#pragma once

#include <cstddef>

#include "gtest/gtest.h"

#include "kernels/kernel_set.h"
#include "models/bundle/writer.h"
#include "models/operators/operators.h"
#include "server/inference/inference_service.h"
#include "server/repository/repository_loader.h"
#include "tests/support/small_bundle.h"
#include "tests/support/small_network.h"

namespace octet::testing {

// The repository holds "net" version 1 (SmallNetwork), and "broken" version 1, which cannot be
// loaded. Not started.
class ServedModels {
 public:
  explicit ServedModels(std::size_t compute_threads = 2, RequestQueue::Limits queue = {})
      : operators(BuiltInOperators()),
        metrics({.num_workers = Scheduler::NumWorkers(compute_threads), .server_version = "test"}),
        loader({.kernel_set_name = "reference"}, operators, *kernels::FindKernelSet("reference"),
               metrics),
        scheduler({.compute_threads = compute_threads, .queue = queue}, metrics),
        service(repository, scheduler, metrics) {
    EXPECT_TRUE(WriteBundle(SmallNetwork(), root / "net/1").ok());
    EXPECT_TRUE(WriteBundle(SmallNetwork(), root / "broken/1").ok());
    std::filesystem::resize_file(root / "broken/1/manifest.json", 10);
    EXPECT_TRUE(
        RepositoryLoader({.path = root / ""}, {loader, repository, metrics}).LoadAll().ok());
  }

  TemporaryDirectory root;
  OperatorRegistry operators;
  Metrics metrics;
  BundleLoader loader;
  ModelRepository repository;
  Scheduler scheduler;
  InferenceService service;
};

}  // namespace octet::testing
