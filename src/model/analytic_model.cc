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

const std::vector<Residents>& AnalyticModel::residents_by_stage() const {
  std::call_once(residents_once_, [this] {
    for (const auto& stage : stages()) residents_.push_back(residents(*stage));
  });
  return residents_;
}

Residence AnalyticModel::residence_of(size_t number, int64_t input_bytes) const {
  const Stage& stage = *stages()[number];
  const Residents& resident = residents_by_stage()[number];
  const int64_t held = held_bytes(stage);
  Residence out{-1,
                checked_add(resident.bytes(), resident.on_device ? std::max(input_bytes, held) : held, "live memory")};
  out.on_device = resident.on_device;
  out.arriving_bytes = resident.arriving_bytes;
  out.leaving_bytes = resident.leaving_bytes;
  out.loaded_bytes = resident.loaded_bytes;
  out.records_stream = stage.offload(stage.run()).record_stream;
  return out;
}

void AnalyticModel::record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const {
  Trace& trace = tracer.trace();
  for (size_t i = 0; i < stages().size(); ++i) {
    const Stage& stage = *stages()[i];
    tracer.enter_function(stage.id());
    trace.given_bytes = 0;
    (stage.*how)(tracer);
    Residence residence = residence_of(i, trace.given_bytes - stage.weight_and_buffer_bytes());
    residence.scope = tracer.scope();
    trace.residences.push_back(residence);
    tracer.leave();
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
