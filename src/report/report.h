// The analytic report: the types that all models share and that the forerunner's consumers read, with its names.
//
// Field by field this is docs/report.schema.json. TFLOP = 1e12 FLOP, TB = 1e12 bytes, GB = 1e9 bytes; beside every
// float stands the exact integer in base units (cost/figures.h). Times are null without a device.
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "cost/figures.h"
#include "model/analytic_model.h"

namespace modelmeter {

struct AnalyticModuleNode {
  std::string module_id, name, qualified_class_name, stage;
  std::optional<std::string> parent_id;
  std::vector<std::string> children;
  std::string repetition = "none";  // "for": repetition_count equal layers one after another
  std::optional<int64_t> repetition_count;
  Fields constructor_params;
};

// Of the device; a part of the run is not the whole of what a wall clock shows.
struct ModuleTime {
  double total_time_ms = 0, share_of_model_time = 0;
  double light_ms = 0;  // what no kernel beats: FLOPs at the peak or compulsory bytes at the bandwidth
  double joules = 0;    // without the idle device
  std::string bound;    // tensor, vector, memory, launch: what most of it waits for
};

struct OperatorMetrics {
  std::string category_id;
  Count calls = 0;  // kernels
  double flops_tflops = 0, io_tb = 0, share_of_module_flops = 0;
};

struct ModuleMetricsSnapshot {
  std::string module_id, profile_id;
  int64_t calls = 0;                // of the module (of each of its repetitions)
  double share_of_model_flops = 0;  // FLOPs (torch) of the root's; 1 of the root
  std::optional<ModuleTime> time;   // of all its calls and repetitions; with a device
  std::vector<OperatorMetrics> operator_breakdown;
  Figures exact;  // of all its repetitions; the forerunner's floats are these (FigureRow::snapshot_field)
};

// What one stage of the run costs. FLOPs, bytes and kernels of stages add up to the run, but for those nested in
// another. Weights are those that the stage's layers hold, shared with other stages or not; the KV cache is that at its
// end.
struct StageFigures {
  std::string stage;
  std::optional<std::string> nested_in;
  Figures figures;
};

// One forward, or the whole run, on the device of the report.
struct TimeFigures {
  double device_s = 0, wall_s = 0;
  double low_s = 0, high_s = 0;  // of wall_s: nine runs in ten
  std::optional<double> joules, usd;
  double launches = 0, clock_share = 1, host_s = 0;
  double flops_per_s = 0;     // of matrix units, over device_s
  std::optional<double> mfu;  // of the rate of bf16 at the sheet's clock, over wall_s
  // Of weights over the bus, loading apart; none where none are copied. What kernels hide of it is not in wall_s.
  std::optional<double> copies_s;
  std::optional<Count> copied_bytes;
  std::string bound;  // tensor, vector, memory, launch, or host where the host is what it waits for
};

struct TimingStage {
  std::string stage;  // the id of the stage
  bool on_device = true;
  TimeFigures forward, total;
  std::optional<double> measured_device_s;  // of a forward's kernels, where a profile of the stage was imported
};

// All collectives of one kind and group in the run, of this rank.
struct CommunicationFigures {
  std::string collective, group;  // "c10d.alltoall_", "ulysses"
  int64_t ranks = 0;
  Count calls = 0, sent = 0, received = 0;  // bytes over links
  std::optional<double> seconds;            // with a cluster
};

struct Timing {
  std::string device, host, stack;
  std::string cluster;  // "": none
  TimeFigures forward, total;
  std::vector<TimingStage> stages;
};

struct Report {
  std::string report_id, family;
  Fields model, workload, runtime;
  std::vector<AnalyticModuleNode> modules;  // parents before children
  std::vector<OperatorCategory> operator_categories;
  // One for each module, in the same order; of leaves alone where the family's consumers add them all up.
  std::vector<ModuleMetricsSnapshot> module_metrics;
  std::vector<StageFigures> stages;
  std::vector<CommunicationFigures> communication;  // empty of one rank
  std::vector<std::string> notes;
  Figures totals, per_forward;
  std::optional<std::string> layer_docs_dir;  // absolute
  std::optional<Timing> timing;
  // Of a run that was measured, where the user gives it (report.profile_run_id, report.measured_total_time_ms).
  std::optional<std::string> profile_run_id;
  std::optional<double> measured_total_time_ms;
};

}  // namespace modelmeter
