// Convolution as implicit GEMM over channels-last tensors; what changes layouts is kernels of its own
// (timing/launches.h). A block computes a tile of [tm positions, tn output channels] and takes, for each tap, its input
// channels in steps of 128 bytes:
//
//   blocks  = ceil(positions / tm) ceil(channels out / tn),  steps = taps ceil(channels in / step)
//   brought = (tm + tn) 128 bytes / what L2 brings an SM
//   16 bits: waves (tile + steps max(2 tm tn step (1 + loss / tm + loss / tn) / (share of an SM's rate), brought)),
//            with waves = ceil(blocks / SMs), of the tile that this is least for
//   TF32:    max(1, blocks / SMs) steps max(2 tm tn step / (share of an SM's rate), brought)
//
// What L2 brings is what holds filters of three dimensions back (TF32 at 128 x 128 needs a byte for 32 operations),
// unless output channels fill tiles of 256, which other kernels take. Fewer than 8 input channels of 16 bits are padded
// to 8 (a patch embedding: cutlass_tensorop_..._128x128_32x5_nhwc_align8): each step of 32 gathers four taps, address
// by address, and takes ten times what its operations do, on however few SMs there are blocks for. A pointwise filter
// is a GEMM. Where no TF32 is allowed, float32 runs on vector units.
#include <algorithm>
#include <limits>
#include <string_view>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

// Filters of few channels smaller than 8 x 8 have a kernel of their own (ResNet on the H200, 2026-11).
constexpr double patch_k = 512, patch_tile = 128, patch_elements = 32;
constexpr double tiles_apart = 0.75, wide_tiles_share = 0.75;
constexpr double tap_bytes = 128, full_tile = 256, narrow_channels = 128, few_outputs = 16;
// Gathering operands tap by tap takes two fifths more than a GEMM of the same operations (decoder and encoder of Wan on
// the H100 and the H200, 2026-11).
constexpr double gathering = 1.4;
constexpr double unaligned_share = 0.205;  // of the rate, of 1 x 1 filters where rows are no multiples of 16 bytes
constexpr double most_padding = 2;         // in energy: where there are few channels, tiles are narrower

struct ConvolutionTile {
  double m = 128, n = 128;
};

// Tiles that cuDNN 9.19 has on Hopper, read off the names of its kernels and their times.
constexpr ConvolutionTile half_tiles[] = {{256, 128}, {128, 256}, {128, 128}, {64, 128},
                                          {256, 64},  {128, 64},  {64, 64}};

ConvolutionTile tf32_tile(double channels_out) {
  if (channels_out <= 64) return {128, channels_out <= 32 ? 32.0 : 64.0};
  return {128, std::fmod(channels_out, 192) == 0 && std::fmod(channels_out, narrow_channels) != 0 ? 192.0 : 128.0};
}

bool is_tf32(const DeviceKernel& kernel) { return std::string_view(kernel.precision) == "tf32"; }

double blocks_of(const DeviceKernel& kernel, const ConvolutionTile& tile) {
  return std::ceil(kernel.m / tile.m) * std::ceil(kernel.n / tile.n);
}

double steps_of(const DeviceKernel& kernel, double step) {
  return kernel.k / kernel.channels * std::ceil(kernel.channels / step);
}

double half_seconds(const DeviceKernel& kernel, const ConvolutionConstants::Shares& c, const Machine& machine) {
  constexpr double step = tap_bytes / 2;
  const double rate = machine.tensor_rate(kernel.precision) * c.tiles / machine.sms();
  double best = std::numeric_limits<double>::infinity();
  for (const ConvolutionTile& tile : half_tiles) {
    const double loss = 1 + c.tile_loss / tile.m + c.tile_loss / tile.n;
    const double computed = 2 * tile.m * tile.n * step * loss / rate;
    const double brought = (tile.m + tile.n) * tap_bytes / (c.operands * machine.clock());
    const double wave = c.wave * tile.m * tile.n / (patch_tile * patch_tile);
    const double waves = std::ceil(blocks_of(kernel, tile) / machine.sms());
    best = std::min(best, waves * (wave + steps_of(kernel, step) * std::max(computed, brought)));
  }
  return best;
}

double tf32_seconds(const DeviceKernel& kernel, const ConvolutionConstants& c, const Machine& machine) {
  constexpr double step = tap_bytes / 4;
  const ConvolutionTile tile = tf32_tile(kernel.n);
  const double rate = machine.tensor_rate(kernel.precision) * c.tf32.tiles / machine.sms();
  const bool few = kernel.n <= few_outputs;  // the filter stays in registers
  const double operands = few || !kernel.three_d ? c.operands_2d : c.tf32.operands;
  const double computed = few ? 0 : 2 * tile.m * tile.n * step / rate;
  const double brought = (tile.m + (few ? 0 : tile.n)) * tap_bytes / (operands * machine.clock());
  return std::max(1.0, blocks_of(kernel, tile) / machine.sms()) * steps_of(kernel, step) * std::max(computed, brought);
}

double patch_seconds(const DeviceKernel& kernel, const ConvolutionConstants& c, const Machine& machine) {
  const double waves = std::ceil(blocks_of(kernel, {patch_tile, patch_tile}) / machine.sms());
  return waves * std::ceil(kernel.k / patch_elements) * c.patch_step / machine.clock();
}

const ConvolutionConstants::Shares& shares_of(const DeviceKernel& kernel, const ConvolutionConstants& c) {
  return is_tf32(kernel) ? c.tf32 : c.half;
}

double compute_seconds(const DeviceKernel& kernel, const ConvolutionConstants& c, const Machine& machine) {
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  if (*kernel.precision == '\0') return flops / (machine.vector_rate() * c.vector);
  const ConvolutionConstants::Shares& shares = shares_of(kernel, c);
  const double rate = machine.tensor_rate(kernel.precision);
  if (kernel.patches && kernel.k >= patch_k) return patch_seconds(kernel, c, machine);
  if (kernel.patches) return flops / (rate * c.first_layer);
  if (kernel.pointwise) return flops / (rate * (kernel.aligned ? shares.pointwise : unaligned_share));
  if (!is_tf32(kernel)) return half_seconds(kernel, shares, machine);
  if (std::fmod(kernel.n, full_tile) != 0) return tf32_seconds(kernel, c, machine);
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
  const double tiles = std::ceil(kernel.n / (is_tf32(kernel) ? tf32_tile(kernel.n).n : full_tile));
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
  t.fixed = machine.start(c.fixed + (vector || kernel.pointwise || kernel.patches ? 0 : shares_of(kernel, c).fixed));
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
