// Kernels bound by memory or by the instructions of each element: elementwise, copies, reductions, norms, gathers.
//
//   memory  = bytes at L2's rate where all fit, else at the bandwidth that streams reach (timing/machine.h)
//   compute = elements / (per_clock SMs clock) + rows x row_clocks / (SMs clock)
//   t       = fixed + latency + element of a row + (memory^p + compute^p)^(1/p)
//
// with the constants of the class (configs/stack). p is the class's `overlap`: 3, but more where enough warps have
// loads under way that the longer of the two decides nearly alone (gelu, norms).
#include <algorithm>
#include <cmath>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

// A reduction along the innermost dimension gives each row to a warp, 64 of them to an SM, that adds element after
// element; fewer than 16 rows have several warps each (ATen/native/cuda/Reduce.cuh). Cold elements take longer.
constexpr double warps_of_sm = 64, rows_of_block = 16;
constexpr double cold_element = 1.3e-9;  // s; fitted as the class's constants are (configs/stack)
// A kernel that writes next to nothing has to wait until what the one before has written leaves L2: 24 to 29 MB on the
// H100 and the H200 (means in forwards, 2026-11).
constexpr double dirty_share = 0.47;
constexpr double column_step = 1200;  // longer columns are split over blocks (training on the H200, 2026-11)
// A layer norm reads its rows twice, the second time from L1 where they are short.
constexpr double short_row = 8192, long_row = 14000;  // bytes
// Of L2's rate, what single elements out of 32 bytes get (transposed copies on the H100 and the H200, 2026-11).
constexpr double sectors_share = 0.75;
constexpr double fill_bytes_per_clock = 14;  // of an SM, where L2 keeps what is only written (2026-11)
constexpr double parts_added = 5e-6;  // s: blocks that share a row wait for each other (sums of 2^20 and 2^24, 2026-11)

bool is_norm(const DeviceKernel& kernel) {
  return kernel.memory == MemoryClass::layer_norm || kernel.memory == MemoryClass::layer_norm_narrow;
}

double warps_of_row(double rows) {
  double warps = 1;
  while (warps < rows_of_block && rows * warps < rows_of_block) warps *= 2;
  return warps;
}

double reduction_chain(const DeviceKernel& kernel, const MemoryConstants& constants, const Machine& machine) {
  const double bytes = kernel.bytes();
  const double cold = bytes > 0 ? std::max(kernel.cold / bytes, machine.miss(bytes)) : 0;
  const double waves = std::ceil(kernel.rows / (warps_of_sm * machine.sms()));
  return waves * kernel.width / warps_of_row(kernel.rows) * (constants.element + cold_element * cold);
}

double second_read_seconds(const DeviceKernel& kernel, const Machine& machine) {
  const double row = kernel.rows > 0 ? kernel.read / kernel.rows : 0;
  return row > short_row ? std::min(1.0, row / long_row) * machine.memory_seconds(kernel.read, 0) : 0;
}

double memory_seconds(const DeviceKernel& kernel, const MemoryConstants& constants, const Machine& machine) {
  const double bytes = kernel.bytes();
  if (kernel.memory == MemoryClass::fill) {
    const double miss = machine.miss(bytes), rate = machine.bandwidth() * constants.memory;
    const double of_l2 = std::max(rate, fill_bytes_per_clock * machine.sms() * machine.clock());
    return miss * bytes / rate + (1 - miss) * bytes / of_l2;
  }
  double out = machine.memory_seconds(kernel.read, kernel.written, kernel.cold) / constants.memory;
  if (kernel.sectors > bytes) out = std::max(out, kernel.sectors / (sectors_share * machine.l2_bandwidth()));
  if (is_norm(kernel)) out += second_read_seconds(kernel, machine);
  if (kernel.memory == MemoryClass::reduction && kernel.cold == 0) {
    out += machine.miss(bytes) * dirty_share * machine.device().l2_size.value / machine.bandwidth();
  }
  return out;
}

double compute_seconds(const DeviceKernel& kernel, const MemoryConstants& constants, const Machine& machine) {
  const double bytes = kernel.bytes();
  const double missed = bytes > 0 ? std::max(kernel.cold / bytes, machine.miss(bytes)) : 1;
  const double elements =
      machine.issue_seconds(kernel.elements, constants.per_clock) * (1 - constants.in_l2 * (1 - missed));
  const double all = elements + kernel.rows * constants.row / (machine.sms() * machine.clock());
  if (kernel.memory != MemoryClass::reduction) return all;
  return std::max(all, reduction_chain(kernel, constants, machine));
}

// Of a kernel whose elements wait for each other within a row (or a column, of which blocks take so many at a time).
double row_seconds(const DeviceKernel& kernel, const MemoryConstants& constants) {
  if (kernel.memory == MemoryClass::reduction) return 0;
  if (kernel.memory == MemoryClass::reduction_outer) return constants.element * std::min(kernel.width, column_step);
  return constants.element * kernel.width;
}

}  // namespace

KernelTime memory_time(const DeviceKernel& kernel, const Machine& machine) {
  const MemoryConstants& constants = machine.memory(kernel.memory);
  KernelTime t;
  t.fixed = machine.start_at_clock(constants.fixed) + machine.memory_latency(kernel.bytes(), kernel.cold);
  t.fixed += row_seconds(kernel, constants) + (kernel.in_parts ? parts_added : 0);
  t.compute = compute_seconds(kernel, constants, machine);
  t.memory = memory_seconds(kernel, constants, machine);
  t.overlap = constants.overlap;
  const double ramp = machine.start_at_clock(constants.ramp) * machine.first_from_l2(kernel.bytes(), kernel.cold);
  t.fixed -= ramp;
  t.memory = std::hypot(t.memory, ramp);
  t.light = kernel.bytes() / machine.device().memory_bandwidth.value;
  if (const auto& power = machine.device().power) {
    t.joules = machine.from_memory(kernel.bytes(), kernel.cold) * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
