// Memory over time: per stage what is resident and where the activations peak, and what is alive at the pipeline's
// peak. All figures are bytes of device memory, exact; they add up.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "cost/weight_transfers.h"
#include "hardware/stack.h"
#include "memory/device_memory.h"
#include "memory/host_memory.h"
#include "model/analytic_model.h"

namespace modelmeter {

struct MemoryOp {
  int32_t index = -1;  // of the ops recorded, a repetition once; -1: nothing runs on the device
  std::string kernel;  // "aten.addmm"
  std::string scope;   // "blocks.1.self_attn.q"
};

// Tensors that a forward keeps for what comes later.
struct MemoryRole {
  std::string name;  // "feature cache"
  int64_t bytes = 0;
};

struct StageMemory {
  std::string id;
  int64_t forwards = 1;
  int32_t first_op = 0;             // index of the first of its ops
  std::vector<int64_t> live, held;  // over its ops: everything on the device, and the weights and inputs of it
  Residents residents;
  int64_t streamed_bytes = 0;  // of its own weights those that came while it ran and are there at the peak
  WeightTransfers transfers;   // over the bus, in the whole run
  int64_t input_bytes = 0;     // inputs, and what is handed on from stage to stage
  int64_t activation_bytes = 0;
  std::vector<MemoryRole> roles;  // parts of the activations
  MemoryOp peak;
  int64_t with_workspace_bytes = 0;                 // highest live memory with the workspace of the running kernel
  MemoryOp workspace_peak;                          // where
  int64_t allocated_bytes = 0, reserved_bytes = 0;  // the allocator's peaks while it runs; 0 where it runs elsewhere

  int64_t weight_bytes() const;
  int64_t live_bytes() const;  // at its peak
};

// What is alive at the peak: weights, inputs, tensors.
struct AliveRow {
  enum class Kind { weights, inputs, tensor, other };
  Kind kind = Kind::tensor;
  std::string what;  // of weights: whose
  int64_t bytes = 0;
  std::string dtype, shape, role;
  bool grown = false;  // it grows with a repetition: the shape is that of the first, the bytes those of the last
  MemoryOp made_by;
};

// While models are loaded that are cast on the device: more is there than in the run.
struct LoadingMemory {
  std::string what;  // "loading the model"; "" where none is
  int64_t live_bytes = 0, allocated_bytes = 0, reserved_bytes = 0;
};

struct MemoryReport {
  std::string model, workload;
  Fields runtime;
  std::vector<StageMemory> stages;
  size_t peak_stage = 0;
  int64_t ops_recorded = 0;     // of these stages, a repetition once
  int64_t ops_run = 0;          // with all repetitions
  std::vector<AliveRow> alive;  // adds up to the peak
  DeviceMemory device;
  LoadingMemory loading;
  HostMemory host;
  std::optional<AllocationRecord> record;  // where it was asked for
  std::vector<std::string> notes;

  const StageMemory& peak() const { return stages[peak_stage]; }
  bool peaks_while_loading() const { return loading.live_bytes > peak().live_bytes(); }
};

// Of the whole run, or of one of its stages where an id is given. Error with a did-you-mean for a stage there is not.
// `records`: also what the allocator holds where it is fullest, and how it came to that.
MemoryReport build_memory_report(const AnalyticModel& model, const Evaluation& run, const std::string& stage = "",
                                 const Stack& stack = default_stack(), const AllocatorSettings& settings = {},
                                 bool records = false);

}  // namespace modelmeter
