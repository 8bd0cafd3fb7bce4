#include "verify/profile_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <cmath>
#include <filesystem>
#include <map>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/json_writer.h"
#include "cost/op_cost.h"
#include "report/table.h"
#include "verify/forward_launches.h"
#include "verify/launch_time.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

constexpr double report_ms = 1e-3, launch_us = 1e-6;
constexpr double least_matched = 0.6;
constexpr size_t most_layers = 25, most_differences = 10;

bool is_number(const std::string& part) {
  return !part.empty() && std::all_of(part.begin(), part.end(), [](unsigned char c) { return std::isdigit(c) != 0; });
}

// "blocks.12.ffn.0" is "blocks.*.ffn.0": the number of what repeats, not that within a Sequential at its end.
std::string layer_of(const std::string& path) {
  std::string out, part;
  for (const char c : path + ".") {
    if (c != '.') {
      part += c;
      continue;
    }
    const bool last = out.size() + part.size() + (out.empty() ? 0 : 1) == path.size();
    out += (out.empty() ? "" : ".") + (is_number(part) && !last ? std::string("*") : part);
    part.clear();
  }
  return out.empty() ? "(itself)" : out;
}

class ProfileParts {
 public:
  ProfilePart& of(const std::string& name) {
    ProfilePart& part = parts_[name];
    part.name = name;
    return part;
  }
  // Those that took most first.
  std::vector<ProfilePart> finish(double forwards, double rate) {
    std::vector<ProfilePart> out;
    for (auto& [name, part] : parts_) {
      part.measured_ms /= forwards;
      part.tensor_flops /= forwards;
      part.predicted_ms /= forwards;
      part.launches = std::llround(static_cast<double>(part.launches) / forwards);
      if (part.measured_ms > 0 && rate > 0) part.mfu = part.tensor_flops / (part.measured_ms * report_ms * rate);
      out.push_back(std::move(part));
    }
    std::stable_sort(out.begin(), out.end(),
                     [](const ProfilePart& a, const ProfilePart& b) { return a.measured_ms > b.measured_ms; });
    return out;
  }

 private:
  std::map<std::string, ProfilePart> parts_;
};

double sheet_rate(const Machine& machine) {
  const TensorRate* rate = machine.device().find_rate("bf16");
  return rate == nullptr ? 0 : rate->rate.value;
}

std::vector<OpDifference> longest_first(const std::map<std::string, OpDifference>& by_op) {
  std::vector<OpDifference> out;
  for (const auto& [op, difference] : by_op) out.push_back(difference);
  std::stable_sort(out.begin(), out.end(), [](const OpDifference& a, const OpDifference& b) { return a.ms > b.ms; });
  return out;
}

void add_difference(std::map<std::string, OpDifference>& by_op, const std::string& op, double ms) {
  OpDifference& difference = by_op[op];
  difference.op = op;
  ++difference.launches;
  difference.ms += ms;
}

struct Candidate {
  size_t stage = 0;
  std::vector<size_t> order;
  LinedUp lined_up;
};

// The stage that is named, or of all the one with the most launches in common.
Candidate best_stage(const TimedForward& ours, const Profile& profile, const std::string& wanted) {
  const Trace& trace = ours.run.trace();
  Candidate best;
  std::vector<std::string> known;
  bool found = false;
  for (size_t i = 0; i < ours.time.stages.size(); ++i) {
    const StageTime& stage = ours.time.stages[i];
    known.push_back(stage.stage);
    if (!stage.on_device || (!wanted.empty() && stage.stage != wanted)) continue;
    Candidate candidate;
    candidate.stage = i;
    candidate.order = execution_order(trace, std::max(0, scope_of_stage(trace, stage.stage)));
    candidate.lined_up = line_up(trace, candidate.order, profile.launches);
    if (!found || candidate.lined_up.matched > best.lined_up.matched) best = std::move(candidate);
    found = true;
  }
  if (!found)
    throw Error(fmt::format("there is no stage '{}' on the device", wanted), {}, name_notes(wanted, known, "stages"));
  return best;
}

// The first launch that is not ours, for an error.
std::string first_difference(const TimedForward& ours, const Candidate& stage, const Profile& profile) {
  const Trace& trace = ours.run.trace();
  for (size_t j = 0; j < profile.launches.size(); ++j) {
    if (stage.lined_up.ops[j] != LinedUp::none) continue;
    const std::string other = j < stage.order.size() ? profiled_name(trace, trace.ops[stage.order[j]]) : "nothing";
    return fmt::format("the first that differs is launch {}: {} where the configuration has {}", j,
                       profile.launches[j].op, other);
  }
  return "";
}

void check_model(const TimedForward& ours, const Candidate& stage, const Profile& profile, const std::string& name) {
  const auto all = static_cast<double>(profile.launches.size());
  const auto matched = static_cast<double>(stage.lined_up.matched);
  const double own = static_cast<double>(stage.order.size()) * static_cast<double>(stage.lined_up.forwards);
  if (matched >= least_matched * all && matched >= least_matched * own) return;
  throw Error(fmt::format("{}: a profile of another model: {} of its {} launches are those of {} ({}), which has {}",
                          profile.path, stage.lined_up.matched, profile.launches.size(), name,
                          ours.time.stages[stage.stage].stage, stage.order.size()),
              {}, {first_difference(ours, stage, profile)});
}

std::string shape_text(const std::vector<int64_t>& sizes) { return fmt::format("[{}]", fmt::join(sizes, ",")); }

std::vector<int64_t> sizes_of(const TensorMeta& tensor) {
  std::vector<int64_t> out;
  for (int d = 0; d < tensor.sizes.rank(); ++d) out.push_back(tensor.sizes[d]);
  return out;
}

// Another size of the same architecture runs the same kernels: matrix products tell.
void check_sizes(const TimedForward& ours, const Candidate& stage, const Profile& profile, const std::string& name) {
  const Trace& trace = ours.run.trace();
  double same = 0, all = 0;
  std::string first;
  for (size_t j = 0; j < profile.launches.size(); ++j) {
    const MeasuredLaunch& launch = profile.launches[j];
    if (stage.lined_up.ops[j] == LinedUp::none || launch.shapes.size() < 2) continue;
    const Op& op = trace.ops[stage.lined_up.ops[j]];
    if (op.kernel != Kernel::addmm && op.kernel != Kernel::mm) continue;
    const size_t weight = op.kernel == Kernel::addmm ? 2 : 1;  // a residual may follow
    if (launch.shapes.size() <= weight) continue;
    const auto rows = sizes_of(trace.input(op, op.inputs - 2)), columns = sizes_of(trace.input(op, op.inputs - 1));
    const bool equal = launch.shapes[weight - 1] == rows && launch.shapes[weight] == columns;
    all += 1;
    same += equal ? 1 : 0;
    if (equal || !first.empty()) continue;
    first = fmt::format("launch {} multiplies {} and {}, in the configuration {} and {}", j,
                        shape_text(launch.shapes[weight - 1]), shape_text(launch.shapes[weight]), shape_text(rows),
                        shape_text(columns));
  }
  if (same >= least_matched * all) return;
  throw Error(
      fmt::format("{}: a profile of another model or workload: {:.0f} of its {:.0f} matrix products have the sizes "
                  "of {} ({})",
                  profile.path, same, all, name, ours.time.stages[stage.stage].stage),
      {}, {first});
}

void compare_with_trace(const Profile& profile, const Machine& machine, const ValidationContext& context,
                        const std::string& wanted, ProfileReport& out) {
  const TimedForward ours =
      timed_forward({context.config_name, wanted, "", context.overrides}, machine, context, false);
  const Candidate stage = best_stage(ours, profile, wanted);
  check_model(ours, stage, profile, context.config_name);
  check_sizes(ours, stage, profile, context.config_name);
  const Trace& trace = ours.run.trace();
  const LinedUp& lined_up = stage.lined_up;
  ProfileParts layers;
  std::map<std::string, OpDifference> only_profile, only_ours;
  for (size_t j = 0; j < profile.launches.size(); ++j) {
    const double measured = profile.launches[j].us * launch_us / report_ms;
    const size_t index = lined_up.ops[j];
    ProfilePart& part =
        layers.of(index == LinedUp::none ? "(not in the trace)" : layer_of(trace.path(trace.ops[index].scope)));
    ++part.launches;
    part.measured_ms += measured;
    if (index == LinedUp::none) {
      add_difference(only_profile, profile.launches[j].op, measured);
      continue;
    }
    part.predicted_ms += ours.time.ops[index] / report_ms;
    part.tensor_flops += static_cast<double>(cost_of(trace, trace.ops[index]).flops_tensor);
  }
  for (const size_t index : lined_up.missing) {
    add_difference(only_ours, profiled_name(trace, trace.ops[index]), ours.time.ops[index] / report_ms);
  }
  out.stage = ours.time.stages[stage.stage].stage;
  out.ours = static_cast<int64_t>(stage.order.size());
  out.matched = lined_up.matched;
  out.in_place = lined_up.in_place;
  out.forwards = lined_up.forwards;
  out.only_profile = longest_first(only_profile);
  out.only_ours = longest_first(only_ours);
  out.layers = layers.finish(static_cast<double>(lined_up.forwards), sheet_rate(machine));
  out.whole.predicted_ms = ours.time.stages[stage.stage].part.device / report_ms;
  out.whole.tensor_flops = ours.time.stages[stage.stage].flops;
}

// By op, each launch from its own shapes.
void compare_shapes(const Profile& profile, const Machine& machine, ProfileReport& out) {
  std::vector<MeasuredLaunch> launches = profile.launches;
  infer_outputs(launches);
  ProfileParts ops;
  std::map<std::string, OpDifference> unknown;
  for (const MeasuredLaunch& launch : launches) {
    const double measured = launch.us * launch_us / report_ms;
    const auto kernels = kernels_of(launch, machine);
    if (!kernels) {
      add_difference(unknown, launch.op, measured);
      continue;
    }
    ProfilePart& part = ops.of(launch.op);
    ++part.launches;
    ++out.matched;
    part.measured_ms += measured;
    for (const DeviceKernel& kernel : *kernels) {
      part.predicted_ms += time_of(kernel, machine).seconds(1) / report_ms;
      const bool products = kernel.shape == KernelShape::gemm || kernel.shape == KernelShape::convolution;
      if (products) part.tensor_flops += 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
      if (kernel.shape == KernelShape::attention)
        part.tensor_flops += 4 * kernel.batch * kernel.m * kernel.n * kernel.k;
    }
  }
  out.only_profile = longest_first(unknown);
  out.layers = ops.finish(1, sheet_rate(machine));
  for (const ProfilePart& part : out.layers) {
    out.whole.predicted_ms += part.predicted_ms;
    out.whole.tensor_flops += part.tensor_flops;
  }
  out.notes.emplace_back("without --config-name each launch is predicted from its own shapes, at the highest clock");
}

Machine machine_of(const Profile& profile, const ValidationContext& context) {
  const std::string id = context.device.empty() ? device_of_name(profile.device_name) : context.device;
  const std::optional<Machine> machine = id.empty() ? std::nullopt : machine_named(id, context);
  if (machine) return *machine;
  const std::string said = profile.device_name.empty() ? "nothing" : "'" + profile.device_name + "'";
  throw Error(fmt::format("{}: the device is not known: it says {}", profile.path, said), {},
              {"--device NAME says so"});
}

// "trace" of "…/trace.json.gz".
std::string stem_of(const std::string& path) {
  std::string name = std::filesystem::path(path).filename().string();
  for (const char* end : {".gz", ".json", ".csv", ".sqlite", ".trace", ".pt"}) {
    const size_t length = std::string(end).size();
    if (name.size() > length && name.compare(name.size() - length, length, end) == 0) name.resize(name.size() - length);
  }
  return name;
}

std::string error_text(const std::optional<double>& error) {
  return error ? fmt::format("{:+.1f} %", *error * 100) : "-";
}
std::string ms_text(double ms) { return fmt::format("{:.4g}", ms); }

std::string parts_table(const ProfileReport& report) {
  Table table(
      {report.config_name.empty() ? "Op" : "Layer", "Launches", "Predicted ms", "measured", "", "TFLOP/s", "MFU"},
      {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  const auto add = [&](const ProfilePart& part) {
    const double rate = part.measured_ms > 0 ? part.tensor_flops / (part.measured_ms * report_ms) / 1e12 : 0;
    const bool products = part.tensor_flops > 0;
    table.add({part.name, std::to_string(part.launches), ms_text(part.predicted_ms), ms_text(part.measured_ms),
               error_text(part.error()), products ? fmt::format("{:.0f}", rate) : "-",
               products ? fmt::format("{:.1f} %", part.mfu * 100) : "-"});
  };
  add(report.whole);
  for (size_t i = 0; i < std::min(most_layers, report.layers.size()); ++i) add(report.layers[i]);
  std::string out = table.markdown();
  if (report.layers.size() > most_layers)
    out += fmt::format("\n{} more: --json has all.\n", report.layers.size() - most_layers);
  return out;
}

std::string differences(const std::vector<OpDifference>& ops) {
  std::string out;
  for (size_t i = 0; i < std::min(most_differences, ops.size()); ++i) {
    out += fmt::format("{}{} x {} ({:.3g} ms)", i == 0 ? "" : ", ", ops[i].launches, ops[i].op, ops[i].ms);
  }
  return ops.size() > most_differences ? out + ", …" : out;
}

void write_part(DocumentWriter& out, const ProfilePart& part) {
  out.map([&] {
    out.field("name", part.name);
    out.field("launches", part.launches);
    out.field("flops_tensor", part.tensor_flops);
    out.field("predicted_ms", part.predicted_ms);
    out.field("measured_ms", part.measured_ms);
    out.field("error", part.error());
    out.field("mfu", part.mfu);
  });
}

void write_differences(DocumentWriter& out, const char* name, const std::vector<OpDifference>& ops) {
  out.list(name, ops, [&](const OpDifference& op) {
    out.map([&] {
      out.field("op", op.op);
      out.field("launches", op.launches);
      out.field("ms", op.ms);
    });
  });
}

}  // namespace

std::optional<double> ProfilePart::error() const {
  if (measured_ms <= 0 || predicted_ms <= 0) return std::nullopt;
  return predicted_ms / measured_ms - 1;
}

ProfileReport compare_profile(const Profile& profile, const ValidationContext& context, const std::string& stage) {
  const Machine machine = machine_of(profile, context);
  const bool shapes = std::any_of(profile.launches.begin(), profile.launches.end(),
                                  [](const MeasuredLaunch& launch) { return !launch.shapes.empty(); });
  if ((!profile.has_ops || !shapes) && context.config_name.empty()) {
    std::vector<std::string> notes = {"--config-name NAME [overrides] says what it is a profile of"};
    if (profile.has_ops) notes.emplace_back("torch.profiler has them with record_shapes=True");
    throw Error(fmt::format("{}: a profile of {} has no shapes", profile.path, profile.source), {}, notes);
  }
  ProfileReport out;
  out.run_id = stem_of(profile.path);
  out.device = machine.device().id;
  out.config_name = context.config_name;
  out.launches = static_cast<int64_t>(profile.launches.size());
  out.notes = profile.notes;
  if (context.config_name.empty()) {
    compare_shapes(profile, machine, out);
  } else {
    compare_with_trace(profile, machine, context, stage, out);
  }
  double measured = 0;
  for (const MeasuredLaunch& launch : profile.launches) measured += launch.us * launch_us;
  out.whole.name = out.stage.empty() ? "(all)" : out.stage;
  out.whole.launches = out.launches / out.forwards;
  out.whole.measured_ms = measured / report_ms / static_cast<double>(out.forwards);
  const double rate = sheet_rate(machine);
  if (rate > 0 && out.whole.measured_ms > 0) {
    out.whole.mfu = out.whole.tensor_flops / (out.whole.measured_ms * report_ms * rate);
  }
  out.profile = profile;
  out.profile.launches.clear();
  return out;
}

namespace {

// The stage of the report that was profiled.
TimingStage& profiled_stage(const ProfileReport& measured, Report& report) {
  if (!report.timing) {
    throw Error(fmt::format("the report {} has no times", report.report_id), {}, {"analyze with device=NAME has them"});
  }
  if (report.timing->device != measured.device) {
    throw Error(fmt::format("the report is of {}, the profile of {}", report.timing->device, measured.device));
  }
  std::vector<std::string> stages;
  for (TimingStage& stage : report.timing->stages) {
    if (stage.on_device && stage.stage == measured.stage) return stage;
    if (stage.on_device) stages.push_back(stage.stage);
  }
  throw Error(fmt::format("the report has no stage '{}'", measured.stage), {},
              name_notes(measured.stage, stages, "stages"));
}

double forwards_of(const TimingStage& stage) {
  return stage.forward.device_s > 0 ? stage.total.device_s / stage.forward.device_s : 1;
}

}  // namespace

void fill_report(const ProfileReport& measured, Report& report) {
  profiled_stage(measured, report).measured_device_s = measured.whole.measured_ms * report_ms;
  double total_s = 0;
  std::vector<std::string> missing;
  bool others = false;
  for (const TimingStage& stage : report.timing->stages) {
    if (!stage.on_device) continue;
    if (stage.measured_device_s) total_s += *stage.measured_device_s * forwards_of(stage);
    if (!stage.measured_device_s) missing.push_back(stage.stage);
    others |= stage.measured_device_s.has_value() && stage.stage != measured.stage;
  }
  const std::string before = others ? report.profile_run_id.value_or("") : "";
  const bool named = (", " + before + ", ").find(", " + measured.run_id + ", ") != std::string::npos;
  report.profile_run_id = before.empty() ? measured.run_id : named ? before : before + ", " + measured.run_id;
  report.notes.push_back(fmt::format("profile {}: {} took {:.4g} ms on the device, predicted {:.4g} ms",
                                     measured.run_id, measured.stage, measured.whole.measured_ms,
                                     measured.whole.predicted_ms));
  report.measured_total_time_ms.reset();
  if (missing.empty()) {
    report.measured_total_time_ms = total_s / report_ms;
  } else {
    report.notes.push_back(
        fmt::format("what the whole takes is known when {} was profiled, too", fmt::join(missing, ", ")));
  }
}

std::string profile_text(const ProfileReport& r) {
  std::string out = fmt::format("## Profile of {}\n\n{} launches on {} ({})", r.profile.source, r.launches, r.device,
                                r.profile.device_name.empty() ? "as given" : r.profile.device_name);
  if (!r.config_name.empty()) {
    out += fmt::format("; {} of {} has {} a forward{}.\n{} match, {} of them in place.", r.stage, r.config_name, r.ours,
                       r.forwards > 1 ? fmt::format(", of which the profile has {}", r.forwards) : "", r.matched,
                       r.in_place);
  } else {
    out += fmt::format(". {} can be predicted from their shapes.", r.matched);
  }
  if (!r.only_profile.empty()) out += "\nOnly in the profile: " + differences(r.only_profile) + ".";
  if (!r.only_ours.empty()) out += "\nOnly in the trace: " + differences(r.only_ours) + ".";
  out += "\n\n" + parts_table(r) + "\nOne forward. MFU is of bf16 at the sheet's clock, as measured.\n";
  for (const std::string& note : r.notes) out += "note: " + note + "\n";
  return out;
}

std::string profile_json(const ProfileReport& r) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.map("profile", [&] {
        out.field("file", r.profile.path);
        out.field("source", r.profile.source);
        out.field("device_name", r.profile.device_name);
        out.field("device", r.device);
        out.field("launches", r.launches);
      });
      out.map("match", [&] {
        out.field("config_name", r.config_name);
        out.field("stage", r.stage);
        out.field("launches", r.ours);
        out.field("forwards", r.forwards);
        out.field("matched", r.matched);
        out.field("in_place", r.in_place);
        write_differences(out, "only_in_profile", r.only_profile);
        write_differences(out, "only_in_trace", r.only_ours);
      });
      out.field("profile_run_id", r.run_id);
      out.field("measured_total_time_ms", r.whole.measured_ms);
      out.field("predicted_total_time_ms", r.whole.predicted_ms);
      out.field("predicted_vs_measured_ratio", r.whole.measured_ms > 0 && r.whole.predicted_ms > 0
                                                   ? std::optional(r.whole.predicted_ms / r.whole.measured_ms)
                                                   : std::nullopt);
      out.key("stages");
      out.begin_list();
      write_part(out, r.whole);
      out.end_list();
      out.list("layers", r.layers, [&](const ProfilePart& part) { write_part(out, part); });
      out.field("notes", r.notes);
    });
  });
}

}  // namespace modelmeter
