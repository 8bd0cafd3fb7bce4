// Fused attention: blocks of queries, each over all its keys, on the SMs in waves.
//
//   blocks = batch x heads x ceil(queries / rows),  waves = ceil(blocks / (SMs x blocks on an SM))
//   t = fixed + waves x 4 rows head (keys + overhead) / (rate of an SM / blocks on an SM)
//
// A causal block sees its keys only: on average half of them, and the last block all. Keys count in steps of 64. Few
// queries (a decode step) split the keys over the SMs and are bound by reading them. Constants are the stack's, by
// kernel, head size and architecture; no rate is above that of the device's matrix units.
#include <algorithm>
#include <string_view>

#include "base/error.h"
#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

constexpr double key_step = 64;
constexpr double vector_share =
    0.49;                           // of the vector rate, in float32; measured on the H100 at a head of 384 (2026-11)
constexpr double few_queries = 16;  // of which the keys are split
constexpr double combine = 4.5e-6;  // s, of adding the parts up; measured on the H200 (2026-11): 8.2 us at 284 keys

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

double compute_seconds(const DeviceKernel& kernel, const AttentionConstants& a, const Machine& machine) {
  const double peak =
      *kernel.precision != '\0' ? machine.tensor_rate(kernel.precision) : machine.vector_rate() * vector_share;
  const double per_sm = std::min(a.per_clock * machine.clock(), peak / machine.sms()) * (kernel.masked ? a.masked : 1);
  const double all_keys = std::ceil(kernel.n / key_step) * key_step;
  const double mean_keys = kernel.causal ? std::max(key_step, all_keys - kernel.m / 2 + a.rows / 2) : all_keys;
  const double blocks = kernel.batch * std::ceil(kernel.m / a.rows);
  const double resident = std::clamp(std::ceil(blocks / machine.sms()), 1.0, a.blocks);
  const double of_a_block = 4 * a.rows * kernel.k * resident / per_sm;
  const bool splits = std::string_view(kernel.attention) != "efficient";
  if (splits && kernel.m <= few_queries) {
    // A block of rows is computed, whatever is used of it.
    return combine + 4 * kernel.batch * a.rows * kernel.k * all_keys / (per_sm * machine.sms());
  }
  const double waves = std::ceil(blocks / (machine.sms() * a.blocks));
  // A causal wave is over when its longest block is; long and short ones are dealt out evenly.
  const double longest = of_a_block * (all_keys + a.keys);
  return std::max(waves * of_a_block * (mean_keys + a.keys), longest);
}

}  // namespace

KernelTime attention_time(const DeviceKernel& kernel, const Machine& machine) {
  const AttentionConstants& a = constants_of(kernel, machine);
  const double flops = 4 * kernel.batch * kernel.m * kernel.n * kernel.k * (kernel.causal ? 0.5 : 1);
  KernelTime t;
  t.fixed = a.fixed;
  t.compute = compute_seconds(kernel, a, machine);
  t.memory = kernel.bytes() / machine.bandwidth();
  t.tensor = true;
  const bool tensor = *kernel.precision != '\0';
  const double peak = tensor ? machine.tensor_rate(kernel.precision) : machine.vector_rate();
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    const bool flash = std::string_view(kernel.attention) == "flash";
    t.joules_at_clock = flops * (flash ? power->attention.value : power->tensor.value);
    t.joules = kernel.bytes() * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
