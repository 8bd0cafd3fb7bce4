#include "memory/host_memory.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {
namespace {

constexpr char host_size[] = "the weights in host memory";

// Of the models those that are not on the device while a stage runs, and what of one waits for its turn.
int64_t waiting_bytes(const AnalyticModel& model, const Stage& running) {
  const Residents there = model.residents(running);
  int64_t out = 0;
  for (const BaseLayer* layer : model.root_layers()) {
    int64_t bytes = checked_add(layer->parameter_bytes(), layer->buffer_bytes(), host_size);
    for (const Resident& r : there.list) {
      if (r.layer != layer) continue;
      const bool sharded = r.offload.kind == Offload::Kind::fsdp;  // the rest is on other ranks
      bytes = sharded ? 0 : bytes - std::min(bytes, r.bytes);
    }
    out = checked_add(out, bytes, host_size);
  }
  return out;
}

}  // namespace

HostMemory host_memory(const AnalyticModel& model) {
  HostMemory out;
  int64_t held = 0;
  for (const LoadedModel& loaded : model.loading()) {
    out.known = true;
    const int64_t now = checked_add(held, loaded.host_peak_bytes, host_size);
    if (now > out.loading) {
      out.loading = now;
      out.loading_what = loaded.what;
    }
    held = checked_add(held, loaded.host_bytes, host_size);
  }
  if (!out.known) return out;
  std::vector<const BaseLayer*> seen;
  for (const auto& stage : model.stages()) {
    out.running = std::max(out.running, waiting_bytes(model, *stage));
    if (std::find(seen.begin(), seen.end(), &stage->layer()) != seen.end()) continue;
    seen.push_back(&stage->layer());
    const Offload offload = stage->offload(stage->run());
    if (offload.active()) out.pinned = checked_add(out.pinned, pinned_bytes(stage->layer(), offload), host_size);
  }
  return out;
}

}  // namespace modelmeter
