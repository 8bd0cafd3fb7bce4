// PYTORCH_CUDA_ALLOC_CONF: "expandable_segments:True,max_split_size_mb:128".
#pragma once

#include <string>

#include "memory/caching_allocator.h"

namespace modelmeter {

// Error for a key that there is not, with a did-you-mean, for one that is not modelled, and for a value that PyTorch
// 2.15 refuses (max_split_size_mb must be 20 or more; divisions are powers of two; a threshold lies between 0 and 1).
AllocatorSettings parse_alloc_conf(const std::string& text);

}  // namespace modelmeter
