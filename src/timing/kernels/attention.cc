// Fused attention: blocks of queries, each over all its keys, on the SMs in waves.
//
//   blocks = batch x heads x ceil(queries / rows)
//   share  = 4 rows head (keys + overhead) / rate of an SM
//   t      = fixed + sum over waves of (blocks on an SM) x share
//
// with heads padded to a multiple that the kernel is for, and keys to its step. A block that has an SM for itself takes
// longer than its share of a full one. A causal block sees its keys only: blocks of all lengths are dealt out, and the
// last to end is on average half of the longest. FlashAttention 2 splits the keys where blocks would leave SMs idle
// (flash_api.cpp: num_splits_heuristic), cuDNN those of a few queries; both are then bound by reading them. Constants
// are the stack's, by kernel, head size and architecture; no rate is above that of the device's matrix units.
#include <algorithm>
#include <string_view>
#include <vector>

#include "base/error.h"
#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

// Of the vector rate, in float32, and what a block alone takes of its share; measured on the H100 at a head of 384, one
// block and two on an SM (2026-11).
constexpr double vector_share = 0.705, vector_alone = 1.44;
constexpr double causal_tail = 0.5;                                   // of the longest block
constexpr double few_queries = 16;                                    // of which cuDNN splits the keys
constexpr double few_queries_fixed = 6.5e-6, few_queries_rate = 1.6;  // s; of the kernel's rate (H100, 2026-11)
// FlashAttention's split kernels (flash_fwd_launch_template.h): queries of a block, keys of a step by head size.
constexpr double split_rows = 64, combine = 3.3e-6;  // s, of adding the parts up (H100, 2026-11)
constexpr double most_splits = 128, good_enough = 0.85, enough_blocks = 0.8;

double padded(double size, double step) { return std::ceil(size / step) * step; }

double split_step(double head) { return head <= 64 ? 256 : head <= 128 ? 128 : 64; }

// The fewest parts that keep the SMs nearly as busy as the best number does; 1: no split.
double flash_splits(const DeviceKernel& kernel, double sms) {
  const double blocks = kernel.batch * std::ceil(kernel.m / split_rows), slots = 2 * sms;
  if (!kernel.splits || blocks >= enough_blocks * slots) return 1;
  const double steps = std::ceil(kernel.n / split_step(kernel.k));
  const double most = std::min({most_splits, slots, steps});
  std::vector<double> busy;
  double best = 0;
  for (int64_t parts = 1; static_cast<double>(parts) <= most; ++parts) {
    const auto s = static_cast<double>(parts);
    const bool changes = s == 1 || std::ceil(steps / s) != std::ceil(steps / (s - 1));
    const double waves = blocks * s / slots;
    busy.push_back(changes ? waves / std::ceil(waves) : 0);
    best = std::max(best, busy.back());
  }
  for (size_t i = 0; i < busy.size(); ++i) {
    if (busy[i] >= good_enough * best) return static_cast<double>(i + 1);
  }
  return 1;
}

const AttentionConstants& constants_of(const DeviceKernel& kernel, const Machine& machine) {
  const auto& kernels = machine.kernels().attention;
  const auto found = kernels.find(kernel.attention);
  if (found == kernels.end()) {
    throw Error(std::string("the stack ") + machine.stack().id + " has no attention kernel " + kernel.attention +
                " for " + machine.kernels().name);
  }
  const auto head = found->second.lower_bound(static_cast<int64_t>(kernel.k));
  if (head == found->second.end()) {
    throw Error(std::string("attention kernel ") + kernel.attention + " is for smaller heads than " +
                std::to_string(static_cast<int64_t>(kernel.k)));
  }
  return head->second;
}

// s of blocks over so many keys each.
class Waves {
 public:
  Waves(const DeviceKernel& kernel, const AttentionConstants& a, double rows, const Machine& machine)
      : a_(a), sms_(machine.sms()), vector_(*kernel.precision == '\0') {
    const double peak = vector_ ? machine.vector_rate() * vector_share : machine.tensor_rate(kernel.precision);
    const double rate = std::min(a.per_clock * machine.clock(), peak / sms_) * (kernel.masked ? a.masked : 1);
    of_a_key_ = 4 * rows * padded(kernel.k, a.pad) / rate;
  }

  double all(double blocks, double keys) const {
    const double slots = sms_ * a_.blocks, full = std::floor(blocks / slots), rest = blocks - full * slots;
    return full * wave(a_.blocks, keys) + (rest > 0 ? wave(std::ceil(rest / sms_), keys) : 0);
  }
  double causal(double blocks, double keys, double mean_keys) const {
    if (blocks <= sms_ * a_.blocks) return wave(std::ceil(blocks / sms_), keys);
    return blocks / sms_ * share(mean_keys) + causal_tail * wave(a_.blocks, keys);
  }

 private:
  double share(double keys) const { return of_a_key_ * (keys + a_.keys); }
  double wave(double resident, double keys) const {
    return share(keys) * std::max(resident, vector_ ? vector_alone : a_.alone);
  }

  const AttentionConstants& a_;
  double sms_, of_a_key_ = 0;
  bool vector_;
};

double compute_seconds(const DeviceKernel& kernel, const AttentionConstants& a, const Machine& machine) {
  const std::string_view name = kernel.attention;
  if (name == "cudnn" && kernel.m <= few_queries) {
    const double rate = few_queries_rate * a.per_clock * machine.clock() * machine.sms();
    return 4 * kernel.batch * a.rows * padded(kernel.k, a.pad) * padded(kernel.n, a.step) / rate;
  }
  const double splits = name == "flash" ? flash_splits(kernel, machine.sms()) : 1;
  if (splits > 1) {
    const double step = split_step(kernel.k);
    const double keys = std::ceil(std::ceil(kernel.n / step) / splits) * step;
    return Waves(kernel, a, split_rows, machine).all(kernel.batch * std::ceil(kernel.m / split_rows) * splits, keys);
  }
  const double blocks = kernel.batch * std::ceil(kernel.m / a.rows), keys = padded(kernel.n, a.step);
  const Waves waves(kernel, a, a.rows, machine);
  if (!kernel.causal) return waves.all(blocks, keys);
  return waves.causal(blocks, keys, std::max(a.step, keys - kernel.m / 2 + a.rows / 2));
}

double fixed_seconds(const DeviceKernel& kernel, const AttentionConstants& a, const Machine& machine) {
  const std::string_view name = kernel.attention;
  if (name == "cudnn" && kernel.m <= few_queries) return few_queries_fixed;
  return machine.start(a.fixed) + (name == "flash" && flash_splits(kernel, machine.sms()) > 1 ? combine : 0);
}

}  // namespace

KernelTime attention_time(const DeviceKernel& kernel, const Machine& machine) {
  const AttentionConstants& a = constants_of(kernel, machine);
  const double flops = 4 * kernel.batch * kernel.m * kernel.n * kernel.k * (kernel.causal ? 0.5 : 1);
  KernelTime t;
  t.fixed = fixed_seconds(kernel, a, machine);
  t.compute = compute_seconds(kernel, a, machine);
  t.memory = kernel.bytes() / machine.bandwidth();
  t.tensor = true;
  const bool tensor = *kernel.precision != '\0';
  const double peak = tensor ? machine.tensor_rate(kernel.precision) : machine.vector_rate();
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    const bool flash = std::string_view(kernel.attention) == "flash";
    t.joules_at_clock = flops * (flash ? power->attention.value : power->tensor.value);
    t.joules = machine.from_memory(kernel.bytes(), 0) * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
