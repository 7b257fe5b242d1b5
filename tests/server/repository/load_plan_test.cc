// SPDX-License-Identifier: Apache-2.0
#include "server/repository/load_plan.h"

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "gmock/gmock.h"
#include "gtest/gtest.h"

namespace octet {
namespace {

using std::chrono::nanoseconds;
using std::chrono_literals::operator""s;
using std::chrono_literals::operator""ms;
using ::testing::ElementsAreArray;

constexpr LoadTimes kTimes = {.settle = 5s, .gone = 1s, .retry = 250ms};
constexpr nanoseconds kNow = 100s;

// Everything of it was long ago.
VersionRecord Stored(std::int64_t version) {
  VersionRecord record;
  record.version = version;
  record.is_stored = true;
  record.fingerprint = "a";
  record.changed_at = 10s;
  return record;
}
VersionRecord Tried(VersionRecord record, LoadTry last_try, const std::string& fingerprint = "a") {
  record.last_try = last_try;
  record.tried_fingerprint = fingerprint;
  record.tried_at = record.changed_at;
  return record;
}
VersionRecord Served(std::int64_t version) {
  VersionRecord record = Tried(Stored(version), LoadTry::kLoaded);
  record.is_served = true;
  return record;
}
VersionRecord Refused(std::int64_t version) { return Tried(Stored(version), LoadTry::kRefused); }
VersionRecord Incomplete(std::int64_t version, nanoseconds changed_at) {
  VersionRecord record = Tried(Stored(version), LoadTry::kIncomplete);
  record.changed_at = record.tried_at = changed_at;
  return record;
}
// Served as it was; what is stored is another since `changed_at`.
VersionRecord Changed(std::int64_t version, nanoseconds changed_at) {
  VersionRecord record = Served(version);
  record.fingerprint = "b";
  record.changed_at = changed_at;
  return record;
}
VersionRecord Gone(std::int64_t version, nanoseconds since) {
  VersionRecord record = Served(version);
  record.is_stored = false;
  record.changed_at = since;
  return record;
}
// A changed one, of which the new state was tried.
VersionRecord Again(VersionRecord changed, LoadTry last_try) {
  changed.last_try = last_try;
  changed.tried_fingerprint = changed.fingerprint;
  changed.tried_at = changed.changed_at;
  return changed;
}

struct Case {
  const char* says;
  const char* policy;
  std::vector<VersionRecord> versions;
  std::vector<std::int64_t> load = {};
  std::vector<std::int64_t> unload = {};
  std::vector<std::int64_t> left_out = {};
  std::optional<nanoseconds> next = std::nullopt;
  bool is_held_out = false;
};

std::vector<Case> AllCases() {
  return {
      {.says = "nothing there", .policy = "all", .versions = {}},
      {.says = "all that is new, newest first",
       .policy = "all",
       .versions = {Stored(1), Stored(2), Stored(10)},
       .load = {10, 2, 1}},
      {.says = "what serves is left alone", .policy = "all", .versions = {Served(1), Served(2)}},
      {.says = "what was refused stays refused while it is the same",
       .policy = "all",
       .versions = {Served(1), Refused(2)}},
      {.says = "what was refused is tried when it changes",
       .policy = "all",
       .versions = {Served(1), Tried(Stored(2), LoadTry::kRefused, "old")},
       .load = {2}},
      {.says = "what changes in place is loaded, and serves meanwhile",
       .policy = "all",
       .versions = {Changed(1, 99s)},
       .load = {1}},
      {.says = "what changed and was refused serves as it was",
       .policy = "all",
       .versions = {Again(Changed(1, 99s), LoadTry::kRefused)}},
      {.says = "not too often what keeps changing",
       .policy = "all",
       .versions = {[] {
         VersionRecord record = Incomplete(1, kNow - 100ms);
         record.fingerprint = "b";
         return record;
       }()},
       .next = kNow + 150ms},
      {.says = "what is not whole is waited for",
       .policy = "all",
       .versions = {Incomplete(1, 97s)},
       .next = 102s},
      {.says = "and tried a last time when it has been still",
       .policy = "all",
       .versions = {Incomplete(1, 95s)},
       .load = {1}},
      {.says = "what is gone is unloaded",
       .policy = "all",
       .versions = {Gone(1, 99s), Served(2)},
       .unload = {1}},
      {.says = "but not in the moment between two renames",
       .policy = "all",
       .versions = {Gone(1, kNow - 400ms)},
       .next = kNow + 600ms},
      {.says = "nor before what replaces it is tried",
       .policy = "all",
       .versions = {Gone(1, 99s), Stored(2)},
       .load = {2}},
      {.says = "nor while that is not whole",
       .policy = "all",
       .versions = {Gone(1, 90s), Incomplete(2, 98s)},
       .next = 103s},
      {.says = "it goes where nothing is left to wait for",
       .policy = "all",
       .versions = {Gone(1, 99s), Refused(2)},
       .unload = {1}},
      {.says = "the latest alone",
       .policy = "latest 1",
       .versions = {Stored(1), Stored(2), Stored(3)},
       .load = {3},
       .left_out = {2, 1}},
      {.says = "the latest two",
       .policy = "latest 2",
       .versions = {Stored(1), Stored(2), Stored(3)},
       .load = {3, 2},
       .left_out = {1}},
      {.says = "more than there are",
       .policy = "latest 5",
       .versions = {Stored(1), Served(2)},
       .load = {1}},
      {.says = "the older serves until the newer does",
       .policy = "latest 1",
       .versions = {Served(1), Stored(2)},
       .load = {2}},
      {.says = "and goes then",
       .policy = "latest 1",
       .versions = {Served(1), Served(2)},
       .unload = {1}},
      {.says = "it stays where the newer cannot be loaded",
       .policy = "latest 1",
       .versions = {Served(1), Refused(2)}},
      {.says = "and comes where it does not serve",
       .policy = "latest 1",
       .versions = {Stored(1), Refused(2)},
       .load = {1}},
      {.says = "what is not whole does not keep the older from coming",
       .policy = "latest 1",
       .versions = {Stored(1), Incomplete(2, 99s)},
       .load = {1},
       .next = 104s},
      {.says = "an older one that is not whole is of no interest",
       .policy = "latest 1",
       .versions = {Incomplete(1, 99s), Served(2)}},
      {.says = "just the named",
       .policy = "specific 1, 3",
       .versions = {Stored(1), Stored(2), Stored(3), Stored(4)},
       .load = {3, 1},
       .left_out = {4, 2}},
      {.says = "what is not named goes when the named are there",
       .policy = "specific 3",
       .versions = {Served(2), Served(3)},
       .unload = {2}},
      {.says = "held out: all that serves goes at once, and nothing comes",
       .policy = "all",
       .versions = {Served(1), Changed(2, 99s), Stored(3)},
       .unload = {1, 2},
       .left_out = {3},
       .is_held_out = true},
  };
}

TEST(LoadPlanTest, Table) {
  for (const Case& each : AllCases()) {
    SCOPED_TRACE(each.says);
    const LoadPlan plan = PlanLoads(ParseVersionPolicy(each.policy).value(), each.is_held_out,
                                    each.versions, kTimes, kNow);
    EXPECT_THAT(plan.load, ElementsAreArray(each.load));
    EXPECT_THAT(plan.unload, ElementsAreArray(each.unload));
    EXPECT_THAT(plan.left_out, ElementsAreArray(each.left_out));
    EXPECT_EQ(plan.next, each.next);
  }
}

}  // namespace
}  // namespace octet
