#include "model/analytic_model.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter {

void Stage::record(Tracer& tracer, int64_t times) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(trace.given_bytes, weight_and_buffer_bytes(), "the size of the weights");
  tracer.enter_repetition(times);
  forward(tracer);
  tracer.leave();
}

int64_t Stage::weight_and_buffer_bytes() const {
  return checked_add(parameter_bytes(), layer().buffer_bytes(), "the size of the weights");
}

// Every model once: stages may share one.
template <class Visit>
void AnalyticModel::for_each_own_layer(Visit visit) const {
  const auto& all = stages();
  for (size_t i = 0; i < all.size(); ++i) {
    bool seen = false;
    for (size_t j = 0; j < i; ++j) seen = seen || &all[j]->layer() == &all[i]->layer();
    if (!seen) visit(all[i]->layer());
  }
}

int64_t Residents::bytes() const {
  int64_t total = 0;
  for (const Resident& resident : list) total = checked_add(total, resident.bytes, "the size of the weights");
  return total;
}

Residents AnalyticModel::residents(const Stage&) const {
  Residents out;
  for (const auto& stage : stages()) {
    const BaseLayer* layer = &stage->layer();
    const auto same = [&](const Resident& r) { return r.layer == layer; };
    if (std::any_of(out.list.begin(), out.list.end(), same)) continue;
    out.list.push_back({stage->id(), stage->weight_and_buffer_bytes(), layer});
  }
  return out;
}

void AnalyticModel::record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const {
  Trace& trace = tracer.trace();
  for (const auto& stage : stages()) {
    tracer.enter_function(stage->id());
    trace.given_bytes = 0;
    ((*stage).*how)(tracer);
    const Residents resident = residents(*stage);
    const int64_t held = held_bytes(*stage), inputs = trace.given_bytes - stage->weight_and_buffer_bytes();
    const int64_t beside = resident.on_device ? std::max(inputs, held) : held;
    trace.residences.push_back({tracer.scope(), checked_add(resident.bytes(), beside, "live memory"), resident.on_device,
                                resident.streamed});
    tracer.leave();
  }
}

int64_t AnalyticModel::parameter_count() const {
  int64_t total = 0;
  for_each_own_layer([&](const BaseLayer& layer) {
    total = checked_add(total, layer.parameter_count(), "the number of parameters");
  });
  return total;
}

int64_t AnalyticModel::parameter_bytes() const {
  int64_t total = 0;
  for_each_own_layer([&](const BaseLayer& layer) {
    total = checked_add(total, layer.parameter_bytes(), "the size of the weights");
  });
  return total;
}

}  // namespace modelmeter
