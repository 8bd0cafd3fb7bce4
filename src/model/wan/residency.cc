#include "model/wan/residency.h"

#include <algorithm>

#include "base/checked.h"
#include "model/wan/stage.h"

namespace modelmeter::wan {

Role role_of(const Stage& stage) { return static_cast<const WanStage&>(stage).role(); }

void Device::put(const Stage& stage) {
  if (stage.parameter_count() > 0 && !holds(stage.layer())) held_.push_back(&stage.layer());
}

void Device::put_all(Role role) {
  for (const auto& stage : stages_) {
    if (role_of(*stage) == role) put(*stage);
  }
}

void Device::remove(const BaseLayer& layer) {
  held_.erase(std::remove(held_.begin(), held_.end(), &layer), held_.end());
}

void Device::remove_all(Role role) {
  for (const auto& stage : stages_) {
    if (role_of(*stage) == role) remove(stage->layer());
  }
}

bool Device::holds(const BaseLayer& layer) const {
  return std::find(held_.begin(), held_.end(), &layer) != held_.end();
}

Residents Device::residents(Beside beside) const {
  Residents out;
  for (const auto& stage : stages_) {
    const BaseLayer* layer = &stage->layer();
    const auto listed = [&](const Resident& r) { return r.layer == layer; };
    if (!holds(*layer) || std::any_of(out.list.begin(), out.list.end(), listed)) continue;
    const Offload offload = stage->offload(run_);
    const int64_t bytes = offload.active() ? resident_bytes(*layer, offload) : stage->weight_and_buffer_bytes();
    if (bytes > 0) out.list.push_back({stage->id(), bytes, layer, offload});
    if (beside != nullptr) beside(*stage, out.list);
  }
  return out;
}

std::vector<const Stage*> models_of(const Stages& stages, std::initializer_list<Role> roles) {
  std::vector<const Stage*> out;
  for (const Role role : roles) {
    for (const auto& stage : stages) {
      const auto same = [&](const Stage* known) { return &known->layer() == &stage->layer(); };
      if (role_of(*stage) == role && std::none_of(out.begin(), out.end(), same)) out.push_back(stage.get());
    }
  }
  return out;
}

int64_t bytes_beside(const Residents& there, const Residents& before) {
  int64_t out = 0;
  for (const Resident& r : there.list) {
    const auto same = [&](const Resident& b) { return b.what == r.what; };
    if (std::none_of(before.list.begin(), before.list.end(), same)) {
      out = checked_add(out, r.bytes, "the size of the weights");
    }
  }
  return out;
}

}  // namespace modelmeter::wan
