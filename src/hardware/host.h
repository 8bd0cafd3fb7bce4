// Host: how long a CPU needs to launch kernels from eager PyTorch, by kind of call: a file of configs/host. A host that
// needs no time (a replayed CUDA graph) has zeros. And what copies between its memory and a device's reach.
#pragma once

#include <string>
#include <vector>

#include "hardware/quantity.h"

namespace modelmeter {

struct Host {
  std::string id, name;
  std::vector<Source> sources;
  // s, of a call that launches a kernel of that kind …
  double elementwise = 0, matmul = 0, norm = 0, attention = 0, convolution = 0;
  double python = 0;        // … and of the interpreter, views and modules between two of them
  double spread = 0;        // by which a run on such a host may differ, as a share
  double pinned_share = 1;  // of the link's rate, from and to pinned memory
  double pageable_to_device = 0, pageable_to_host = 0;  // B/s: the CPU copies it, too, and new pages are slow to come
};

// Error at the line of what is wrong.
Host read_host(const config::View& file, const std::string& id);

}  // namespace modelmeter
