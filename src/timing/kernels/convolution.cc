// Convolution as implicit GEMM over channels-last tensors; what changes layouts is kernels of its own
// (timing/launches.h). A block computes a tile of [tm positions, tn output channels] and takes, for each tap, its input
// channels in steps of 128 bytes:
//
//   blocks  = ceil(positions / tm) ceil(channels out / tn),  k = taps ceil(channels in / step) step
//   compute = max(1, blocks / SMs) max(2 tm tn k / (share of an SM's rate), (tm + tn) k bytes / L2's bytes a clock)
//
// The second bound is what holds filters of three dimensions back (TF32 at 128 x 128 needs a byte for 32 operations),
// unless output channels fill tiles of 256, which other kernels take. A pointwise filter is a GEMM. Where no TF32 is
// allowed, float32 runs on vector units.
#include <algorithm>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

// Filters of few channels smaller than 8 x 8 have a kernel of their own (ResNet on the H200, 2026-11).
constexpr double patch_k = 512, small_filter = 2.9;
constexpr double tiles_apart = 0.75, wide_tiles_share = 0.75;
constexpr double tap_bytes = 128, full_tile = 256, narrow_channels = 128, few_outputs = 16;
// Gathering operands tap by tap takes two fifths more than a GEMM of the same operations (decoder and encoder of Wan on
// the H100 and the H200, 2026-11).
constexpr double gathering = 1.4;
constexpr double unaligned_share = 0.205;  // of the rate, of 1 x 1 filters where rows are no multiples of 16 bytes
constexpr double most_padding = 2;         // in energy: where there are few channels, tiles are narrower

// Tiles that cuDNN 9.19 has on Hopper, read off the names of its kernels and their times.
struct ConvolutionTile {
  double m = 128, n = 128;
};

ConvolutionTile tile_of(const DeviceKernel& kernel, double element, double sms) {
  ConvolutionTile out;
  if (kernel.n <= 64) {
    out.n = kernel.n <= 32 ? 32 : 64;
  } else if (std::fmod(kernel.n, 192) == 0 && std::fmod(kernel.n, narrow_channels) != 0) {
    out.n = 192;
  } else if (element == 2 && kernel.n >= full_tile && std::ceil(kernel.m / 256) * kernel.n / out.n >= sms) {
    out.m = 256;
  }
  return out;
}

bool is_tf32(const DeviceKernel& kernel) { return std::string_view(kernel.precision) == "tf32"; }

double tiled_seconds(const DeviceKernel& kernel, const ConvolutionConstants& c, const Machine& machine) {
  const ConvolutionConstants::Shares& shares = is_tf32(kernel) ? c.tf32 : c.half;
  const double element = is_tf32(kernel) ? 4 : 2, step = tap_bytes / element;
  const ConvolutionTile tile = tile_of(kernel, element, machine.sms());
  const double k = kernel.k / kernel.channels * std::ceil(kernel.channels / step) * step;
  const double blocks = std::ceil(kernel.m / tile.m) * std::ceil(kernel.n / tile.n);
  const double rate = machine.tensor_rate(kernel.precision) * shares.tiles / machine.sms();
  const bool few = kernel.n <= few_outputs;  // the filter stays in registers
  double operands = few || !kernel.three_d ? c.operands_2d : shares.operands;
  const double computed = few ? 0 : 2 * tile.m * tile.n * k / rate;
  const double brought = (tile.m + (few ? 0 : tile.n)) * k * element / (operands * machine.clock());
  return std::max(1.0, blocks / machine.sms()) * std::max(computed, brought);
}

double compute_seconds(const DeviceKernel& kernel, const ConvolutionConstants& c, const Machine& machine) {
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  if (*kernel.precision == '\0') return flops / (machine.vector_rate() * c.vector);
  const ConvolutionConstants::Shares& shares = is_tf32(kernel) ? c.tf32 : c.half;
  const double rate = machine.tensor_rate(kernel.precision);
  if (kernel.patches) return flops / (rate * c.patches * (kernel.k < patch_k ? small_filter : 1));
  if (kernel.pointwise) return flops / (rate * (kernel.aligned ? shares.pointwise : unaligned_share));
  if (std::fmod(kernel.n, full_tile) != 0 || (!is_tf32(kernel) && !kernel.three_d)) {
    return tiled_seconds(kernel, c, machine);
  }
  const double blocks = std::ceil(kernel.m / ConvolutionTile().m) * kernel.n / ConvolutionTile().n;
  return std::max(1.0, machine.sms() / blocks) * flops / (rate * shares.full);
}

bool is_full(const DeviceKernel& kernel) { return std::fmod(kernel.n, full_tile) == 0 && kernel.three_d; }

// What device memory delivers. In three dimensions L2 loses neighbouring frames and lines between two taps, so that
// each tap's input is read again, and for the tiles of output channels that do not run beside each other: seen in the
// difference between the H100 and the H200, which have all else in common.
double device_bytes(const DeviceKernel& kernel) {
  if (!kernel.three_d || *kernel.precision == '\0' || is_full(kernel) || kernel.n <= few_outputs) return kernel.bytes();
  const double element = is_tf32(kernel) ? 4 : 2;
  const double tiles = std::ceil(kernel.n / (is_tf32(kernel) ? tile_of(kernel, element, 0).n : full_tile));
  const double seen = is_tf32(kernel) || kernel.n < narrow_channels ? 1 : wide_tiles_share;
  return std::max(kernel.read, seen * kernel.m * kernel.k * element * std::pow(tiles, tiles_apart)) + kernel.written;
}

}  // namespace

KernelTime convolution_time(const DeviceKernel& kernel, const Machine& machine) {
  const ConvolutionConstants& c = machine.kernels().convolution;
  const bool vector = *kernel.precision == '\0';
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  const double peak = vector ? machine.vector_rate() : machine.tensor_rate(kernel.precision);
  KernelTime t;
  t.fixed = machine.start(c.fixed);
  t.compute = compute_seconds(kernel, c, machine);
  t.memory = machine.memory_seconds(device_bytes(kernel), 0);
  t.tensor = !vector;
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    const double padded = std::ceil(kernel.n / narrow_channels) * narrow_channels / kernel.n;
    t.joules_at_clock =
        flops * gathering * std::min(padded, most_padding) * power->tensor.value * machine.tensor_rate("bf16") / peak;
    t.joules = machine.from_memory(kernel.bytes(), 0) * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
