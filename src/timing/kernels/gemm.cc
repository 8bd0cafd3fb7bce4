// GEMM: tiles over the SMs in waves. For a tile [tm, tn] and a split of k into s parts
//
//   blocks  = ceil(m / tm) ceil(n / tn) batch s,  waves = ceil(blocks / SMs)
//   step    = max(2 tm tn ks (1 + loss / tm + loss / tn) / (rate per SM x efficiency),
//                 latency + (tm + tn) ks bytes / what L2 brings an SM)         with ks elements of k, 128 bytes
//   compute = waves ((ceil(k / s / ks) + prologue) step + wave)
//   memory  = (m k + k n + m n) bytes at the bandwidth, or L2's where all fit; no SM takes more than its share of it
//   t = fixed + drain + wait for the first bytes + (compute^p + memory^p)^(1/p) + what splitting costs
//
// and the library takes the tile that this is least for. `wave`: what a tile costs beside its steps. `drain`: the last
// wave's output, which nothing overlaps. p: loads run ahead of the matrix units by several steps, so that the longer of
// the two decides nearly alone.
//
// Products of vector units (float32) have few tiles, two of which share an SM; one that has it for itself leaves some
// of the rate (`alone`). A row or a column times a matrix is read as fast as memory gives it.
//
// Where rows are no multiples of 16 bytes, older kernels with tiles of 64 by 64 load one to eight elements at a time,
// as rows allow; the load units of an SM, not its matrix units, bound them, however many blocks share it:
//
//   compute = max(1, blocks / SMs) max(ceil(k / s / 32) unaligned_step / elements of a load, unaligned_block)
//
// where a block's results, stored as narrowly, take no less than `unaligned_block`, and a vector is a kernel of its
// own. Constants are the stack's by architecture. Tiles that Hopper's cuBLAS has in nvjet (their names say them): one
// side of 64 to 320, the other a multiple of 8.
#include <algorithm>
#include <string_view>
#include <vector>

#include "timing/kernel_time.h"

namespace modelmeter {
namespace {

constexpr double step_bytes = 128, prologue_step = 64;
constexpr double unaligned_tile = 64, unaligned_k = 32, most_of_a_load = 8;
constexpr double most_tile = 256 * 160;     // registers hold no more
constexpr double most_of_rate = 1.05;       // sheets of cards state a clock that they exceed
constexpr double wide_side = 184;           // from here on both sides: fewer stages in shared memory
constexpr double partial_bandwidth = 3e12;  // B/s, of float32 partial sums through L2
constexpr double least_k_of_a_split = 1024, least_unaligned_k = 512;
constexpr double l2_share = 0.93;  // of what streams get of L2 (H100 and H200, 2026-11)
// Of float32 on vector units (H100 and H200, 2026-11): elements of k that a tile's start and end cost, how much more
// narrower tiles load, the share of the rate that a block reaches alone on an SM.
constexpr double vector_prologue = 60, vector_tile_loss = 21.3, alone = 0.65, least_k_of_a_vector_split = 256;
// Of an operation of vector units, in those of matrix units with bf16: float32 products run at 52 of 67 TFLOP/s for a
// second without the limit acting (H100, 2026-11).
constexpr double vector_joules = 6;
constexpr double latency_bytes = 1.5e6;  // fewer wait less

struct Tile {
  double m, n;
};

// Sides that are multiples of 64 with the others that names of nvjet kernels show, either way round.
const std::vector<Tile>& tiles() {
  static const std::vector<Tile> all = [] {
    std::vector<Tile> out;
    for (const double a : {64.0, 128.0, 192.0, 256.0}) {
      for (const double b :
           {8, 16, 24, 32, 40, 48, 56, 64, 72, 88, 104, 120, 128, 136, 152, 160, 168, 192, 208, 224, 256}) {
        if (a * b > most_tile || (b > a && std::fmod(b, 64) == 0)) continue;
        out.push_back({a, b});
        if (a != b) out.push_back({b, a});
      }
    }
    for (const Tile& t : {Tile{320, 64}, {320, 128}, {384, 8}, {384, 64}}) {
      out.push_back(t);
      out.push_back({t.n, t.m});
    }
    return out;
  }();
  return all;
}

constexpr Tile vector_tiles[] = {{128, 128}, {128, 64}, {64, 128}, {64, 64}, {128, 32}, {32, 128}};

constexpr std::string_view eight_bits = "fp8", four_bits = "fp4";

const GemmConstants& constants_of(const DeviceKernel& kernel, const ArchitectureConstants& architecture) {
  return kernel.precision == four_bits && architecture.gemm_fp4 ? *architecture.gemm_fp4 : architecture.gemm;
}

// What splitting k may take.
constexpr double splits[] = {1, 2, 3, 4, 6, 8, 12, 16, 24};

struct Parts {
  double compute = 0, memory = 0, rest = 0;
};

// Elements that one load may take where rows of n and k elements follow each other: a power of two.
double elements_of_a_load(double n, double k) {
  double out = 1;
  while (out < most_of_a_load && std::fmod(n, 2 * out) == 0 && std::fmod(k, 2 * out) == 0) out *= 2;
  return out;
}

class TileModel {
 public:
  TileModel(const DeviceKernel& kernel, const Machine& machine)
      : kernel_(kernel), machine_(machine), constants_(constants_of(kernel, machine.kernels())) {
    const bool vector = *kernel.precision == '\0';
    const double rate =
        vector ? machine.vector_rate() * constants_.vector : machine.tensor_rate(kernel.precision) * share_of_rate();
    per_sm_ = rate * (kernel.precision == eight_bits && constants_.narrow > 0 ? constants_.narrow : 1) / machine.sms();
    bandwidth_ = machine.device().memory_bandwidth.value * constants_.memory;
    element_ = kernel.written / (kernel.batch * kernel.m * kernel.n);
    operands_ = kernel.batch * (kernel.m + kernel.n) * kernel.k;
    operand_ = kernel.read / operands_;
    step_ = step_bytes / operand_;
    memory_ = memory_seconds();
  }

  // Cards whose matrix units are held at half their rate reach nearly all of what is left.
  double share_of_rate() const {
    const TensorRate* half = machine_.device().find_rate("bf16");
    if (constants_.full_rate == 0 || half == nullptr) return constants_.efficiency;
    const double full = constants_.full_rate * machine_.sms() * machine_.clock();
    return std::min(most_of_rate, constants_.efficiency * full / machine_.tensor_rate("bf16"));
  }

  double memory_seconds() {
    const double bytes = kernel_.bytes(), miss = machine_.miss(bytes);
    const double cold = std::min(kernel_.cold, bytes);
    from_memory_ = machine_.from_memory(bytes, cold);
    const double held = (bytes - cold) / std::max(bandwidth_, l2_share * machine_.l2_bandwidth()) + cold / bandwidth_;
    return (1 - miss) * held + miss * bytes / bandwidth_;
  }

  double step_seconds(const Tile& tile) const {
    const double loss = 1 + constants_.tile_loss / tile.m + constants_.tile_loss / tile.n;
    double computed = 2 * tile.m * tile.n * step_ * loss / per_sm_;
    if (tile.m >= wide_side && tile.n >= wide_side) computed /= 1 - constants_.wide_tile_loss;
    double brought = constants_.step;
    if (constants_.operands > 0) {
      brought += (tile.m + tile.n) * step_ * operand_ / (constants_.operands * machine_.clock());
    }
    return std::max(computed, brought);
  }

  Parts with(const Tile& tile, double step, double split) const {
    const double blocks = std::ceil(kernel_.m / tile.m) * std::ceil(kernel_.n / tile.n) * kernel_.batch * split;
    const double busy = std::min(blocks, machine_.sms());
    Parts out;
    const double steps = std::ceil(kernel_.k / split / step_) + constants_.prologue / prologue_step;
    out.compute = std::ceil(blocks / machine_.sms()) * (steps * step + constants_.wave);
    out.memory = memory_;
    if (constants_.stream > 0) {
      out.memory = std::max(out.memory, operands_ * operand_ / (busy * constants_.stream * machine_.clock()));
    }
    out.rest = machine_.start(constants_.drain) + std::min(results(), busy * tile.m * tile.n) * element_ / bandwidth_ +
               of_split(split);
    return out;
  }

  double results() const { return kernel_.m * kernel_.n * kernel_.batch; }
  double of_split(double split) const {
    return split > 1 ? constants_.split + 8 * results() * split / partial_bandwidth : 0;
  }
  bool may_split(double split, double least_k) const {
    return split == 1 || (kernel_.k / split >= least_k && kernel_.batch == 1);
  }
  double total(const Parts& parts) const {
    return joined_seconds(parts.compute, parts.memory, constants_.overlap) + parts.rest;
  }

  // The least of all tiles and splits.
  Parts best() const {
    Parts least;
    double least_total = 0;
    for (const Tile& tile : tiles()) {
      const double step = step_seconds(tile);
      for (const double split : splits) {
        if (!may_split(split, least_k_of_a_split)) break;
        const Parts parts = with(tile, step, split);
        const double seconds = total(parts);
        if (least_total != 0 && seconds >= least_total) continue;
        least_total = seconds;
        least = parts;
      }
    }
    return least;
  }

  // The same of vector units, two blocks on an SM.
  Parts of_vector_units() const {
    Parts least;
    for (const Tile& tile : vector_tiles) {
      const double loss = (1 + vector_tile_loss / tile.m + vector_tile_loss / tile.n) / (1 + vector_tile_loss / 64);
      const double all = std::ceil(kernel_.m / tile.m) * std::ceil(kernel_.n / tile.n) * kernel_.batch;
      for (const double split : splits) {
        const double blocks = all * split, pairs = std::floor(blocks / (2 * machine_.sms()));
        if (split > 1 && (!may_split(split, least_k_of_a_vector_split) || blocks > machine_.sms())) break;
        const double left = blocks - pairs * 2 * machine_.sms();
        const double last = left > machine_.sms() ? 2 : left > 0 ? 1 / alone : 0;
        const double block = 2 * tile.m * tile.n * (kernel_.k / split + vector_prologue) * loss / per_sm_;
        const Parts parts{(2 * pairs + last) * block, memory_, constants_.drain + of_split(split)};
        if (least.compute == 0 || total(parts) < total(least)) least = parts;
      }
    }
    return least;
  }

  // The same of the kernels for rows of any length.
  Parts unaligned() const {
    const double blocks = std::ceil(kernel_.m / unaligned_tile) * std::ceil(kernel_.n / unaligned_tile) * kernel_.batch;
    const double step = constants_.unaligned_step / elements_of_a_load(kernel_.n, kernel_.k);
    Parts least;
    for (const double split : splits) {
      if (!may_split(split, least_unaligned_k)) break;
      const double of_sm = std::max(1.0, blocks * split / machine_.sms());
      const double loads = std::ceil(kernel_.k / split / unaligned_k) * step;
      const Parts parts{of_sm * std::max(loads, constants_.unaligned_block), memory_,
                        constants_.unaligned + of_split(split)};
      if (split == 1 || total(parts) < total(least)) least = parts;
    }
    return least;
  }

  Parts parts() const {
    if (is_vector_product()) return vector_product();
    if (*kernel_.precision == '\0') return of_vector_units();
    return kernel_.aligned ? best() : unaligned();
  }
  double from_memory() const { return from_memory_; }
  // Of what comes from device memory, until the first of it is there.
  double wait() const { return constants_.latency * std::min(1.0, from_memory_ / latency_bytes); }

  // A row or a column times a matrix that no other kernel takes.
  bool is_vector_product() const {
    if (std::min(kernel_.m, kernel_.n) > 1) return false;
    return *kernel_.precision == '\0' || (!kernel_.aligned && constants_.vector_product > 0);
  }
  // Its matrix is loaded as others of such rows are.
  Parts vector_product() const {
    const double loaded = 2 * unaligned_tile * unaligned_k * elements_of_a_load(kernel_.n, kernel_.k);
    const double loads = results() * kernel_.k / (loaded * machine_.sms());
    return {loads * constants_.unaligned_step, memory_, constants_.vector_product};
  }

 private:
  const DeviceKernel& kernel_;
  const Machine& machine_;
  const GemmConstants& constants_;
  double per_sm_, bandwidth_, element_, operands_, operand_, step_, from_memory_ = 0, memory_;
};

}  // namespace

KernelTime gemm_time(const DeviceKernel& kernel, const Machine& machine) {
  const TileModel model(kernel, machine);
  const Parts parts = model.parts();
  const bool vector = *kernel.precision == '\0';
  const double flops = 2 * kernel.batch * kernel.m * kernel.n * kernel.k;
  const double peak = vector ? machine.vector_rate() : machine.tensor_rate(kernel.precision);
  KernelTime t;
  t.fixed = machine.start(constants_of(kernel, machine.kernels()).fixed) + parts.rest + model.wait();
  t.compute = parts.compute;
  t.memory = parts.memory;
  t.overlap = constants_of(kernel, machine.kernels()).overlap;
  t.tensor = !vector;
  t.light = std::max(flops / peak, kernel.bytes() / machine.device().memory_bandwidth.value);
  if (const auto& power = machine.device().power) {
    // An operation of half the width takes half the energy, as it takes half the time at the same watts.
    const double of_bf16 = vector ? vector_joules : machine.tensor_rate("bf16") / peak;
    t.joules_at_clock = flops * power->tensor.value * of_bf16;
    t.joules = model.from_memory() * power->memory.value;
  }
  return t;
}

}  // namespace modelmeter
