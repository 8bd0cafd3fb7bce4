// The analytic report: the types that all models share and that the forerunner's consumers read, with its names.
//
// Field by field this is docs/report.schema.json. TFLOP = 1e12 FLOP, TB = 1e12 bytes, GB = 1e9 bytes; beside every
// float stands the exact integer in base units (Figures).
#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "model/analytic_model.h"

namespace modelmeter {

// Exact figures of a node, or of a whole run.
struct Figures {
  Count parameters = 0;
  Count weight_bytes = 0;
  Count kernels = 0;
  Count flops_torch = 0;   // as torch.utils.flop_counter counts
  Count flops_full = 0;    // all arithmetic: tensor + vector
  Count flops_tensor = 0;  // of matrix units
  Count flops_vector = 0;
  Count bytes_read = 0;
  Count bytes_written = 0;
  Count activation_peak_bytes = 0;
  Count kv_cache_bytes = 0;
  std::optional<Count> peak_live_bytes;  // of a whole run: with weights, buffers and inputs

  Count io_bytes() const;
  double arithmetic_intensity() const;  // FLOP (full) per byte moved
};

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
  int64_t calls = 0;  // of the module (of each of its repetitions)
  double total_time_ms = 0, total_flops_tflops = 0, total_io_tb = 0;
  double memory_weights_gb = 0, memory_activations_gb = 0, memory_kvcache_gb = 0;
  double share_of_model_time = 0;  // of FLOPs, as long as there is no time
  std::vector<OperatorMetrics> operator_breakdown;
  Figures exact;
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
  double predicted_total_time_ms = 0;
  std::vector<std::string> notes;
  Figures totals, per_forward;
  std::optional<std::string> layer_docs_dir;  // absolute
};

}  // namespace modelmeter
