// Does a run fit the memory of a device, and which of its settings make it fit at what price: each way is evaluated,
// its allocations replayed on the device's allocator (memory/run_replay.h) and its kernels timed (timing/run_time.h).
//
// A run fits where every allocation finds room, be it after the allocator has given freed segments back. What loading
// the weights takes beside them is not in it. Predicted peaks are within 1 % of measured ones (docs/memory.md): a
// margin below that is called close.
#pragma once

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "memory/run_replay.h"
#include "timing/machine.h"

namespace modelmeter {

// The model of the configuration with more overrides. Error where it is refused.
using ModelOf = std::function<std::unique_ptr<AnalyticModel>(const std::vector<std::string>& overrides)>;

struct FitQuestion {
  int64_t memory = 0;  // of the device, bytes
  const Stack* stack = nullptr;
  const Machine* machine = nullptr;  // null: nothing is timed
  AllocatorSettings settings;        // but for its capacity

  // What is left of it for the allocator's segments; Error where the context alone takes all.
  int64_t capacity() const;
};

// One way to run.
struct FitWay {
  std::vector<std::string> overrides;  // beside those of the configuration
  std::vector<std::string> notes;      // what each changes beside memory
  bool fits = false;
  int64_t allocated = 0, reserved = 0;  // the allocator's peaks; where it does not fit, on a device with room enough
  int64_t retries = 0;                  // how often segments had to go back to the device first
  std::vector<OutOfMemory> failed;      // none, or where it ends
  Count copied = 0;                     // bytes of weights over the bus, loading among them
  std::optional<double> seconds;        // of the run with those copies; none without a machine
  bool on_host = false;                 // a stage runs on the host, which is not timed

  int64_t nvidia_smi(const Stack& stack) const { return reserved + stack.cuda_context.value; }
};

FitWay evaluate_way(const ModelOf& model_of, const std::vector<std::string>& overrides, const FitQuestion& question);

// Ways that fit by what can be set (residency, the text encoder on the CPU, 16-bit weights, tiles, the other code
// base), fastest first, without a machine those that copy least first. Not listed: a way of which a part fits and is no
// slower.
std::vector<FitWay> ways_that_fit(const ModelOf& model_of, const FitQuestion& question);

// The largest workload of those with the given override values that fits; nothing where none does. The values ascend in
// what they need; those that the configuration refuses are passed over.
std::optional<FitWay> largest_that_fits(const ModelOf& model_of, const std::vector<std::vector<std::string>>& workloads,
                                        const FitQuestion& question);

}  // namespace modelmeter
