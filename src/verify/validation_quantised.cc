// Rows of gemm.csv of 8 and 4 bits: the kernels of TensorRT-LLM that quantise the activations are in their times.
//
//   s = kernels x start + bytes at what streams reach / share
//
// With 8 bits a scale is set to zero, the largest of all elements is found, the scale made of it and each element
// divided by it; with 4 bits each 16 elements have a scale of their own, and two kernels do.
#include <string_view>

#include "verify/validation_files.h"

namespace modelmeter {
namespace {

struct Quantising {
  double kernels;
  double read, written;  // B of an element, in all passes
  double share;          // of the bandwidth of streams that the passes reach where that is HBM's; GDDR's they do
};
constexpr Quantising to_eight_bits = {4, 4, 1, 0.62}, to_four_bits = {2, 2, 0.5 + 1.0 / 16, 0.65};

// s of a kernel of a few elements in a CUDA graph: on Hopper and Ada, on Blackwell.
constexpr double start = 2.37e-6, start_of_blackwell = 2.9e-6;

constexpr double least_of_hbm = 1.2e12;  // B/s

}  // namespace

// Starts are read off rows of up to 16 by 4,096 of the H100 and the B200, the share of 8 bits off the H100's larger
// ones, that of 4 bits fitted with its products (2026-11; docs/validation.md).
double quantising_seconds(double elements, std::string_view precision, const Machine& machine) {
  if (precision != "fp8" && precision != "fp4") return 0;
  const Quantising& q = precision == "fp8" ? to_eight_bits : to_four_bits;
  const bool blackwell = machine.device().architecture.rfind("sm1", 0) == 0;
  const bool is_hbm = machine.device().memory_bandwidth.value > least_of_hbm;
  return q.kernels * (blackwell ? start_of_blackwell : start) +
         machine.memory_seconds(q.read * elements, q.written * elements, 0) / (is_hbm ? q.share : 1);
}

}  // namespace modelmeter
