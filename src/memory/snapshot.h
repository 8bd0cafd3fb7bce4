// An allocation record as torch.cuda.memory._snapshot() gives one: what PyTorch's tools (torch.cuda._memory_viz) and
// its viewer, https://pytorch.org/memory_viz, open. The segments are those where the allocator is fullest, the trace is
// of all that it did before, repetitions that bring nothing new left out; a frame is a kernel with its module and its
// number among the ops of its stage. There are no times and no history of what is freed.
#pragma once

#include <string>

#include "base/document.h"
#include "memory/caching_allocator.h"
#include "memory/run_replay.h"

namespace modelmeter {

void write_snapshot(const AllocationRecord& record, const AllocatorSettings& settings, DocumentWriter& out);

// By the ending of a file's name: a pickle (.pickle, .pkl), as torch.cuda.memory._dump_snapshot() writes it, or .json.
// Error (usage) for another.
std::string snapshot_file(const std::string& path, const AllocationRecord& record, const AllocatorSettings& settings);

}  // namespace modelmeter
