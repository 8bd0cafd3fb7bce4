// A profile against the trace of a configuration: which launches match, and predicted against measured times of each
// layer and stage, with what share of the matrix units' rate was reached.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "report/report.h"
#include "verify/profile.h"
#include "verify/validation.h"

namespace modelmeter {

struct ProfilePart {
  std::string name;         // a layer, numbers of blocks as *: "blocks.*.self_attn.q"; a stage; an op
  int64_t launches = 0;     // of one forward, as measured
  double tensor_flops = 0;  // of one forward
  double predicted_ms = 0;  // of one forward
  double measured_ms = 0;   // the same, the mean of those in the profile
  double mfu = 0;           // measured, of the sheet's bf16 rate

  std::optional<double> error() const;  // predicted over measured, less 1
};

// An op that one side has more of.
struct OpDifference {
  std::string op;
  int64_t launches = 0;
  double ms = 0;  // as measured, or as predicted where it was not
};

struct ProfileReport {
  Profile profile;                         // without its launches
  std::string run_id;                      // "trace" of "…/trace.json.gz", unless the user names it
  std::string device, config_name, stage;  // "" without a configuration
  int64_t launches = 0, ours = 0;          // of the profile; of one forward of ours
  int64_t matched = 0, in_place = 0, forwards = 1;
  std::vector<OpDifference> only_profile, only_ours;
  ProfilePart whole;                // all that was measured, one forward
  std::vector<ProfilePart> layers;  // or ops, without a configuration; those that took most first
  std::vector<std::string> notes;
};

// With a configuration (context.config_name): of the stage of that id, or of the one that matches best. Without: each
// launch from its own shapes. Error where the device is not known, for a stage there is not, a profile without shapes
// and a configuration, and one of another model: fewer than six launches in ten of it are the configuration's.
ProfileReport compare_profile(const Profile& profile, const ValidationContext& context, const std::string& stage);

std::string profile_text(const ProfileReport& report);
// What was measured, in a report of the same configuration (analyze): profile_run_id and the stage's
// measured_device_ms; and when every stage that runs on the device has its own, measured_total_time_ms: their kernels,
// as often as the report runs each. Until then a note says which are missing. Error where the report has no times, no
// such stage, or another device's.
void fill_report(const ProfileReport& measured, Report& report);

std::string profile_json(const ProfileReport& report);

}  // namespace modelmeter
