// A whole run on the caching allocator: weights as they come and go with the stages, the ops' allocations in their
// order, workspaces of libraries. What torch.cuda.max_memory_allocated() and max_memory_reserved() then say.
//
// Weights are allocated tensor by tensor in the order in which their modules declare them, before the stage that needs
// them; a stage's inputs, and what is held beside it, as one block. Models that are cast on the device come first, in
// float32. Not modelled: what moving weights takes beside them, and what the stages hand on is not where the stage
// before left it.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "memory/caching_allocator.h"
#include "memory/known_runs.h"
#include "memory/stage_programs.h"
#include "model/analytic_model.h"

namespace modelmeter {

struct ReplayedStage {
  std::string id;
  int64_t peak_allocated = 0, peak_reserved = 0;  // while it ran, in bytes
};

// An allocation that the device had no room for.
struct OutOfMemory {
  std::string stage;
  int64_t requested = 0, allocated = 0, reserved = 0;  // bytes; the latter two when it was asked for
  int32_t op = -1;  // of those of the stage, loops over chunks written out; -1: it was for weights or inputs
  std::string kernel = {}, scope = {};  // whose it was (name_failure())
};

struct RunReplay {
  std::vector<ReplayedStage> stages;
  std::vector<ReplayedStage> loading;  // none, or one: where models are cast on the device
  int64_t loading_live = 0;            // bytes of weights at its peak
  int64_t peak_allocated = 0, peak_reserved = 0;
  int64_t allocated_before = 0;     // of replay_forward(): weights, inputs and workspaces that are there when it begins
  int64_t cublas_workspace = 0;     // bytes that a handle of cuBLAS keeps; 0 where no matrix product runs
  int64_t retries = 0;              // how often the device was full and freed segments went back to it
  int64_t fullest = 0;              // CachingAllocator::fullest()
  std::vector<OutOfMemory> failed;  // none, or the one at which the run ends
};

// What an allocation log's makers are: AllocationMaker::of counts these.
struct Allocated {
  std::string what;   // "aten.addmm", "weights: diffusion/dit"
  std::string scope;  // of an op: "blocks.1.self_attn.q"
  int32_t op = -1;    // of the ops of its stage, loops over chunks written out
};

// A run's allocations up to where the allocator is fullest: most is reserved, and of that most is allocated.
// Repetitions that bring nothing new are left out.
struct AllocationRecord {
  AllocationLog log;
  std::vector<Allocated> makers;
};

// What is on the device while the stage with that id runs; what runs between the stages has what the first has.
Residents residents_of(const AnalyticModel& model, const std::string& id);

// A stage as the allocator sees it.
struct StageRun {
  std::string id;
  const Residents* there = nullptr;
  int64_t beside_bytes = 0;                    // inputs, and what is held beside it
  const AllocationProgram* program = nullptr;  // null: it runs on the host
};

// The stages one after another, when the models are loaded. `known`: of runs before, with the same settings but for
// expandable segments; their programs are still there.
RunReplay replay_stages(const std::vector<StageRun>& run, const std::vector<LoadedModel>& loading, const Stack& stack,
                        const AllocatorSettings& settings, KnownRuns* known = nullptr);
// Says whose the allocation was that found no room; traces the run.
void name_failure(const AnalyticModel& model, RunReplay& replay);

// The run of the configuration, stage by stage; `only`: one stage of it by itself, by its id.
RunReplay replay_run(const AnalyticModel& model, const Stack& stack, const AllocatorSettings& settings = {},
                     const std::string& only = "");
// The same of a run that is traced, with programs of stages that others may have had before.
RunReplay replay_run(const AnalyticModel& model, const Trace& trace, StagePrograms& programs,
                     const AllocatorSettings& settings, const std::string& only = "");

// The same run once more, recorded up to the allocation at which `replay`, its result, was fullest.
AllocationRecord record_run(const AnalyticModel& model, const Trace& trace, StagePrograms& programs,
                            const AllocatorSettings& settings, const RunReplay& replay, const std::string& only = "");

// A forward of one stage with its weights alone on the device, after another like it: what a benchmark of it measures.
RunReplay replay_forward(const Stage& stage, const Stack& stack, const AllocatorSettings& settings = {});

}  // namespace modelmeter
