#include "timing/run_time.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "cost/executions.h"
#include "cost/weight_transfers.h"
#include "timing/collectives.h"
#include "timing/known_products.h"
#include "timing/launches.h"
#include "timing/roofline.h"

namespace modelmeter {
namespace {

// Standard errors of classes of kernels on a device whose constants are fitted, from the launches held out
// (docs/validation.md, 2026-11): matrix products and attention, memory, kernels near their floor.
constexpr double error_of_tensor = 0.04, error_of_memory = 0.03, error_of_launch = 0.12;
constexpr double error_of_link = 0.1;  // of nccl.csv's rows held out
// Of the whole run: clock, temperature and the board, which all kernels share.
constexpr double error_of_board = 0.015;
// A device without a power model or a measured bandwidth is as far off as that, three times a fitted one.
constexpr double uncalibrated = 3;
constexpr double interval = 1.65;  // standard errors, for nine in ten

constexpr int64_t most_samples = 33;

double error_of(Bound bound) {
  switch (bound) {
    case Bound::tensor: return error_of_tensor;
    case Bound::vector:
    case Bound::memory: return error_of_memory;
    case Bound::launch: return error_of_launch;
    case Bound::link: return error_of_link;
  }
  return error_of_launch;
}

Bound bound_of(const KernelTime& t, double clock) {
  if (t.link) return Bound::link;
  if (t.fixed > t.seconds(clock) / 2) return Bound::launch;
  if (t.memory > t.compute / clock) return Bound::memory;
  return t.tensor ? Bound::tensor : Bound::vector;
}

// The iterations of a growing loop at which an op is timed, with weights that add up to all iterations: each one, or
// Simpson's.
struct Sample {
  int64_t at;
  double weight;
};
std::vector<Sample> samples_of(int64_t iterations) {
  std::vector<Sample> out;
  if (iterations <= most_samples) {
    for (int64_t k = 0; k < iterations; ++k) out.push_back({k, 1});
    return out;
  }
  const double step = static_cast<double>(iterations - 1) / (most_samples - 1);
  double sum = 0;
  for (int64_t i = 0; i < most_samples; ++i) {
    const double weight = i == 0 || i == most_samples - 1 ? 1 : i % 2 == 1 ? 4 : 2;
    out.push_back({std::llround(static_cast<double>(i) * step), weight});
    sum += weight;
  }
  for (Sample& sample : out) sample.weight *= static_cast<double>(iterations) / sum;
  return out;
}

// An op of a stage: its kernels in Timer::sampled_, at each sample. What follows from how often it runs is filled in by
// Timer::time().
struct TimedOp {
  size_t first, end;
  int32_t scope;
  bool launched = false, waits = false;         // waits: the host reads what it gives, or waits for its copy
  double host = 0;                              // s, of one execution
  double flops = 0;                             // of matrix units, of one execution
  double iterations = 1;                        // of a growing loop
  int64_t copied = 0;                           // bytes of weights
  bool apart = false;                           // a copy on a stream of its own: its kernels are in Timer::copies_
  bool collective = false, prefetched = false;  // prefetched: it runs beside the kernels before it
  double times = 0;                             // executions
  double beside = 0;                            // s of all of them, of a copy on a stream of its own
};

// A kernel of an op at a sample.
struct SampledKernel {
  KernelTime time;
  double weight;  // of the sample
};

}  // namespace

class TimedStage::Timer {
 public:
  // Reads what does not follow from how often ops run.
  Timer(const Trace& trace, const StageOps& stage, const Machine& machine, KnownProducts* known)
      : trace_(&trace),
        machine_(machine),
        known_(known),
        first_(stage.first),
        records_stream_(stage.residence.records_stream) {
    ideal_ = trace.execution == Execution::ideal;
    stage_.stage = trace.scopes[static_cast<size_t>(stage.residence.scope)].name;
    stage_.on_device = stage.residence.on_device;
    if (stage_.on_device) {
      move_weights(stage.residence);
      find_groups(stage.end);
      for (size_t i = stage.first; i < stage.end; ++i) add(trace.ops[i]);
    }
    trace_ = nullptr;  // it may go, as what is known may
    known_ = nullptr;
    scratch_ = {};
    sampled_.shrink_to_fit();
    ops_.shrink_to_fit();
  }

  size_t kernels() const { return sampled_.size() + copies_.size(); }

  // executions: of each op. parts, where they are wanted: of each scope and op of the trace.
  StageTime time(const std::vector<int64_t>& executions, RunTime* parts) {
    StageTime stage = stage_;
    if (!stage.on_device) return stage;
    kernels_.reserve(sampled_.size());
    for (size_t i = 0; i < ops_.size(); ++i) count(ops_[i], executions[i], stage);
    finish(stage, parts);
    kernels_ = {};  // of the many that are kept, few are timed again
    return stage;
  }

 private:
  const Trace& trace() const { return *trace_; }

  // What moves before the stage runs, tensor by tensor from and to pageable memory.
  void move_weights(const Residence& residence) {
    const double in = machine_.bus(BusMemory::pageable_source), out = machine_.bus(BusMemory::pageable_target);
    if (in == 0 || ideal()) return;
    stage_.copied = Count(residence.arriving_bytes) + Count(residence.leaving_bytes);
    stage_.moves =
        static_cast<double>(residence.arriving_bytes) / in + static_cast<double>(residence.leaving_bytes) / out;
    stage_.copies = stage_.moves;
  }

  // The ops before which a group of weights that came on a stream goes.
  void find_groups(size_t end) {
    for (size_t i = first_; i < end; ++i) {
      const Op& op = trace().ops[i];
      if (op.stream == copy_stream && is_weight_transfer(trace(), op))
        goes_.insert(trace().output(op, 0).storage->died - static_cast<int32_t>(first_));
    }
  }

  void add(const Op& op) {
    const Transfer transfer = trace().transfer_of(op);
    LaunchFlags flags;
    flags.causal = op.causal;
    flags.tf32 = op.tf32;
    flags.transfer = transfer != Transfer::none;
    const bool is_copy = is_weight_transfer(trace(), op);
    TimedOp timed{0, 0, op.scope};
    timed.apart = is_copy && op.stream == copy_stream;
    std::vector<SampledKernel>& kernels = timed.apart ? copies_ : sampled_;
    timed.first = kernels.size();
    const int64_t iterations = iterations_of(trace(), op);
    timed.iterations = static_cast<double>(iterations);
    OpAtIteration at(trace(), op);
    for (const Sample& sample : samples_of(iterations)) {
      at.move_to(sample.at);
      add_kernels(at.launch(), flags, sample.weight, kernels);
    }
    timed.end = kernels.size();
    timed.launched = launches(trace(), op);
    if (timed.launched && !ideal()) timed.host = host_seconds(info(op.kernel).kind, machine_.host());
    timed.waits = transfer == Transfer::to_host || op.kernel == Kernel::nonzero;
    timed.collective = info(op.kernel).kind == OpKind::collective;
    timed.prefetched = timed.collective && op.stream == collective_stream;
    if (is_copy) add_copy(op, timed);
    timed.flops = static_cast<double>(cost_of(trace(), op).flops_tensor);
    ops_.push_back(timed);
  }

  // Its time is that of the copy alone where that is beside the kernels; else the host waits for it. Where memory is
  // pinned for each copy the host copies the weights there first.
  void add_copy(const Op& op, TimedOp& timed) const {
    timed.copied = trace().output(op, 0).bytes;
    if (!ideal() && trace().input(op, 0).storage->role == pinned_anew_role) {
      timed.host += static_cast<double>(timed.copied) / machine_.host().pageable_to_device;
    }
    timed.waits = !timed.apart;
  }

  bool ideal() const { return ideal_; }

  void add_kernels(const Launch& launch, const LaunchFlags& flags, double weight, std::vector<SampledKernel>& out) {
    if (info(launch.kernel).kind == OpKind::collective) {
      // A recording does not say of which group they are.
      if (group_of(launch.params).size > 0 && !is_recorded(launch.kernel)) {
        out.push_back({collective_kernel(launch), weight});
      }
      return;
    }
    if (ideal() && !flags.transfer) {
      if (launches(launch)) out.push_back({roofline_time(launch, flags, machine_), weight});
      return;
    }
    scratch_.clear();
    device_kernels(launch, flags, machine_, scratch_);
    for (const DeviceKernel& kernel : scratch_) {
      const bool kept = known_ != nullptr && kernel.shape == KernelShape::gemm;
      out.push_back({kept ? known_->time(kernel, machine_) : time_of(kernel, machine_), weight});
    }
  }

  KernelTime collective_kernel(const Launch& launch) const {
    const Cluster* cluster = machine_.cluster();
    if (cluster == nullptr) {
      throw Error(fmt::format("several {} run this together: how are they connected?", machine_.device().id), {},
                  {"cluster=NAME says it: a file of configs/cluster, or one of your own"});
    }
    const CollectiveTime time = collective_time(launch, *cluster);
    KernelTime out;
    out.link = true;
    const Quantity& link = time.crosses_nodes ? cluster->network_bandwidth : cluster->link_bandwidth;
    out.light = time.link_bytes / link.value;
    out.fixed = ideal() ? 0 : time.latency;
    out.memory = ideal() ? out.light : time.transfer;
    return out;
  }

  // --- with how often each op runs ---

  void count(TimedOp& op, int64_t executions, StageTime& stage) {
    op.times = static_cast<double>(executions);
    op.beside = 0;
    const auto times_of = [&](const SampledKernel& kernel) { return op.times * kernel.weight / op.iterations; };
    if (!op.apart) {
      for (size_t i = op.first; i < op.end; ++i) kernels_.push_back({sampled_[i].time, times_of(sampled_[i])});
    }
    if (op.launched) stage.launches += op.times;
    if (op.copied > 0) {
      const std::vector<SampledKernel>& kernels = op.apart ? copies_ : sampled_;
      double seconds = 0;
      for (size_t i = op.first; i < op.end; ++i) seconds += kernels[i].time.seconds(1) * times_of(kernels[i]);
      stage.copied += Count(op.copied) * executions;
      stage.copies += seconds;
      if (op.apart) op.beside = seconds;
    }
    stage.flops += op.flops * op.times;
  }

  // Kernels without those that run beside others, whose seconds are none of the run's.
  std::vector<TimedKernel> one_after_another() const {
    std::vector<TimedKernel> out = kernels_;
    for (const TimedOp& op : ops_) {
      for (size_t i = op.first; op.prefetched && i < op.end; ++i) out[i].times = 0;
    }
    return out;
  }

  void finish(StageTime& stage, RunTime* parts) {
    const Device& device = machine_.device();
    const RunPower power = ideal() ? RunPower() : solve_clock(one_after_another(), device);
    stage.clock = power.clock;
    for (size_t at = 0; at < ops_.size(); ++at) {
      const TimedOp& op = ops_[at];
      PartTime part;
      for (size_t i = op.first; i < op.end && !op.apart; ++i) {
        const KernelTime& t = kernels_[i].time;
        const double clock = clock_of(t, power.clock, power.mean_watts, device);
        const double seconds = t.seconds(clock) * kernels_[i].times;
        part.device += seconds;
        part.light += t.light * kernels_[i].times;
        part.joules += (t.joules + t.joules_at_clock * clock * clock) * kernels_[i].times;
        part.by_bound[static_cast<size_t>(bound_of(t, clock))] += seconds;
      }
      if (op.collective) stage.collectives += part.device;
      if (op.prefetched) {
        if (parts != nullptr) parts->ops[first_ + at] = op.times > 0 ? part.device / op.times : 0;
        prefetch(op, part.device, stage);
        continue;
      }
      if (parts != nullptr) {
        parts->scopes[static_cast<size_t>(op.scope)].add(part);
        parts->ops[first_ + at] = op.times > 0 ? (part.device + op.beside) / op.times : 0;
      }
      stage.part.add(part);
      queue(at, part.device, stage);
    }
    flush(stage);
    stage.wall = std::max({host_end_, device_end_, copies_end_}) + stage.moves;
    add_interval(stage);
    if (device.power) stage.joules = stage.part.joules + device.power->idle.value * stage.wall;
    host_end_ = device_end_ = copies_end_ = gathers_end_ = group_times_ = 0;
    copying_ = false;
  }

  // --- the queues ---

  void prefetch(const TimedOp& op, double seconds, StageTime& stage) {
    if (op.times != group_times_) flush(stage);
    group_times_ = op.times;
    group_host_ += op.host * op.times;
    group_gathers_ += seconds;
  }

  void queue(size_t index, double device, StageTime& stage) {
    const TimedOp& op = ops_[index];
    const bool copies = op.beside > 0;
    if ((copies && !copying_) || goes_.count(static_cast<int32_t>(index)) != 0) wait_for_group(stage);
    copying_ = copies;
    if (op.times != group_times_) flush(stage);
    group_times_ = op.times;
    group_host_ += op.host * op.times;
    if (copies) {
      copies_end_ = std::max(copies_end_, host_end_) + op.beside;
      return;
    }
    group_device_ += device;
    last_ = op.times > 0 ? device / op.times : 0;
    if (!op.waits) return;
    flush(stage);
    host_end_ = std::max(host_end_, device_end_);
  }

  // Before the kernels of the next group are launched: its weights are there, and those of the group before have gone.
  void wait_for_group(StageTime& stage) {
    flush(stage);
    host_end_ = std::max(host_end_, copies_end_);
    if (!records_stream_) host_end_ = std::max(host_end_, device_end_);
  }

  void flush(StageTime& stage) {
    host_end_ += group_host_;
    if (group_gathers_ > 0) {
      // They begin while the layer before runs; the last layer follows the last of them.
      const double layer = group_device_ / std::max(group_times_, 1.0);
      gathers_end_ = std::max({gathers_end_, device_end_ - layer, 0.0}) + group_gathers_;
      device_end_ = std::max(device_end_ + group_device_, gathers_end_ + layer);
    } else {
      device_end_ += group_device_;
    }
    device_end_ = std::max(device_end_, host_end_ + last_);
    stage.host += group_host_;
    group_host_ = group_device_ = group_gathers_ = last_ = 0;
  }

  void add_interval(StageTime& stage) const {
    const Device& device = machine_.device();
    double variance = 0;
    for (int b = 0; b < bounds; ++b) {
      const double error = error_of(static_cast<Bound>(b)) * stage.part.by_bound[b];
      variance += error * error;
    }
    const double board = error_of_board * stage.part.device;
    variance += board * board;
    stage.part.variance = variance;
    const double factor = ideal() ? 0 : interval * (device.power && device.memory_fraction.known() ? 1 : uncalibrated);
    const double spread = std::sqrt(variance) * factor, host_spread = machine_.host().spread * stage.host;
    // Each queue is off by its own; the wall time follows the longer.
    const double beside = stage.wall - std::max(stage.part.device, std::min(stage.host, stage.wall));
    stage.low = std::max(stage.part.device - spread, stage.host - host_spread) + beside;
    stage.high = std::max(stage.part.device + spread, stage.host + host_spread) + beside;
  }

  const Trace* trace_;  // while it is read
  const Machine& machine_;
  KnownProducts* known_;
  size_t first_;     // op of the trace
  StageTime stage_;  // what does not follow from how often ops run
  std::vector<SampledKernel> sampled_, copies_;
  std::vector<TimedOp> ops_;
  std::unordered_set<int32_t> goes_;
  bool records_stream_, ideal_ = false;
  // While a time is found.
  std::vector<TimedKernel> kernels_;  // as sampled_
  std::vector<DeviceKernel> scratch_;
  bool copying_ = false;
  double host_end_ = 0, device_end_ = 0, copies_end_ = 0, gathers_end_ = 0;
  double group_times_ = 0, group_host_ = 0, group_device_ = 0, group_gathers_ = 0, last_ = 0;
};

TimedStage::TimedStage(const Trace& trace, const StageOps& stage, const Machine& machine, KnownProducts* known)
    : timer_(std::make_unique<Timer>(trace, stage, machine, known)) {}

TimedStage::~TimedStage() = default;

StageTime TimedStage::time(const std::vector<int64_t>& executions) { return timer_->time(executions, nullptr); }

StageTime TimedStage::time(const std::vector<int64_t>& executions, RunTime& parts) {
  return timer_->time(executions, &parts);
}

size_t TimedStage::kernels() const { return timer_->kernels(); }

std::vector<StageOps> stage_ops(const Trace& trace) {
  std::vector<StageOps> out;
  for (const Residence& residence : trace.residences) out.push_back({residence});
  std::sort(out.begin(), out.end(),
            [](const StageOps& a, const StageOps& b) { return a.residence.scope < b.residence.scope; });
  size_t at = 0;
  for (StageOps& stage : out) {
    const auto within = [&] { return trace.is_within(trace.ops[at].scope, stage.residence.scope); };
    while (at < trace.ops.size() && !within()) ++at;
    stage.first = at;
    while (at < trace.ops.size() && within()) ++at;
    stage.end = at;
  }
  return out;
}

void executions_in(const Trace& trace, const StageOps& stage, const std::vector<int64_t>& of_scopes,
                   std::vector<int64_t>& out) {
  out.clear();
  for (size_t i = stage.first; i < stage.end; ++i) {
    out.push_back(of_scopes[static_cast<size_t>(trace.ops[i].scope)]);
  }
}

double host_seconds(OpKind kind, const Host& host) {
  switch (kind) {
    case OpKind::matmul: return host.matmul + host.python;
    case OpKind::norm: return host.norm + host.python;
    case OpKind::attention: return host.attention + host.python;
    case OpKind::conv: return host.convolution + host.python;
    case OpKind::allocate: return host.python;
    default: return host.elementwise + host.python;
  }
}

const char* name_of(Bound bound) {
  switch (bound) {
    case Bound::tensor: return "tensor";
    case Bound::vector: return "vector";
    case Bound::memory: return "memory";
    case Bound::launch: return "launch";
    case Bound::link: return "link";
  }
  return "";
}

void PartTime::add(const PartTime& other, double share) {
  device += other.device / share;
  light += other.light / share;
  joules += other.joules / share;
  variance += other.variance / share;
  for (int b = 0; b < bounds; ++b) by_bound[b] += other.by_bound[b] / share;
}

Bound PartTime::bound() const {
  return static_cast<Bound>(std::max_element(std::begin(by_bound), std::end(by_bound)) - std::begin(by_bound));
}

StageTime RunTime::total() const {
  StageTime out;
  double seconds = 0;
  out.clock = 0;
  for (const StageTime& s : stages) {
    if (!s.on_device) continue;
    out.part.add(s.part);
    out.host += s.host;
    out.wall += s.wall;
    out.low += s.low;
    out.high += s.high;
    out.joules += s.joules;
    out.launches += s.launches;
    out.flops += s.flops;
    out.copied += s.copied;
    out.copies += s.copies;
    out.moves += s.moves;
    out.collectives += s.collectives;
    out.clock += s.clock * s.part.device;
    seconds += s.part.device;
  }
  out.clock = seconds > 0 ? out.clock / seconds : 1;
  return out;
}

RunTime time_run(const Trace& trace, const std::vector<int64_t>& executions, const Machine& machine) {
  expect_every_kernel(trace);
  RunTime out;
  out.scopes.resize(trace.scopes.size());
  out.ops.resize(trace.ops.size());
  std::vector<int64_t> times;
  for (const StageOps& stage : stage_ops(trace)) {
    executions_in(trace, stage, executions, times);
    out.stages.push_back(TimedStage(trace, stage, machine).time(times, out));
  }
  return out;
}

}  // namespace modelmeter
