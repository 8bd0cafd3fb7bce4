// A forward of ours that a measurement is of: its trace timed, its launches in the order in which they run, and those
// of a profile lined up with them.
#pragma once

#include <limits>
#include <memory>

#include "model/analytic_model.h"
#include "timing/run_time.h"
#include "verify/launch_file.h"
#include "verify/validation.h"

namespace modelmeter {

// A configuration, and which of its stages a measurement is of.
struct KnownForward {
  std::string config_name, stage, group;
  std::vector<std::string> overrides;
  int64_t repeats = 1;      // forwards that were measured together, one after another: times are of one
  std::string module = {};  // of the stage: one of that list was measured ("blocks"); "": all
};

// What names of measurements say, variant-implementation-workload ("t2v-14b-official-720p16"); nothing for others.
// `sizes`: overrides of the workload where they are known otherwise, in place of those of the name.
std::optional<KnownForward> known_forward(const std::string& name, const std::vector<std::string>& sizes = {});

struct TimedForward {
  std::unique_ptr<AnalyticModel> model;  // names in the trace are its stages'
  Evaluation run;
  RunTime time;
  size_t stage = 0;  // of RunTime::stages: the one that is known, else the first
};

// One forward of each stage, or the whole run. Error as of a configuration that cannot be built.
TimedForward timed_forward(const KnownForward& known, const Machine& machine, const ValidationContext& context,
                           bool whole);

// The scope of a stage; -1 where there is none of that id.
int32_t scope_of_stage(const Trace& trace, const std::string& stage);

// Of a recording whose stages are not told apart: what was measured is all of them, as a step of training is.
bool is_of_all_stages(const TimedForward& ours, const KnownForward& known);

// Indices in Trace::ops of what a measurement of that forward launches: the stage's, or those of one of its modules.
// Error for a module there is not.
std::vector<size_t> launches_of(const TimedForward& ours, const KnownForward& known);

// Indices in Trace::ops of what is launched within a scope, in the order in which it runs, repetitions written out.
std::vector<size_t> execution_order(const Trace& trace, int32_t scope);

// What ops of one kind are called alike: attention whichever of SDPA's kernels ran, convolutions of any library, and of
// torch.compile's kernels, "triton_poi_fused_add_0", what kind they are: "triton_poi_fused", "triton_red_fused".
std::string plain_op(const std::string& op);

// The name that profiles have for a kernel of ours ("copy_" for to_copy), and what a kernel's own name tells of it
// where a profile has no ops: "(matmul)", "(attention)", "(conv)", "(norm)", "(softmax)", "(reduction)", "(memory)".
std::string profiled_name(Kernel kernel);
std::string profiled_name(const Trace& trace, const Op& op);  // also of a recorded kernel
std::string family_of(Kernel kernel);
std::string family_of(const std::string& kernel_name);

struct LinedUp {
  static constexpr size_t none = std::numeric_limits<size_t>::max();
  std::vector<size_t> ops;      // of each launch measured: index in Trace::ops, or none
  std::vector<size_t> missing;  // ours that were not measured
  int64_t matched = 0;
  int64_t in_place = 0;  // with nothing left out before them
  int64_t forwards = 1;  // how often ours was run
};

// Goes through both, looking past what one side lacks; where the profile has kernels only, by the alignment that has
// most in common. A profile may have several forwards.
LinedUp line_up(const Trace& trace, const std::vector<size_t>& order, const std::vector<MeasuredLaunch>& measured);

}  // namespace modelmeter
