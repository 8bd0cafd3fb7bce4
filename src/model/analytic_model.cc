#include "model/analytic_model.h"

#include <algorithm>

#include "base/checked.h"
#include "trace/repeat.h"

namespace modelmeter {

void Stage::record(Tracer& tracer, int64_t times, const RunValues& run) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(trace.given_bytes, weight_and_buffer_bytes(), "the size of the weights");
  if (execution_ == Execution::eager) return repeat_alike(times, [&] { forward(tracer, run); });
  const size_t first = trace.ops.size();
  const bool shares_calls = tracer.exchange_shares_calls(false);
  repeat_alike(times, [&] { forward(tracer, run); });
  tracer.exchange_shares_calls(shares_calls);
  trace.execution = execution_;
  if (!is_around_models()) execute(trace, first, execution_);
}

int64_t Stage::weight_and_buffer_bytes() const {
  return checked_add(parameter_bytes(), layer().buffer_bytes(), "the size of the weights");
}

void AnalyticModel::set_execution(Execution execution) {
  execution_ = execution;
  for (const auto& stage : stages()) stage->set_execution(execution);
}

std::vector<const BaseLayer*> AnalyticModel::root_layers() const {
  std::vector<const BaseLayer*> out;
  for (const auto& stage : stages()) {  // which may share one
    if (std::find(out.begin(), out.end(), &stage->layer()) == out.end()) out.push_back(&stage->layer());
  }
  return out;
}

int64_t Residents::bytes() const {
  int64_t total = 0;
  for (const Resident& resident : list) total = checked_add(total, resident.bytes, "the size of the weights");
  return total;
}

std::vector<const Stage*> AnalyticModel::parts() const {
  std::vector<const Stage*> out;
  for (const auto& stage : stages()) out.push_back(stage.get());
  return out;
}

Residents AnalyticModel::residents(const Stage&, const RunValues&) const {
  Residents out;
  for (const BaseLayer* layer : root_layers()) {
    std::string what = "the model";
    for (const auto& stage : stages()) {
      if (&stage->layer() == layer && what == "the model") what = stage->id();
    }
    out.list.push_back({std::move(what),
                        checked_add(layer->parameter_bytes(), layer->buffer_bytes(), "the size of the weights"),
                        layer});
  }
  return out;
}

const std::vector<AnalyticModel::Held>& AnalyticModel::held_by_stage() const {
  std::call_once(held_once_, [this] {
    for (const auto& stage : stages()) {
      const Residents resident = residents(*stage);
      held_.push_back(
          {resident.bytes(), resident.arriving_bytes, resident.leaving_bytes, resident.on_device, resident.streamed});
    }
  });
  return held_;
}

void AnalyticModel::record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const {
  Trace& trace = tracer.trace();
  const Held* resident = held_by_stage().data();
  for (const auto& stage : stages()) {
    tracer.enter_function(stage->id());
    trace.given_bytes = 0;
    // Streamed weights are counted kernel by kernel, where it runs.
    const bool shares_calls = tracer.exchange_shares_calls(!resident->streamed && tracer.shares_calls());
    const bool names_scopes = tracer.exchange_names_scopes(resident->streamed || tracer.names_scopes());
    ((*stage).*how)(tracer);
    tracer.exchange_names_scopes(names_scopes);
    tracer.exchange_shares_calls(shares_calls);
    const int64_t held = held_bytes(*stage), inputs = trace.given_bytes - stage->weight_and_buffer_bytes();
    const int64_t beside = resident->on_device ? std::max(inputs, held) : held;
    trace.residences.push_back({tracer.scope(), checked_add(resident->bytes, beside, "live memory"),
                                resident->on_device, resident->streamed, resident->arriving, resident->leaving});
    tracer.leave();
    ++resident;
  }
}

int64_t AnalyticModel::parameter_count() const {
  int64_t total = 0;
  for (const BaseLayer* layer : root_layers()) {
    total = checked_add(total, layer->parameter_count(), "the number of parameters");
  }
  return total;
}

int64_t AnalyticModel::parameter_bytes() const {
  int64_t total = 0;
  for (const BaseLayer* layer : root_layers()) {
    total = checked_add(total, layer->parameter_bytes(), "the size of the weights");
  }
  return total;
}

}  // namespace modelmeter
