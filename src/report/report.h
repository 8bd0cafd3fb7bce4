// The analytic report: the types that all models share and that the forerunner's consumers read, with its names.
//
// Field by field this is docs/report.schema.json. TFLOP = 1e12 FLOP, TB = 1e12 bytes, GB = 1e9 bytes; beside every
// float stands the exact integer in base units (cost/figures.h). Times are null: there is no device yet.
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

struct OperatorMetrics {
  std::string category_id;
  Count calls = 0;  // kernels
  double flops_tflops = 0, io_tb = 0, share_of_module_flops = 0;
};

struct ModuleMetricsSnapshot {
  std::string module_id, profile_id;
  int64_t calls = 0;                // of the module (of each of its repetitions)
  double share_of_model_flops = 0;  // FLOPs (torch) of the root's; 1 of the root
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

struct Report {
  std::string report_id, family;
  Fields model, workload, runtime;
  std::vector<AnalyticModuleNode> modules;  // parents before children
  std::vector<OperatorCategory> operator_categories;
  // One for each module, in the same order; of leaves alone where the family's consumers add them all up.
  std::vector<ModuleMetricsSnapshot> module_metrics;
  std::vector<StageFigures> stages;
  std::vector<std::string> notes;
  Figures totals, per_forward;
  std::optional<std::string> layer_docs_dir;  // absolute
};

}  // namespace modelmeter
