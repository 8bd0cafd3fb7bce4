#include "model/analytic_model.h"

#include <algorithm>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "trace/repeat.h"

namespace modelmeter {

namespace {

// Hooks of a tracer while weights are offloaded; nothing where they are not.
class OffloadGuard {
 public:
  OffloadGuard(Tracer& tracer, const Stage& stage, const RunValues& run) : tracer_(tracer) {
    const Offload offload = stage.offload(run);
    if (!offload.active()) return;
    OffloadHooks::Orders orders;
    if (offload.prefetches()) {
      orders = OffloadHooks::orders_of(stage.layer(), offload, [&](Tracer& t) { stage.forward(t, run); });
    }
    hooks_.emplace(tracer, stage.layer(), offload, std::move(orders));
    tracer.hooks = &*hooks_;
    unrolls_layers_ = std::exchange(tracer.unrolls_layers, offload.tells_layers_apart());
    // Each module is called by itself: none is like another.
    shares_calls_ = tracer.exchange_shares_calls(false);
    names_scopes_ = tracer.exchange_names_scopes(true);
  }
  ~OffloadGuard() {
    if (!hooks_) return;
    tracer_.hooks = nullptr;
    tracer_.unrolls_layers = unrolls_layers_;
    tracer_.exchange_shares_calls(shares_calls_);
    tracer_.exchange_names_scopes(names_scopes_);
  }
  OffloadGuard(const OffloadGuard&) = delete;
  OffloadGuard& operator=(const OffloadGuard&) = delete;

  void rethrow() const {
    if (hooks_) hooks_->rethrow();
  }

 private:
  Tracer& tracer_;
  std::optional<OffloadHooks> hooks_;
  bool unrolls_layers_ = false, shares_calls_ = false, names_scopes_ = false;
};

}  // namespace

void Stage::record(Tracer& tracer, int64_t times, const RunValues& run) const {
  Tracer::Guard guard(tracer);
  Trace& trace = tracer.trace();
  trace.given_bytes = checked_add(trace.given_bytes, weight_and_buffer_bytes(), "the size of the weights");
  const OffloadGuard offload(tracer, *this, run);
  const size_t first = trace.ops.size();
  const bool eager = execution_ == Execution::eager;
  const bool shares_calls = tracer.exchange_shares_calls(eager && tracer.shares_calls());
  repeat_alike(times, [&] { forward(tracer, run); });
  tracer.exchange_shares_calls(shares_calls);
  offload.rethrow();
  if (eager) return;
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
      held_.push_back({resident.bytes(), resident.arriving_bytes, resident.leaving_bytes, resident.loaded_bytes,
                       resident.on_device, stage->offload(stage->run()).record_stream});
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
    ((*stage).*how)(tracer);
    const int64_t held = held_bytes(*stage), inputs = trace.given_bytes - stage->weight_and_buffer_bytes();
    const int64_t beside = resident->on_device ? std::max(inputs, held) : held;
    trace.residences.push_back({tracer.scope(), checked_add(resident->bytes, beside, "live memory"),
                                resident->on_device, resident->arriving, resident->leaving, resident->loaded,
                                resident->records_stream});
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
