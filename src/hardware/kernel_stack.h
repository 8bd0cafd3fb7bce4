// KernelStack: the libraries that a program runs on, as far as they decide which kernels run and how well each uses the
// device: a file of configs/stack. Constants belong to a class of kernels and an architecture, never to a model.
//
// Rates of what is no matrix unit are elements per SM and clock; those of matrix units are shares of the device's rate.
#pragma once

#include <array>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "hardware/quantity.h"

namespace modelmeter {

// Kernels that are bound by memory or by the instructions that each element takes. Names are those of the file.
enum class MemoryClass : uint8_t {
  vectorized,        // one layout, one dtype (or float32 to 16 bits): vectorized_elementwise_kernel
  vectorized_heavy,  // the same of functions that take tens of instructions: gelu of 16 bits
  vectorized_silu,
  fill,             // vectorized, writes only
  unrolled_widen,   // 16 bits to float32, contiguous: unrolled_elementwise_kernel
  unrolled_binary,  // contiguous operands of different dtypes
  unrolled_wide,    // to float64
  unrolled_from_wide,
  broadcast,         // elementwise_kernel<128, 2>: 32 bits and more, an operand broadcast
  strided,           // the same, an operand strided
  broadcast_narrow,  // elementwise_kernel<128, 4>: 16 bits and less
  strided_narrow,
  broadcast_mixed,  // operands of different dtypes, broadcast or strided
  copy,             // the copy engine
  reduction,        // along the innermost dimension
  reduction_outer,
  layer_norm,
  layer_norm_narrow,  // of 16 bits
  rms_norm,
  softmax,              // of rows of up to 1024 elements: a warp has a row
  softmax_wide,         // a block has a row
  softmax_wide_narrow,  // of 16 bits
  softmax_long,         // of rows past 2048: more than two elements a thread
  cat_batched,          // CatArrayBatchedCopy where vectors do not fit
  gather,
  scatter,
  resample,
  random,
  generated,  // by torch.compile; elements are FLOPs here
  to_channels_last,
  to_channels_last_narrow,  // of 16 bits
  from_channels_last,
  from_channels_last_narrow,  // of 16 bits
};
inline constexpr size_t memory_classes = static_cast<size_t>(MemoryClass::from_channels_last_narrow) + 1;
const std::array<const char*, memory_classes>& memory_class_names();

struct MemoryConstants {
  double fixed = 0;      // s, of a kernel with nothing to do
  double per_clock = 0;  // elements per SM and clock; 0: as many as memory gives
  double memory = 1;     // bandwidth, as a share of a stream's that reads and writes
  double in_l2 = 0;      // share of the elements' time that is saved where L2 has them
  double row = 0;        // clocks that an SM spends on each row beside its elements
  double element = 0;    // s, of an element of a row that waits for the one before
  double overlap = 3;    // power that joins elements and memory
  double ramp = 0;       // s of `fixed` in which first blocks work while others start, where L2 has what they read
};

// timing/kernels/gemm.h says what each does.
struct GemmConstants {
  double efficiency = 0, tile_loss = 0, wide_tile_loss = 0;
  double prologue = 0;                               // elements of k
  double fixed = 0, step = 0, split = 0, drain = 0;  // s
  double memory = 0;                                 // share of the bandwidth
  double wave = 0;                                   // s, of a tile beside its steps
  double narrow = 0;                                 // share of the rate that fp8 reaches of `efficiency`; 0: all
  double latency = 0;                                // s, until the first bytes of device memory are there
  double overlap = 3;                                // power that joins compute and memory
  double unaligned = 0;                              // s, added to `fixed` where rows are no multiples of 16 bytes
  double vector = 0;                                 // share of the vector rate, of float32 without TF32
  double operands = 0;                               // B that L2 brings an SM in a clock; 0: no limit
  double stream = 0;                                 // B of memory that an SM takes in a clock; 0: no limit
  double unaligned_step = 0;                         // s, of 64 x 64 x 32 loaded element by element
  double unaligned_block = 0;                        // s, that such a tile of 64 x 64 takes at least
  double vector_product = 0;                         // s, of what is not aligned; 0: as others
  double between = 0;    // s, from one to the next of a loop in a CUDA graph: no two share an SM
  double full_rate = 0;  // FLOP per SM and clock with 16 bits that `efficiency` is a share of; 0: the device's own
};

// timing/kernels/attention.h.
struct AttentionConstants {
  double per_clock = 0;  // FLOP per SM and clock
  double rows = 0;       // queries of a block
  double keys = 0;       // added to those of each block: its prologue and epilogue
  double step = 64;      // keys that a block takes at a time
  double pad = 1;        // heads are computed in multiples of so many elements
  double blocks = 1;     // on an SM at once
  double alone = 1;      // a block that has an SM for itself takes so many times its share of a full one
  double fixed = 0;      // s
  double masked = 1;     // share of the rate with a mask
};

// timing/kernels/convolution.h.
struct ConvolutionConstants {
  struct Shares {
    double tiles = 0, full = 0, pointwise = 0;  // of the rate of matrix units; full: channels out a multiple of 256
    double operands = 0;                        // B that L2 brings to an SM in a clock, of filters in three dimensions
    double tile_loss = 0;                       // rows of a tile that are lost on each of its sides
    double wave = 0;                            // s, of a tile of 128 by 128 beside its steps
    double fixed = 0;                           // s, of what is no 1 x 1 filter, beside ConvolutionConstants::fixed
  };
  Shares tf32, half;       // half: 16 bits
  double operands_2d = 0;  // B, as above, of TF32
  double patch_step = 0;   // clocks, of 128 x 128 x 32 of fewer than 8 input channels padded to 8
  double first_layer = 0;  // share of the rate, of such with filters smaller than 8 x 8
  double vector = 0;       // share of the vector rate
  double fixed = 0;        // s
};

struct ArchitectureConstants {
  std::string name;
  GemmConstants gemm;
  std::optional<GemmConstants> gemm_fp4;  // of 4 bits, where another library has those
  ConvolutionConstants convolution;
  // By the kernel ("flash", "cudnn", "efficient"), then by the largest head size that it is for.
  std::map<std::string, std::map<int64_t, AttentionConstants>> attention;
};

struct KernelStack {
  std::string id, name;
  std::vector<Source> sources;
  std::array<MemoryConstants, memory_classes> memory;
  double small_kernel = 0;  // s, of a kernel of a few hundred elements that is none of these: sort, top-k, cumsum …
  std::vector<ArchitectureConstants> architectures;

  // Error naming those there are.
  const ArchitectureConstants& architecture(const std::string& name) const;
};

// Error at the line of what is wrong.
KernelStack read_kernel_stack(const config::View& file, const std::string& id);

}  // namespace modelmeter
