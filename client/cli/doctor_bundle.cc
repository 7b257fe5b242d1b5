// SPDX-License-Identifier: Apache-2.0
// `octet doctor BUNDLE`.

#include <cstdint>
#include <cstdlib>
#include <map>
#include <memory>
#include <optional>
#include <string>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"

#include "client/cli/doctor_checks.h"
#include "client/cli/local_model.h"
#include "kernels/kernel_set.h"
#include "models/base/memory_limit.h"
#include "models/bundle/reader.h"

namespace octet::cli {
namespace {

std::string AdviceFor(absl::StatusCode code) {
  switch (code) {
    case absl::StatusCode::kNotFound:
      return "name a bundle's folder (<model>/<version>) or its .octet file";
    case absl::StatusCode::kDataLoss:
      return "it is damaged, or not wholly copied: copy it again from where it was made, or make "
             "it "
             "again with octet import and octet quantize";
    case absl::StatusCode::kInvalidArgument:
      return "its parts contradict each other: make it again with octet import and octet quantize";
    case absl::StatusCode::kUnimplemented:
      return "it was made by a newer release: update octet and octet-server here";
    case absl::StatusCode::kResourceExhausted:
      return "it wants more memory than there is room for: serve it on a larger machine";
    default:
      return "see docs/errors.md";
  }
}

std::size_t WeightBytes(const Bundle& bundle) {
  std::size_t bytes = 0;
  for (const Layer& layer : bundle.layers) {
    for (const LayerVariable& variable : layer.variables) bytes += variable.tensor.bytes().size();
  }
  return bytes;
}

void CheckCompiled(LocalModel& model, Findings& findings) {
  const Executable& executable = *model.executable();
  std::map<std::string, int> by_kernel;
  for (const StepDescription& step : executable.steps()) ++by_kernel[step.kernel];
  findings.Ok("bundle.kernels",
              absl::StrCat("kernel set ", std::string(executable.kernel_set().name), ": ",
                           absl::StrJoin(by_kernel, ", ", [](std::string* out, const auto& entry) {
                             absl::StrAppend(out, entry.second, "x ", entry.first);
                           })));
  findings.Ok("bundle.memory",
              absl::StrCat("weights ", WeightBytes(model.bundle()) >> 10, " KiB in the bundle, ",
                           executable.packed_byte_size() >> 10,
                           " KiB as the kernels want them, once for all workers"));
  const absl::Status self_test = model.RunSelfTest();
  if (!model.bundle().self_test) {
    findings.Warn("bundle.self_test",
                  "it has no self-test: nobody notices where it computes something else than what "
                  "it was made from",
                  "make it again with octet import, which adds one");
  } else if (self_test.ok()) {
    findings.Ok("bundle.self_test", "the self-test passes on these kernels");
  } else {
    findings.Fail("bundle.self_test",
                  absl::StrCat("the self-test fails, a server refuses it: ",
                               std::string(self_test.message())),
                  "try OCTET_KERNEL_SET=reference: if it passes there, these kernels are wrong, "
                  "which is a defect to report; if not, make the bundle again");
  }
}

// A server holds the bundle's bytes while it compiles, and an old version beside the new one.
void CheckFits(LocalModel& model, const std::string& root, Findings& findings) {
  const std::optional<std::uint64_t> limit = ReadMemoryLimit(root);
  if (!limit) return;
  const std::uint64_t wants = WeightBytes(model.bundle()) + model.executable()->packed_byte_size();
  const std::string is = absl::StrCat("loading it takes about ", wants >> 20,
                                      " MiB, this container ", "may have ", *limit >> 20, " MiB");
  if (wants > *limit / 2) {
    findings.Warn(
        "bundle.memory_limit",
        absl::StrCat(is, ": two versions of it, one taking the other's place, do not fit"),
        "raise the memory limit, or serve it in a lower precision");
  } else {
    findings.Ok("bundle.memory_limit", is);
  }
}

}  // namespace

void CheckBundle(const std::string& path, const std::string& root, Findings& findings) {
  {
    const absl::StatusOr<Bundle> bundle = ReadBundle(path);
    if (!bundle.ok()) {
      findings.Fail("bundle.read", std::string(bundle.status().message()),
                    AdviceFor(bundle.status().code()));
      return;
    }
    findings.Ok("bundle.read", absl::StrCat("sizes and checksums fit; ", bundle->precision,
                                            ", from ", bundle->source.framework, " ",
                                            bundle->source.version, ", digest ", bundle->digest));
  }
  // NOLINTNEXTLINE(concurrency-mt-unsafe): nothing sets the environment
  const char* const forced = std::getenv("OCTET_KERNEL_SET");
  const auto model = LocalModel::LoadUntested(path, forced == nullptr ? "" : forced);
  if (!model.ok()) {
    findings.Fail("bundle.compile", std::string(model.status().message()),
                  AdviceFor(model.status().code()));
    return;
  }
  CheckCompiled(**model, findings);
  CheckFits(**model, root, findings);
}

}  // namespace octet::cli
