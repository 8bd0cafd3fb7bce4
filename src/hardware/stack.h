// Stack: the libraries that a program runs on, as far as they decide what is on the device beside tensors. Plain data;
// the rules that stand on it are in memory/. Which of them are fitted, and to what: docs/memory.md.
#pragma once

#include <string>

#include "hardware/constant.h"

namespace modelmeter {

// How PyTorch's caching allocator rounds and takes segments. Every allocation is a multiple of a block. One of up to
// `small_allocation` comes from segments of `small_segment`, one below `large_allocation` from segments of
// `large_segment`; a larger one has a segment of its own, a multiple of `own_segment`.
struct AllocatorRules {
  Constant block;
  Constant small_allocation, small_segment;
  Constant large_allocation, large_segment;
  Constant own_segment;
};

// cuDNN's copies of a channels-first convolution (memory/workspace.h): the input always, the output where an element
// of it takes no more than this.
struct ConvolutionWorkspace {
  Constant output_copied_up_to;  // bytes an element
};

struct Stack {
  const char* name = "";
  AllocatorRules allocator;
  Constant cublas_workspace;  // allocated once per handle and stream
  ConvolutionWorkspace convolution;
  Constant cuda_context;  // with the kernels that are loaded when the first tensor is made; more are as they run
};

// PyTorch 2.15 on CUDA 13, devices before Hopper.
const Stack& default_stack();

// The same on a device of that architecture ("sm90").
const Stack& stack_of(const std::string& architecture);

}  // namespace modelmeter
