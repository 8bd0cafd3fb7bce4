// Convolution as implicit GEMM over channels-last tensors; what changes layouts is kernels of its own
// (timing/launches.h). The rate is a share of the matrix units' by the shape of the filter and of the output channels:
//
//   share = efficiency of 2 or 3 dimensions x padding of the channels to 64 x (narrow, below 128 channels)
//   or full_tiles, where the channels are a multiple of 256
//
// A pointwise filter is a GEMM. Fewer than 8 input channels, or float32 that no TF32 is allowed for, run on vector
// units.
#include <algorithm>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

constexpr double channel_step = 64, narrow_channels = 128, full_tile = 256;
// Of fewer input channels a step of k holds several taps: 16 channels were at 0.45 of the rate of more (H100, 2026-11).
constexpr double least_channels = 32, few_channels_share = 0.45;
// Gathering operands tap by tap takes a third more than a GEMM of the same operations (decoder and encoder of Wan on
// the H100 and the H200, 2026-11).
constexpr double gathering = 1.3;
constexpr double most_padding = 2;  // in energy: where there are few channels, tiles are narrower

double share_of_rate(const DeviceKernel& kernel, const ConvolutionConstants& c) {
  if (kernel.pointwise) return c.pointwise;
  if (std::fmod(kernel.n, full_tile) == 0) return c.full_tiles;
  const double padded = std::ceil(kernel.n / channel_step) * channel_step;
  const double share = (kernel.three_d ? c.efficiency_3d : c.efficiency_2d) * kernel.n / padded;
  const double of_input = kernel.channels < least_channels ? few_channels_share : 1;
  return of_input * (kernel.n < narrow_channels ? share * c.narrow : share);
}

// What device memory delivers of the input. In three dimensions L2 loses neighbouring frames and lines between two
// taps, so that the channels of an output position are read several times, and again for each tile of output channels.
double input_bytes(const DeviceKernel& kernel, const ConvolutionConstants& c) {
  if (!kernel.three_d || *kernel.precision == '\0') return kernel.read;
  const double tile = std::fmod(kernel.n, full_tile) == 0 ? full_tile : kernel.n < narrow_channels ? 32 : 128;
  const double element = kernel.written / (kernel.m * kernel.n);
  return std::max(kernel.read, c.rereads * kernel.m * kernel.channels * element * std::ceil(kernel.n / tile));
}

}  // namespace

KernelTime convolution_time(const DeviceKernel& kernel, const Machine& machine) {
  const ConvolutionConstants& c = machine.kernels().convolution;
  const bool vector = *kernel.precision == '\0';
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  const double peak = vector ? machine.vector_rate() : machine.tensor_rate(kernel.precision);
  KernelTime t;
  t.fixed = c.fixed;
  t.compute = flops / (peak * (vector ? c.vector : share_of_rate(kernel, c)));
  t.memory = (input_bytes(kernel, c) + kernel.written) / machine.bandwidth();
  t.tensor = !vector;
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    const double padded = std::ceil(kernel.n / narrow_channels) * narrow_channels / kernel.n;
    t.joules_at_clock =
        flops * gathering * std::min(padded, most_padding) * power->tensor.value * machine.tensor_rate("bf16") / peak;
    t.joules = kernel.bytes() * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
