// GEMM: tiles over the SMs in waves. For a tile [tm, tn] and a split of k into s parts
//
//   blocks  = ceil(m / tm) ceil(n / tn) batch s,  waves = ceil(blocks / SMs)
//   step    = max(2 tm tn ks (1 + loss / tm + loss / tn) / (rate per SM x efficiency),
//                 latency + (tm + tn) ks bytes / what L2 brings an SM)         with ks elements of k, 128 bytes
//   compute = waves (ceil(k / s / ks) + prologue) step
//   memory  = (m k + k n + m n) bytes at the bandwidth, or L2's where all fit; no SM takes more than its share of it
//   t = fixed + drain + (compute^3 + memory^3)^(1/3) + what splitting costs
//
// and the library takes the tile that this is least for. `drain`: the last wave's output, which nothing overlaps.
// Where rows are no multiples of 16 bytes, kernels of an older kind take 32 elements of k at a time, and a vector is a
// kernel of its own. Constants are the stack's by architecture. Tiles that Hopper's cuBLAS has in nvjet (their names
// say them): one side of 64 to 320, the other a multiple of 8.
#include <algorithm>
#include <vector>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

constexpr double step_bytes = 128, unaligned_step = 32, prologue_step = 64;
constexpr double most_tile = 256 * 160;     // registers hold no more
constexpr double most_of_rate = 1.05;       // sheets of cards state a clock that they exceed
constexpr double wide_side = 184;           // from here on both sides: fewer stages in shared memory
constexpr double partial_bandwidth = 4e12;  // B/s, of float32 partial sums through L2
constexpr double least_k_of_a_split = 1024;
constexpr double l2_share = 0.8;  // of what streams get of L2 (H100, 2026-11)

struct Tile {
  double m, n;
};

const std::vector<Tile>& tiles() {
  static const std::vector<Tile> all = [] {
    std::vector<Tile> out;
    for (const double a : {64.0, 128.0, 192.0, 256.0, 320.0}) {
      for (int side = 8; side <= 256; side += 8) {
        const double b = side;
        if (a * b > most_tile || (a == 320 && b != 128)) continue;
        out.push_back({a, b});
        if (a != b) out.push_back({b, a});
      }
    }
    return out;
  }();
  return all;
}

struct Parts {
  double compute = 0, memory = 0, rest = 0;
  double total() const { return std::cbrt(compute * compute * compute + memory * memory * memory) + rest; }
};

class TileModel {
 public:
  TileModel(const DeviceKernel& kernel, const Machine& machine)
      : kernel_(kernel), machine_(machine), constants_(machine.kernels().gemm) {
    const bool vector = *kernel.precision == '\0';
    const double rate =
        vector ? machine.vector_rate() * constants_.vector : machine.tensor_rate(kernel.precision) * share_of_rate();
    per_sm_ = rate * (kernel.aligned || vector ? 1 : constants_.unaligned) / machine.sms();
    bandwidth_ = machine.device().memory_bandwidth.value * constants_.memory;
    element_ = kernel.written / (kernel.batch * kernel.m * kernel.n);
    operands_ = kernel.batch * (kernel.m + kernel.n) * kernel.k;
    operand_ = kernel.read / operands_;
    step_ = kernel.aligned || vector ? step_bytes / operand_ : unaligned_step;
    memory_ = memory_seconds();
  }

  // Cards whose matrix units are held at half their rate reach nearly all of what is left.
  double share_of_rate() const {
    const TensorRate* half = machine_.device().find_rate("bf16");
    if (constants_.full_rate == 0 || half == nullptr) return constants_.efficiency;
    const double full = constants_.full_rate * machine_.sms() * machine_.clock();
    return std::min(most_of_rate, constants_.efficiency * full / machine_.tensor_rate("bf16"));
  }

  double memory_seconds() const {
    const double bytes = kernel_.bytes(), miss = machine_.miss(bytes);
    const double cold = std::min(kernel_.cold, bytes);
    const double held = (bytes - cold) / std::max(bandwidth_, l2_share * machine_.l2_bandwidth()) + cold / bandwidth_;
    return (1 - miss) * held + miss * bytes / bandwidth_;
  }

  double step_seconds(const Tile& tile) const {
    const double loss = 1 + constants_.tile_loss / tile.m + constants_.tile_loss / tile.n;
    double computed = 2 * tile.m * tile.n * step_ * loss / per_sm_;
    if (tile.m >= wide_side && tile.n >= wide_side) computed /= 1 - constants_.wide_tile_loss;
    if (!kernel_.aligned && constants_.unaligned_step > 0) return std::max(computed, constants_.unaligned_step);
    double brought = constants_.step / (kernel_.aligned ? 1 : constants_.unaligned);
    if (constants_.operands > 0) {
      brought += (tile.m + tile.n) * step_ * operand_ / (constants_.operands * machine_.clock());
    }
    return std::max(computed, brought);
  }

  Parts with(const Tile& tile, double step, double split) const {
    const double blocks = std::ceil(kernel_.m / tile.m) * std::ceil(kernel_.n / tile.n) * kernel_.batch * split;
    const double busy = std::min(blocks, machine_.sms());
    Parts out;
    out.compute = std::ceil(blocks / machine_.sms()) *
                  (std::ceil(kernel_.k / split / step_) + constants_.prologue / prologue_step) * step;
    out.memory = memory_;
    if (constants_.stream > 0) {
      out.memory = std::max(out.memory, operands_ * operand_ / (busy * constants_.stream * machine_.clock()));
    }
    const double results = kernel_.m * kernel_.n * kernel_.batch;
    out.rest = constants_.drain + std::min(results, busy * tile.m * tile.n) * element_ / bandwidth_;
    if (split > 1) out.rest += constants_.split + 8 * results * split / partial_bandwidth;
    return out;
  }

  // The least of all tiles and splits.
  Parts best() const {
    Parts least;
    double least_total = 0;
    for (const Tile& tile : tiles()) {
      const double step = step_seconds(tile);
      for (const double split : {1.0, 2.0, 3.0, 4.0, 6.0, 8.0, 12.0, 16.0}) {
        if (split > 1 && (kernel_.k / split < least_k_of_a_split || kernel_.batch > 1)) break;
        const Parts parts = with(tile, step, split);
        const double total = parts.total();
        if (least_total != 0 && total >= least_total) continue;
        least_total = total;
        least = parts;
      }
    }
    return least;
  }

  // A row or a column times a matrix that no other kernel takes.
  bool is_vector_product() const {
    return !kernel_.aligned && constants_.vector_product > 0 && std::min(kernel_.m, kernel_.n) == 1;
  }
  Parts vector_product() const { return {0, memory_, constants_.vector_product}; }

 private:
  const DeviceKernel& kernel_;
  const Machine& machine_;
  const GemmConstants& constants_;
  double per_sm_, bandwidth_, element_, operands_, operand_, step_, memory_;
};

}  // namespace

KernelTime gemm_time(const DeviceKernel& kernel, const Machine& machine) {
  const TileModel model(kernel, machine);
  const Parts parts = model.is_vector_product() ? model.vector_product() : model.best();
  const bool vector = *kernel.precision == '\0';
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  const double peak = vector ? machine.vector_rate() : machine.tensor_rate(kernel.precision);
  KernelTime t;
  t.fixed = machine.kernels().gemm.fixed + parts.rest;
  t.compute = parts.compute;
  t.memory = parts.memory;
  t.tensor = !vector;
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    // An operation of half the width takes half the energy, as it takes half the time at the same watts.
    t.joules_at_clock = flops * power->tensor.value * machine.tensor_rate("bf16") / peak;
    t.joules = kernel.bytes() * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
