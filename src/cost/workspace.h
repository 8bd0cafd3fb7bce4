// Memory that a kernel asks for while it runs, beside its operands.
//
// Known for convolutions only. cuDNN runs a channels-first convolution on tensor cores channels-last: it copies the
// input into a workspace, and where its kernel does not write channels-first also the output.
//   16 bits  input and output. Source: invoke-ai/InvokeAI#9305 (2026-06), max_memory_allocated of this decoder on one
//            frame, float16, RTX 4090, PyTorch 2.7.1: what five sizes take above the live tensors is 385 elements a
//            pixel; 288 of input and 96 of output of the convolution at the peak are 384.
//   float32  the input. Source: kernels of the Wan decoder in published Nsight profiles (zaitrarrio/fastvideo-rs,
//            artifacts/perf/datacenter, H100): nchwToNhwcKernel, then
//            sm80_xmma_fprop_implicit_gemm_tf32f32_tf32f32_f32_ nhwckrsc_nchw, which by its name writes channels-first.
//            One of PyTorch at 480 x 832 has nchwToNhwcKernel with grid (75373, 3), 32 positions by 32 channels each:
//            the padded input [96, 6, 482, 834], and no way back.
// Which kernel runs is cuDNN's choice, by device and version; without TF32 there may be no copy. Not modelled: the copy
// of the weight (a few MiB), attention's running sums.
#pragma once

#include <cstdint>

#include "trace/trace.h"

namespace modelmeter {

int64_t workspace_bytes(const Trace& trace, const Op& op);

}  // namespace modelmeter
