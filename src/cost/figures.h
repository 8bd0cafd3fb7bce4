// The figures of a layer, a stage or a whole run, and the one table of them. JSON in and out, its schema, summaries,
// pages of layers, differences, sums over stages and the tests' invariants walk over the table: a figure more is a
// member here, a row of the table, and where kernels have it a sum in Cost.
#pragma once

#include <optional>
#include <string>

#include "base/count.h"
#include "base/format.h"
#include "cost/rollup.h"

namespace modelmeter {

// All are integers in base units. A figure that is not known is null, never 0.
struct Figures {
  Count flops_torch;  // as torch.utils.flop_counter counts
  Count flops_full;   // all arithmetic: tensor + vector
  Count flops_tensor;
  Count flops_vector;
  Count bytes_moved;  // read + written
  Count bytes_read;
  Count bytes_written;
  Count kernels;
  Count parameters;
  Count weight_bytes;
  Count activation_peak_bytes;  // highest live memory above weights, buffers and inputs
  Count kv_cache_bytes;
  std::optional<Count> peak_live_bytes;  // of a whole run, and of its stages: with weights, buffers and inputs

  double arithmetic_intensity() const;  // FLOP (full) per byte moved; 0 where nothing moves
};

// Bytes that move are counted in powers of 1000, memory in powers of 1024, as devices and allocators show it.
enum class Unit { flop, byte, memory, count };
// What figures of this unit that stand together are shown in; no unit for counts.
Scale scale_of(Unit unit, Count largest);

struct FigureRow {
  const char* name;   // in JSON
  const char* title;  // for people
  Unit unit;
  // Of a whole: the sum of its parts, else the highest of them.
  bool additive;
  // Stands in tables that have a row for each layer or stage.
  bool column;
  // Either: a figure that is always known, or one that may not be.
  Count Figures::* known;
  std::optional<Count> Figures::* maybe;
  // What it is of the sums over kernels; null for memory.
  Count (*of)(const Cost&);
  // The float of it that the forerunner's snapshots have, and how many base units its unit has; null for none.
  const char* snapshot_field;
  double snapshot_unit;

  std::optional<Count> get(const Figures& f) const { return known != nullptr ? f.*known : f.*maybe; }
  void set(Figures& f, std::optional<Count> value) const;
  // With its unit: "522.393 TFLOP"; "-" for what is not known. In a scale of its own, or one that others share.
  std::string text(std::optional<Count> value) const;
  std::string text(std::optional<Count> value, const Scale& scale) const;
};

// clang-format off
inline constexpr FigureRow figure_rows[] = {
    {"flops_torch", "FLOPs (torch)", Unit::flop, true, true, &Figures::flops_torch, nullptr,
     [](const Cost& c) { return c.flops_torch(); }, "total_flops_tflops", 1e12},
    {"flops_full", "FLOPs (full)", Unit::flop, true, true, &Figures::flops_full, nullptr,
     [](const Cost& c) { return c.flops_full(); }, nullptr, 0},
    {"flops_tensor", "- tensor", Unit::flop, true, false, &Figures::flops_tensor, nullptr,
     [](const Cost& c) { return c.flops_tensor; }, nullptr, 0},
    {"flops_vector", "- vector", Unit::flop, true, false, &Figures::flops_vector, nullptr,
     [](const Cost& c) { return c.flops_vector; }, nullptr, 0},
    {"bytes_moved", "Bytes moved", Unit::byte, true, true, &Figures::bytes_moved, nullptr,
     [](const Cost& c) { return c.bytes(); }, "total_io_tb", 1e12},
    {"bytes_read", "Bytes read", Unit::byte, true, false, &Figures::bytes_read, nullptr,
     [](const Cost& c) { return c.bytes_read; }, nullptr, 0},
    {"bytes_written", "Bytes written", Unit::byte, true, false, &Figures::bytes_written, nullptr,
     [](const Cost& c) { return c.bytes_written; }, nullptr, 0},
    {"kernels", "Kernels", Unit::count, true, true, &Figures::kernels, nullptr,
     [](const Cost& c) { return c.kernels; }, nullptr, 0},
    {"parameters", "Parameters", Unit::count, true, false, &Figures::parameters, nullptr,
     nullptr, nullptr, 0},
    {"weight_bytes", "Weights", Unit::memory, true, true, &Figures::weight_bytes, nullptr,
     nullptr, "memory_weights_gb", 1e9},
    {"activation_peak_bytes", "Activation peak", Unit::memory, false, true, &Figures::activation_peak_bytes, nullptr,
     nullptr, "memory_activations_gb", 1e9},
    {"kv_cache_bytes", "KV cache", Unit::memory, true, true, &Figures::kv_cache_bytes, nullptr,
     nullptr, "memory_kvcache_gb", 1e9},
    {"peak_live_bytes", "Peak live memory", Unit::memory, false, false, nullptr, &Figures::peak_live_bytes,
     nullptr, nullptr, 0},
};
// clang-format on

// A member without a row would be forgotten everywhere.
constexpr size_t size_of_rows() {
  size_t out = 0;
  for (const FigureRow& row : figure_rows) out += row.known != nullptr ? sizeof(Count) : sizeof(std::optional<Count>);
  return out;
}
static_assert(size_of_rows() == sizeof(Figures), "a member of Figures has no row in figure_rows");

// Those of a Cost; the others are 0 or not known.
Figures figures_of(const Cost& cost);

// Adds a part: sums where a figure is additive, else the higher one. What only one side knows is taken.
void add(Figures& whole, const Figures& part);

bool operator==(const Figures& a, const Figures& b);

}  // namespace modelmeter
