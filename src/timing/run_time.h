// How long a traced run takes on a machine: each kernel by its class (timing/kernel_time.h), the clock that the power
// limit leaves (timing/clock.h), and the queues of host and device:
//
//   device   runs kernels one after another, each at the later of its launch and the end of the one before;
//            collectives (timing/collectives.h) among them, as code that waits for each does; but those that gather
//            the weights of the next layer (collective_stream) run beside it, and it waits where they take longer
//   host     launches them, each taking the time of its kind of call; where the host reads a value back, it waits
//
// Kernels that run one after another equally often (a block's, times 40) are taken together: the host is through after
// times x its time for them, the device after times x its own or when the last launch has come, whichever is later.
// Where something grows with the iteration (a KV cache), kernels are timed at up to 33 iterations and joined by
// Simpson's rule. Weights that come while a model runs are copied either in their turn, and the host waits for each, or
// on a stream beside the kernels: the host waits for a group's copies before it launches its kernels, and for the
// kernels before it lets go of the weights (unless record_stream). Weights that move between stages come first: the
// stage's wall time has them. A stage has one clock. Stages on the host's CPU are not timed; nor are first calls
// (loading kernels, cuBLAS and cuDNN handles), nor the allocator.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "cost/evaluation.h"
#include "timing/clock.h"
#include "timing/machine.h"

namespace modelmeter {

// What a kernel waits for most of its time.
enum class Bound : uint8_t { tensor, vector, memory, launch, link };
inline constexpr int bounds = 5;
const char* name_of(Bound bound);

// Times of a part of the run, all its executions. Seconds of the device add up; wall time is of stages and the run.
struct PartTime {
  double device = 0, light = 0;  // s; `light`: what no kernel beats (KernelTime::light)
  double joules = 0;             // of arithmetic and memory, without the idle device
  double by_bound[bounds] = {};  // s of `device`
  double variance = 0;           // s^2, of errors that classes of kernels make (docs/validation.md)

  void add(const PartTime& other, double share = 1);
  Bound bound() const;  // of most of it
};

struct StageTime {
  std::string stage;  // the id of the stage
  bool on_device = true;
  PartTime part;
  double host = 0, wall = 0;  // s
  double low = 0, high = 0;   // s, of wall: the interval that holds nine runs in ten
  double joules = 0;          // with the idle device while it runs
  double clock = 1;           // share of the highest
  double launches = 0;
  double flops = 0;        // of matrix units
  Count copied = 0;        // bytes of weights over the bus, but for loading
  double copies = 0;       // s that they take, some of it beside kernels
  double moves = 0;        // s of it before the stage runs
  double collectives = 0;  // s that collectives take, latency included

  bool host_bound() const { return host > part.device; }
};

struct RunTime {
  std::vector<PartTime> scopes;  // as Trace::scopes: of the ops directly in each
  std::vector<double> ops;       // as Trace::ops: s on the device, of one execution
  std::vector<StageTime> stages;

  StageTime total() const;  // stages one after another
};

class KnownProducts;

// A stage of a traced run: the ops from `first` on, before `end`.
struct StageOps {
  Residence residence;
  size_t first = 0, end = 0;
};
// In the order of the trace.
std::vector<StageOps> stage_ops(const Trace& trace);
// How often each of its ops runs, of how often scopes do. `out` is reused memory.
void executions_in(const Trace& trace, const StageOps& stage, const std::vector<int64_t>& of_scopes,
                   std::vector<int64_t>& out);

// A stage with the times of its kernels on a machine, which do not follow from how often they run: how long it takes
// for any number of executions is then one pass over them. The trace may go before it, the machine not. Not
// thread-safe.
class TimedStage {
 public:
  // Every kernel is recorded (expect_every_kernel). `known`: the machine's, where there are several stages.
  TimedStage(const Trace& trace, const StageOps& stage, const Machine& machine, KnownProducts* known = nullptr);
  TimedStage(const TimedStage&) = delete;
  TimedStage& operator=(const TimedStage&) = delete;
  ~TimedStage();

  // As time_run() has it. executions: of each op.
  StageTime time(const std::vector<int64_t>& executions);
  // The same, and of its scopes and ops in the trace that it was made of.
  StageTime time(const std::vector<int64_t>& executions, RunTime& parts);
  size_t kernels() const;  // each once

 private:
  class Timer;
  std::unique_ptr<Timer> timer_;
};

// s that the host takes for a call that launches a kernel of that kind, and for what lies between two.
double host_seconds(OpKind kind, const Host& host);

// Of a run in stages (AnalyticModel): evaluate() or evaluate_forward(); or of its trace, with how often each scope
// runs.
RunTime time_run(const Trace& trace, const std::vector<int64_t>& executions, const Machine& machine);
inline RunTime time_run(const Evaluation& run, const Machine& machine) {
  return time_run(run.trace(), run.rollup().executions, machine);
}

}  // namespace modelmeter
