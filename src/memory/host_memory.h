// What a run's weights take of host memory: while they are loaded, and those that wait there for the device while it
// runs. Not in it: Python and libraries, the page cache of mapped files, images and videos, and activations of stages
// that run on the host.
#pragma once

#include <cstdint>
#include <string>

#include "model/analytic_model.h"

namespace modelmeter {

struct HostMemory {
  bool known = false;        // whether the model says how it is loaded
  int64_t loading = 0;       // the most while the models are loaded, bytes
  std::string loading_what;  // which is loaded then
  int64_t running = 0;       // the most while a stage runs
  int64_t pinned = 0;        // of those that wait, in pinned memory

  int64_t most() const { return loading > running ? loading : running; }
};

HostMemory host_memory(const AnalyticModel& model);

}  // namespace modelmeter
