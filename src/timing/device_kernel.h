// A kernel as the device runs it: its class and what its time depends on. One op of a trace is one or several of them
// (timing/launches.h).
#pragma once

#include <string>

#include "hardware/kernel_stack.h"

namespace modelmeter {

enum class KernelShape : uint8_t { memory, gemm, attention, convolution, small, transfer };

enum class Sorts : uint8_t { none, all, top_k };

// Host memory that a copy is from or to. Small ones of a forward's inputs and results are not told apart.
enum class BusMemory : uint8_t { any, pinned, pageable_source, pageable_target };

struct DeviceKernel {
  KernelShape shape = KernelShape::small;
  MemoryClass memory = MemoryClass::vectorized;
  const char* precision = "";    // of matrix units: "bf16"; "" for vector units
  double read = 0, written = 0;  // B
  double sectors = 0;            // B that go through L2 for them, where those are more: elements read one by one
  double cold = 0;               // of `read`: never in L2, as weights
  double elements = 0;           // that are issued
  double rows = 0;               // of reductions
  double width = 0;              // of a row, in elements
  bool in_parts = false;         // of a reduction: blocks that share a row add up what they have
  // GEMM and implicit GEMM: batch times [m, k] x [k, n]. Attention: batch times heads, queries, keys, head size.
  double batch = 1, m = 0, n = 0, k = 0;
  double channels = 0;  // of a convolution's input, in a group
  bool aligned = true;  // rows start at multiples of 16 bytes
  bool three_d = false, pointwise = false;
  bool patches = false;  // few input channels, padded for matrix units
  bool causal = false, masked = false;
  bool splits = true;         // whether FlashAttention may split the keys: not where sequences are packed (varlen)
  Sorts sorts = Sorts::none;  // of a small kernel, rows of `width`
  BusMemory host_memory = BusMemory::any;  // of a transfer
  const char* attention = "";              // "flash", "cudnn", "efficient"

  double bytes() const { return read + written; }
  bool operator==(const DeviceKernel&) const = default;
};

}  // namespace modelmeter
