// What a report, a command or a sweep needs of any model: its stages, what is resident while each runs, and the facts
// of model and workload. One implementation per model family.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fields.h"
#include "layer/base_layer.h"
#include "layer/stage_cost.h"
#include "model/report_vocabulary.h"

namespace modelmeter {

struct Recording;

// A part of the run that can be analysed alone.
class Stage : public StageCostMixin {
 public:
  Stage(std::string id, std::string stage) : id_(std::move(id)), stage_(std::move(stage)) {}

  const std::string& id() const { return id_; }        // of its node in reports: "diffusion/dit"
  const std::string& stage() const { return stage_; }  // text_encoder, diffusion, vae, vision, prefill, decode, other
  virtual const BaseLayer& layer() const = 0;
  virtual int64_t forwards() const { return 1; }  // of the model in one run

  // One forward on its inputs; trace() repeats it forwards() times, memory unchanged.
  virtual void forward(Tracer& tracer) const = 0;

  void trace(Tracer& tracer) const override { record(tracer, forwards()); }
  void trace_forward(Tracer& tracer) const override { record(tracer, 1); }
  int64_t parameter_count() const override { return layer().parameter_count(); }
  int64_t parameter_bytes() const override { return layer().parameter_bytes(); }
  int64_t weight_and_buffer_bytes() const;

 private:
  void record(Tracer& tracer, int64_t times) const;

  std::string id_, stage_;
};

// Weights and buffers on the device.
struct Resident {
  std::string what;  // "diffusion/dit"
  int64_t bytes = 0;
  const BaseLayer* layer = nullptr;  // whose; null where no twin of it is held
};

// What is on the device while a stage runs, beside its inputs and activations.
struct Residents {
  std::vector<Resident> list;
  bool on_device = true;  // false: the stage runs on the host
  bool streamed = false;  // of the stage's own weights a module's are there only while it runs

  int64_t bytes() const;
};

class AnalyticModel : public StageCostMixin {
 public:
  virtual const std::vector<std::unique_ptr<Stage>>& stages() const = 0;

  // The models that run, each once.
  virtual std::vector<const BaseLayer*> root_layers() const;

  virtual std::string family() const = 0;                         // "wan2_1"
  virtual std::string report_folder() const { return family(); }  // below static_analysis/
  virtual std::string class_name() const = 0;                     // of the root node
  virtual std::string profile_id() const = 0;                     // of the workload
  virtual Fields model_fields() const = 0;                        // the report's model spec
  virtual Fields workload_fields() const = 0;                     // the report's workload profile
  virtual Fields runtime_fields() const = 0;                      // implementation, dtypes, attention kernel …
  virtual std::vector<std::string> notes() const = 0;
  virtual std::vector<OperatorCategory> categories() const = 0;  // ordered; the last is "other" and matches everything
  virtual ReportNames names() const = 0;
  // Writes the header of a recording of a stage: implementation, attention, config, workload …, what configuration_of()
  // (registry.h) makes a configuration of.
  virtual void describe(const Stage& stage, Recording& header) const = 0;

  // Weights and buffers on the device while a stage runs, its own included. By default all stages'.
  virtual Residents residents(const Stage& running) const;
  // Bytes that other stages hold on the device while a stage runs, beside weights; its own inputs may be among them.
  virtual int64_t held_bytes(const Stage&) const { return 0; }

  using StageCostMixin::kv_cache_bytes;
  // What a stage (by its id) adds to the cache in the whole run. They add up to kv_cache_bytes().
  virtual int64_t kv_cache_bytes_added(const std::string&) const { return 0; }

  // The stages one after another, each in a function scope of its id.
  void trace(Tracer& tracer) const override { record(tracer, &Stage::trace); }
  void trace_forward(Tracer& tracer) const override { record(tracer, &Stage::trace_forward); }
  int64_t parameter_count() const override;
  int64_t parameter_bytes() const override;

 private:
  void record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const;
};

}  // namespace modelmeter
