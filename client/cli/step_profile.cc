// SPDX-License-Identifier: Apache-2.0
#include "client/cli/step_profile.h"

#include <algorithm>
#include <functional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

#include "client/cli/table.h"

namespace octet::cli {
namespace {

// 0 where nothing took any time, as a coarse clock may say.
double Percent(double us, double all_us) { return all_us > 0 ? 100 * us / all_us : 0; }

std::vector<StepKindTime> Kinds(const std::vector<StepTime>& steps, double steps_us) {
  std::vector<StepKindTime> kinds;
  for (const StepTime& step : steps) {
    auto kind = std::ranges::find(kinds, step.op, &StepKindTime::op);
    if (kind == kinds.end()) kind = kinds.insert(kind, {.op = step.op});
    ++kind->num_steps;
    kind->us += step.median_us;
  }
  for (StepKindTime& kind : kinds) kind.percent = Percent(kind.us, steps_us);
  std::ranges::stable_sort(kinds, std::greater(), &StepKindTime::us);
  return kinds;
}

}  // namespace

StepProfile MakeStepProfile(ModelTimes times) {
  StepProfile profile{.median_us = times.median_us, .steps = std::move(times.steps)};
  for (const StepTime& step : profile.steps) profile.steps_us += step.median_us;
  profile.kinds = Kinds(profile.steps, profile.steps_us);
  std::ranges::stable_sort(profile.steps, std::greater(), &StepTime::median_us);
  return profile;
}

nlohmann::ordered_json StepProfileJson(const StepProfile& profile) {
  auto kinds = nlohmann::ordered_json::array();
  for (const StepKindTime& kind : profile.kinds) {
    kinds.push_back({{"operator", kind.op},
                     {"steps", kind.num_steps},
                     {"us", kind.us},
                     {"percent", kind.percent}});
  }
  auto steps = nlohmann::ordered_json::array();
  for (const StepTime& step : profile.steps) {
    steps.push_back({{"node", step.node},
                     {"operator", step.op},
                     {"kernel", step.kernel},
                     {"us", step.median_us},
                     {"percent", Percent(step.median_us, profile.steps_us)}});
  }
  return {{"kernel_set", profile.kernel_set}, {"batch", profile.batch},
          {"median_us", profile.median_us},   {"steps_us", profile.steps_us},
          {"kinds", std::move(kinds)},        {"steps", std::move(steps)}};
}

std::string StepProfileText(const StepProfile& profile) {
  Table kinds({"operator", "steps", "us", "%"});
  for (const StepKindTime& kind : profile.kinds) {
    kinds.AddRow({kind.op, absl::StrCat(kind.num_steps), absl::StrFormat("%.2f", kind.us),
                  absl::StrFormat("%.1f", kind.percent)});
  }
  Table steps({"step", "operator", "kernel", "us", "%"});
  for (const StepTime& step : profile.steps) {
    steps.AddRow({step.node, step.op, step.kernel, absl::StrFormat("%.2f", step.median_us),
                  absl::StrFormat("%.1f", Percent(step.median_us, profile.steps_us))});
  }
  return absl::StrFormat(
      "kernel set %s, batch %d: median %.1f us; %d steps run by themselves %.1f us\n\n%s\n%s",
      profile.kernel_set, profile.batch, profile.median_us, profile.steps.size(), profile.steps_us,
      kinds.ToString(), steps.ToString());
}

}  // namespace octet::cli
