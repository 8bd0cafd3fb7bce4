#include "timing/run_time.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <unordered_set>

#include "base/error.h"
#include "cost/executions.h"
#include "cost/weight_transfers.h"
#include "timing/launches.h"
#include "timing/roofline.h"

namespace modelmeter {
namespace {

// Standard errors of classes of kernels on a device whose constants are fitted, from the launches held out
// (docs/validation.md, 2026-11): matrix products and attention, memory, kernels near their floor.
constexpr double error_of_tensor = 0.04, error_of_memory = 0.03, error_of_launch = 0.12;
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
  }
  return error_of_launch;
}

Bound bound_of(const KernelTime& t, double clock) {
  if (t.fixed > t.seconds(clock) / 2) return Bound::launch;
  if (t.memory > t.compute / clock) return Bound::memory;
  return t.tensor ? Bound::tensor : Bound::vector;
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

// An op of a stage: its kernels in StageTimer::kernels_, at each sample.
struct TimedOp {
  size_t index;  // in Trace::ops
  size_t first, end;
  int32_t scope;
  double times;        // executions
  double host;         // s, of one execution
  bool waits = false;  // the host reads what it gives, or waits for its copy
  double beside = 0;   // s of all its executions, of a copy on a stream of its own
};

class StageTimer {
 public:
  StageTimer(const Trace& trace, const std::vector<int64_t>& executions, const Machine& machine, RunTime& out)
      : trace_(trace), executions_(executions), machine_(machine), out_(out) {}

  void time(const Residence& residence, size_t first, size_t end) {
    kernels_.clear();
    ops_.clear();
    StageTime stage;
    stage.stage = trace().scopes[static_cast<size_t>(residence.scope)].name;
    stage.on_device = residence.on_device;
    records_stream_ = residence.records_stream;
    if (residence.on_device) {
      move_weights(residence, stage);
      find_groups(first, end);
      for (size_t i = first; i < end; ++i) add(i, stage);
      finish(stage);
    }
    out_.stages.push_back(std::move(stage));
  }

 private:
  const Trace& trace() const { return trace_; }

  // What moves before the stage runs, tensor by tensor from and to pageable memory.
  void move_weights(const Residence& residence, StageTime& stage) {
    const double in = machine_.bus(BusMemory::pageable_source), out = machine_.bus(BusMemory::pageable_target);
    if (in == 0 || ideal()) return;
    stage.copied = Count(residence.arriving_bytes) + Count(residence.leaving_bytes);
    stage.moves =
        static_cast<double>(residence.arriving_bytes) / in + static_cast<double>(residence.leaving_bytes) / out;
    stage.copies = stage.moves;
  }

  // The ops before which a group of weights that came on a stream goes.
  void find_groups(size_t first, size_t end) {
    goes_.clear();
    for (size_t i = first; i < end; ++i) {
      const Op& op = trace().ops[i];
      if (op.stream == copy_stream && is_weight_transfer(trace(), op))
        goes_.insert(trace().output(op, 0).storage->died);
    }
  }

  void add(size_t index, StageTime& stage) {
    const Op& op = trace().ops[index];
    const auto times = static_cast<double>(executions_[static_cast<size_t>(op.scope)]);
    const Transfer transfer = trace().transfer_of(op);
    LaunchFlags flags;
    flags.causal = op.causal;
    flags.tf32 = op.tf32;
    flags.transfer = transfer != Transfer::none;
    TimedOp timed{index, kernels_.size(), 0, op.scope, times, 0, false};
    const int64_t iterations = iterations_of(trace(), op);
    OpAtIteration at(trace(), op);
    for (const Sample& sample : samples_of(iterations)) {
      at.move_to(sample.at);
      add_kernels(at.launch(), flags, times * sample.weight / static_cast<double>(iterations));
    }
    timed.end = kernels_.size();
    const bool launched = launches(trace(), op);
    if (launched) {
      if (!ideal()) timed.host = host_seconds(info(op.kernel).kind, machine_.host());
      stage.launches += times;
    }
    timed.waits = transfer == Transfer::to_host || op.kernel == Kernel::nonzero;
    if (is_weight_transfer(trace(), op)) add_copy(op, timed, stage);
    const OpCost cost = cost_of(trace(), op);
    stage.flops += static_cast<double>(cost.flops_tensor) * times;
    ops_.push_back(timed);
  }

  // Its time is that of the copy alone where that is beside the kernels; else the host waits for it. Where memory is
  // pinned for each copy the host copies the weights there first.
  void add_copy(const Op& op, TimedOp& timed, StageTime& stage) {
    double seconds = 0;
    for (size_t i = timed.first; i < timed.end; ++i) seconds += kernels_[i].time.seconds(1) * kernels_[i].times;
    stage.copied += Count(trace().output(op, 0).bytes) * executions_[static_cast<size_t>(op.scope)];
    stage.copies += seconds;
    if (!ideal() && trace().input(op, 0).storage->role == pinned_anew_role) {
      timed.host += static_cast<double>(trace().output(op, 0).bytes) / machine_.host().pageable_to_device;
    }
    timed.waits = op.stream != copy_stream;
    if (timed.waits) return;
    timed.beside = seconds;
    kernels_.resize(timed.first);
    timed.end = timed.first;
  }

  bool ideal() const { return trace().execution == Execution::ideal; }

  void add_kernels(const Launch& launch, const LaunchFlags& flags, double times) {
    if (ideal() && !flags.transfer) {
      if (launches(launch)) kernels_.push_back({roofline_time(launch, flags, machine_), times});
      return;
    }
    scratch_.clear();
    device_kernels(launch, flags, machine_, scratch_);
    for (const DeviceKernel& kernel : scratch_) kernels_.push_back({time_of(kernel, machine_), times});
  }

  void finish(StageTime& stage) {
    const Device& device = machine_.device();
    const RunPower power = ideal() ? RunPower() : solve_clock(kernels_, device);
    stage.clock = power.clock;
    for (const TimedOp& op : ops_) {
      PartTime part;
      for (size_t i = op.first; i < op.end; ++i) {
        const KernelTime& t = kernels_[i].time;
        const double clock = clock_of(t, power.clock, power.mean_watts, device);
        const double seconds = t.seconds(clock) * kernels_[i].times;
        part.device += seconds;
        part.light += t.light * kernels_[i].times;
        part.joules += (t.joules + t.joules_at_clock * clock * clock) * kernels_[i].times;
        part.by_bound[static_cast<size_t>(bound_of(t, clock))] += seconds;
      }
      out_.scopes[static_cast<size_t>(op.scope)].add(part);
      out_.ops[op.index] = op.times > 0 ? (part.device + op.beside) / op.times : 0;
      stage.part.add(part);
      queue(op, part.device, stage);
    }
    flush(stage);
    stage.wall = std::max({host_end_, device_end_, copies_end_}) + stage.moves;
    add_interval(stage);
    if (device.power) stage.joules = stage.part.joules + device.power->idle.value * stage.wall;
    host_end_ = device_end_ = copies_end_ = 0;
    copying_ = false;
  }

  // --- the queues ---

  void queue(const TimedOp& op, double device, StageTime& stage) {
    const bool copies = op.beside > 0;
    if ((copies && !copying_) || goes_.count(static_cast<int32_t>(op.index)) != 0) wait_for_group(stage);
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
    device_end_ = std::max(device_end_ + group_device_, host_end_ + last_);
    stage.host += group_host_;
    group_host_ = group_device_ = last_ = 0;
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

  const Trace& trace_;
  const std::vector<int64_t>& executions_;
  const Machine& machine_;
  RunTime& out_;
  std::vector<TimedKernel> kernels_;
  std::vector<TimedOp> ops_;
  std::vector<DeviceKernel> scratch_;
  std::unordered_set<int32_t> goes_;
  bool records_stream_ = false, copying_ = false;
  double host_end_ = 0, device_end_ = 0, copies_end_ = 0;
  double group_times_ = 0, group_host_ = 0, group_device_ = 0, last_ = 0;
};

}  // namespace

const char* name_of(Bound bound) {
  switch (bound) {
    case Bound::tensor: return "tensor";
    case Bound::vector: return "vector";
    case Bound::memory: return "memory";
    case Bound::launch: return "launch";
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
  StageTimer timer(trace, executions, machine, out);
  std::vector<Residence> residences = trace.residences;
  std::sort(residences.begin(), residences.end(),
            [](const Residence& a, const Residence& b) { return a.scope < b.scope; });
  size_t at = 0;
  for (const Residence& residence : residences) {
    while (at < trace.ops.size() && !trace.is_within(trace.ops[at].scope, residence.scope)) ++at;
    const size_t first = at;
    while (at < trace.ops.size() && trace.is_within(trace.ops[at].scope, residence.scope)) ++at;
    timer.time(residence, first, at);
  }
  return out;
}

}  // namespace modelmeter
