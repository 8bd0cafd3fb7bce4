// What a report, a command or a sweep needs of any model: its stages, what to call their parts, and the facts of model
// and workload. One implementation per model family.
#pragma once

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "base/fields.h"
#include "layer/base_layer.h"
#include "layer/stage_cost.h"

namespace modelmeter {

// What ran and with which sizes, as reference recordings say it: JSON texts from which the stage can be built again.
struct RecordedInputs {
  std::string implementation, attention, config, workload;
};

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

  virtual RecordedInputs recorded_inputs() const = 0;

  void trace(Tracer& tracer) const override { record(tracer, forwards()); }
  void trace_forward(Tracer& tracer) const override { record(tracer, 1); }
  int64_t parameter_count() const override { return layer().parameter_count(); }
  int64_t parameter_bytes() const override { return layer().parameter_bytes(); }
  int64_t weight_and_buffer_bytes() const;

 private:
  void record(Tracer& tracer, int64_t times) const;

  std::string id_, stage_;
};

// A kind of cost in reports. The first category that matches a leaf of the module tree takes it.
struct OperatorCategory {
  std::string id, display_name, description;
  std::vector<std::string> match;   // classes, or names of functions ("rope"); none matches everything
  std::vector<std::string> within;  // and one of these classes or module names above it, if any are given
};

// How modules are called in reports.
struct ReportNames {
  std::string class_prefix;  // of classes that are not torch.nn's: "wan.modules.model."
  std::vector<std::pair<std::string, std::string>> modules;  // "self_attn" to "attn/self_attn"
  std::vector<std::pair<std::string, std::string>> own;      // by class, what its own kernels are called; else "other"
};

class AnalyticModel : public StageCostMixin {
 public:
  virtual const std::vector<std::unique_ptr<Stage>>& stages() const = 0;

  virtual std::string family() const = 0;       // folder of its reports: "wan2_1"
  virtual std::string class_name() const = 0;   // of the root node
  virtual std::string profile_id() const = 0;   // of the workload
  virtual Fields model_fields() const = 0;      // the report's model spec
  virtual Fields workload_fields() const = 0;   // the report's workload profile
  virtual Fields runtime_fields() const = 0;    // implementation, dtypes, attention kernel …
  virtual std::vector<std::string> notes() const = 0;
  virtual std::vector<OperatorCategory> categories() const = 0;  // ordered; the last is "other" and matches everything
  virtual ReportNames names() const = 0;

  // Bytes of weights and buffers on the device while a stage runs, its own included. By default all stages'.
  virtual int64_t resident_bytes(const Stage& running) const;
  // Bytes that other stages hold on the device while a stage runs, beside weights; its own inputs may be among them.
  virtual int64_t held_bytes(const Stage&) const { return 0; }

  // The stages one after another, each in a function scope of its id.
  void trace(Tracer& tracer) const override { record(tracer, &Stage::trace); }
  void trace_forward(Tracer& tracer) const override { record(tracer, &Stage::trace_forward); }
  int64_t parameter_count() const override;
  int64_t parameter_bytes() const override;

 private:
  void record(Tracer& tracer, void (Stage::*how)(Tracer&) const) const;
  template <class Visit>
  void for_each_own_layer(Visit visit) const;
};

}  // namespace modelmeter
