#include "hardware/stack.h"

#include <map>

namespace modelmeter {
namespace {

constexpr int64_t kibibyte = 1024, mebibyte = 1024 * kibibyte;

// kMinBlockSize, kSmallSize, kSmallBuffer, kMinLargeAlloc, large_segment_size() and kRoundLarge there.
constexpr Constant read_in_allocator(int64_t bytes) {
  return {bytes, "B", "PyTorch, c10/core/AllocatorConfig.h", "2026-11"};
}

constexpr Stack pytorch_2_15 = {
    "PyTorch 2.15, CUDA 13",
    {read_in_allocator(512), read_in_allocator(mebibyte), read_in_allocator(2 * mebibyte),
     read_in_allocator(10 * mebibyte), read_in_allocator(20 * mebibyte), read_in_allocator(2 * mebibyte)},
    // CUBLAS_WORKSPACE_CONFIG, by default :4096:2:16:8 (KiB, times); aten/src/ATen/cuda/CublasHandlePool.cpp. Seen as a
    // block of 8,519,680 bytes in discuss.pytorch.org/t/178671 (2023).
    {(2 * 4096 + 8 * 16) * kibibyte, "B", "PyTorch, CublasHandlePool.cpp; 32 MiB on Hopper", "2026-11"},
    // 16 bits: invoke-ai/InvokeAI#9305 (2026-06), max_memory_allocated of Wan's decoder on one frame, float16, RTX
    // 4090, PyTorch 2.7.1: what five sizes take above the live tensors is 385 elements a pixel; 288 of input and 96 of
    // output of the convolution at the peak are 384. float32: kernels of the decoder in published Nsight profiles
    // (zaitrarrio/fastvideo-rs, artifacts/perf/datacenter, H100): nchwToNhwcKernel, then
    // sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_nhwckrsc_nchw, which by its name writes channels-first. One of
    // PyTorch at 480 x 832 has nchwToNhwcKernel with grid (75373, 3), 32 positions by 32 channels each: the padded
    // input [96, 6, 482, 834], and no way back.
    {{2, "B/element", "channels-last copies: InvokeAI#9305; fastvideo-rs", "2026-06"}},
    // 426 MiB by nvidia-smi with nothing allocated, PyTorch 2.10 with CUDA 13.0. Others: 274 MiB
    // (pytorch/pytorch#86509, 2022), about 300 and 400 MB (#107667, #109888, 2023).
    {426 * mebibyte, "B", "RTX 6000 Ada, PyTorch 2.10: unsloth-zoo#1053", "2026-08"},
};

// What differs on Hopper. Measured on one H100 and one H200 with PyTorch 2.11, cuDNN 9.19 and CUDA 13.0: at the
// decoder's peak convolution in float32 max_memory_allocated is above the live tensors by exactly input and output;
// what the driver calls used is 695 to 797 MiB above what the allocator reserves.
Stack hopper() {
  Stack out = pytorch_2_15;
  out.name = "PyTorch 2.11, CUDA 13, Hopper";
  out.cublas_workspace = {32 * mebibyte, "B", "PyTorch, CublasHandlePool.cpp: 32 MiB on Hopper", "2026-11"};
  out.convolution.output_copied_up_to = {4, "B/element", "max_memory_allocated on H100 and H200, cuDNN 9.19",
                                         "2026-11"};
  out.cuda_context = {780 * mebibyte, "B", "used less reserved on H100 and H200, CUDA 13.0", "2026-11"};
  return out;
}

// What is used and not reserved, by architecture: "memory in use" of PyTorch's OutOfMemoryError less what it says is
// allocated and reserved, of processes with one device and no other libraries. Ada: 420 to 450 MiB on L40S
// (Step-Video-T2V#8), RTX 6000 Ada (MTVCrafter#21) and RTX 4090 (SoulX-FlashTalk#5), as above.
struct Context {
  const char* architecture;
  int64_t mebibytes;
  const char* source;
};
constexpr Context contexts[] = {
    {"sm80", 409, "used less reserved, A100: HiDream-ai/VAREdit#6"},
    {"sm86", 348, "used less reserved, RTX 3090: Wan-Video/Wan2.2#90"},
    {"sm120", 606, "used less reserved, RTX 5090: Wan2.1#465, TrajectoryCrafter#20"},
};

Stack with_context(const Context& context) {
  Stack out = pytorch_2_15;
  out.cuda_context = {context.mebibytes * mebibyte, "B", context.source, "2026-11"};
  return out;
}

}  // namespace

const Stack& default_stack() { return pytorch_2_15; }

const Stack& stack_of(const std::string& architecture) {
  static const std::map<std::string, Stack> known = [] {
    std::map<std::string, Stack> out = {{"sm90", hopper()}};
    for (const Context& context : contexts) out.emplace(context.architecture, with_context(context));
    return out;
  }();
  const auto found = known.find(architecture);
  return found == known.end() ? pytorch_2_15 : found->second;
}

}  // namespace modelmeter
