// torch.compile: the kernels that Inductor generates in place of eager ones, region by region (trace/region.h).
//
//   elementwise     a result that only elementwise work and reductions read is not made: each reader computes it anew,
//                   unless it has several readers and more than 4 inputs (config.realize_reads_threshold), or more
//                   than 8
//   fusion          what is left becomes one kernel with what it reads from or shares inputs with, if it goes over as
//                   many elements, or over the rows that the other reduces, and nothing between needs the one and is
//                   needed by the other: a layer norm with the casts, scale and shift around it, two norms that share
//                   their rotary embedding
//   memory          what only its own kernel reads is never there. The result of a kernel takes over an input that
//                   nothing else needs, of its size and read in its order. All else goes with its last reader
//   library calls   GEMMs with their bias, attention, sort, top-k, scatters, what is complex or of the host: as eager
//                   ones. A convolution leaves its bias to a generated kernel
//
// Source: torch/_inductor of PyTorch 2.11 (graph.py, ir.py, scheduler.py) and a profile of one block of diffusers' Wan
// 14B: 61 launches become 20, with the operands that the test has. Not modelled: graph breaks, reductions split in two,
// layouts changed for convolutions, templates that max-autotune chooses, CUDA graphs (host=cuda_graph has those).
#pragma once

#include "trace/region.h"

namespace modelmeter {

void compile(Trace& trace, Rewriting& rewriting);

}  // namespace modelmeter
