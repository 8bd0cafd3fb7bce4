// What a report, a command or a sweep needs of any model: its stages, what is resident while each runs, and the facts
// of model and workload. One implementation per model family.
#pragma once

#include <memory>
#include <mutex>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "base/fields.h"
#include "layer/base_layer.h"
#include "layer/offload.h"
#include "layer/stage_cost.h"
#include "model/report_vocabulary.h"
#include "model/run_values.h"

namespace modelmeter {

struct Recording;

// What the forwards of a stage are made of: its code and all that its layers and inputs were built with.
class StageIdentity {
 public:
  virtual ~StageIdentity() = default;
  virtual bool equals(const StageIdentity& other) const = 0;
};

// A part of the run that can be analysed alone. It is const and knows one run, that of the configuration; the others
// are given to it.
class Stage : public StageCostMixin {
 public:
  Stage(std::string id, std::string stage, const RunValues& run)
      : id_(std::move(id)), stage_(std::move(stage)), run_(run) {}

  const std::string& id() const { return id_; }        // of its node in reports: "diffusion/dit"
  const std::string& stage() const { return stage_; }  // text_encoder, diffusion, vae, vision, prefill, decode, other
  const RunValues& run() const { return run_; }        // of the configuration
  virtual const BaseLayer& layer() const = 0;

  // The numbers of a run that one forward follows from.
  virtual std::vector<Dependence> depends_on() const = 0;
  // Forwards of the model in one run.
  virtual int64_t forwards(const RunValues&) const { return 1; }
  int64_t forwards() const { return forwards(run_); }
  // What the run adds to the KV cache.
  virtual int64_t kv_cache_bytes(const RunValues&) const { return 0; }
  int64_t kv_cache_bytes() const override { return kv_cache_bytes(run_); }

  // How its weights come to the device while it runs; by default they are there.
  virtual Offload offload(const RunValues&) const { return {}; }

  // Stages with equal ones record equal traces of equal numbers of depends_on(), where weights come alike (offload())
  // and kernels are run alike (execution()). Null: like no other stage, or not by itself in a run.
  virtual std::shared_ptr<const StageIdentity> identity() const { return nullptr; }

  // One forward on its inputs; trace() repeats it forwards() times, memory unchanged.
  virtual void forward(Tracer& tracer, const RunValues& run) const = 0;

  // Where the stage calls what another one runs: what is alive then, inputs of that one among it.
  struct Held {
    std::string_view stage;  // the beginning of the other one's id
    int64_t bytes;
  };
  // Call by call, of a trace of trace_forward().
  virtual std::vector<Held> held_at_calls(const Trace&) const { return {}; }

  // How its kernels are run: eager unless it is said before it is used. Around models (schedulers, guidance) they are
  // eager ones.
  void set_execution(Execution execution) { execution_ = execution; }
  Execution execution() const { return execution_; }
  virtual bool is_around_models() const { return false; }

  void trace(Tracer& tracer) const override { record(tracer, forwards(), run_); }
  void trace_forward(Tracer& tracer) const override { record(tracer, 1, run_); }
  void trace_forward(Tracer& tracer, const RunValues& run) const { record(tracer, 1, run); }
  int64_t parameter_count() const override { return layer().parameter_count(); }
  int64_t parameter_bytes() const override { return layer().parameter_bytes(); }
  int64_t weight_and_buffer_bytes() const;

 private:
  void record(Tracer& tracer, int64_t times, const RunValues& run) const;

  std::string id_, stage_;
  RunValues run_;
  Execution execution_ = Execution::eager;
};

// Weights and buffers on the device.
struct Resident {
  std::string what;  // "diffusion/dit"
  int64_t bytes = 0;
  const BaseLayer* layer = nullptr;  // whose; null where no twin of it is held
  Offload offload = {};              // what of it is not there all the time
};

// What is on the device while a stage runs, beside its inputs and activations.
struct Residents {
  std::vector<Resident> list;
  bool on_device = true;  // false: the stage runs on the host
  // Weights that came onto the device, and that were copied back to the host, since the stage before; of the first one,
  // apart, what was there once the models were loaded.
  int64_t arriving_bytes = 0, leaving_bytes = 0, loaded_bytes = 0;
  bool empties_cache = false;  // the code calls torch.cuda.empty_cache() after they left, before others come

  int64_t bytes() const;
};

// A model as it is loaded before the run.
struct LoadedModel {
  std::string what;  // as Resident::what
  const BaseLayer* layer = nullptr;
  // Of host memory: the most at once, with what is read of its files, and what of it stays until it is moved.
  int64_t host_peak_bytes = 0, host_bytes = 0;
  // It comes to the device in float32 and is cast there, tensor by tensor: `.cuda().to(torch.bfloat16)`.
  bool cast_on_device = false;
};

class AnalyticModel : public StageCostMixin {
 public:
  virtual const std::vector<std::unique_ptr<Stage>>& stages() const = 0;

  // How kernels are run, of all stages; eager unless it is said before the model is used.
  virtual void set_execution(Execution execution);
  Execution execution() const { return execution_; }

  // The models that run, each once.
  virtual std::vector<const BaseLayer*> root_layers() const;

  virtual std::string family() const = 0;                         // "wan2_1"
  virtual std::string report_folder() const { return family(); }  // below static_analysis/
  virtual std::string class_name() const = 0;                     // of the root node
  virtual std::string profile_id() const = 0;                     // of the workload
  virtual std::string preset_id() const { return profile_id(); }  // that it was made from
  virtual Fields model_fields() const = 0;                        // the report's model spec
  virtual Fields workload_fields() const = 0;                     // the report's workload profile
  virtual Fields runtime_fields() const = 0;                      // implementation, dtypes, attention kernel …
  virtual std::vector<std::string> notes() const = 0;
  virtual std::vector<OperatorCategory> categories() const = 0;  // ordered; the last is "other" and matches everything
  virtual ReportNames names() const = 0;
  // Writes the header of a recording of a stage: implementation, attention, config, workload …, what configuration_of()
  // (registry.h) makes a configuration of.
  virtual void describe(const Stage& stage, Recording& header) const = 0;

  // Of runs with other numbers than the configuration's (sweep/). The keys that may change, and the numbers of the run
  // where they are these, in the same order; nothing where that takes other stages, or is refused. Const and
  // thread-safe.
  virtual std::vector<Setting> settings() const { return {}; }
  virtual std::optional<RunValues> run_of(std::span<const int64_t>) const { return std::nullopt; }
  // What a run is the sum of: its cost that of all their forwards, its peak the highest beside what is resident then.
  virtual std::vector<const Stage*> parts() const;

  // The models in the order in which they are loaded; empty where that is not known.
  virtual std::vector<LoadedModel> loading() const { return {}; }
  // Weights and buffers on the device while a stage of a run runs, its own included. By default all stages'.
  virtual Residents residents(const Stage& running, const RunValues& run) const;
  Residents residents(const Stage& running) const { return residents(running, running.run()); }
  // The same of each of stages(), worked out once.
  const std::vector<Residents>& residents_by_stage() const;
  // The numbers of a run that they follow from.
  virtual std::vector<size_t> residents_depend_on() const { return {}; }
  // Bytes that other stages hold on the device while a stage runs, beside weights; its own inputs may be among them.
  virtual int64_t held_bytes(const Stage&) const { return 0; }

  using StageCostMixin::kv_cache_bytes;
  // What a stage (by its id) adds to the cache in the whole run. They add up to kv_cache_bytes().
  virtual int64_t kv_cache_bytes_added(const std::string&) const { return 0; }

  // Where a run is its stages one after another, each on inputs of its own: what is on the device while stages()[stage]
  // runs, which is given so many bytes of them.
  Residence residence_of(size_t stage, int64_t input_bytes) const;

  // The stages one after another, each in a function scope of its id.
  void trace(Tracer& tracer) const override { record(tracer, &Stage::trace); }
  void trace_forward(Tracer& tracer) const override { record(tracer, &Stage::trace_forward); }
  int64_t parameter_count() const override;
  int64_t parameter_bytes() const override;

 private:
  void record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const;

  Execution execution_ = Execution::eager;
  mutable std::once_flag residents_once_;
  mutable std::vector<Residents> residents_;
};

}  // namespace modelmeter
