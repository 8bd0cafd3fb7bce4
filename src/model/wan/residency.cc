#include "model/wan/residency.h"

#include <algorithm>

#include "model/wan/official/clip.h"

namespace modelmeter::wan {
namespace {

enum class Part { text_encoder, image_encoder, transformer, vae };

Part part_of(const Stage& stage) {
  if (stage.stage() == "text_encoder") return Part::text_encoder;
  if (stage.stage() == "vae") return Part::vae;
  return stage.stage() == "diffusion" ? Part::transformer : Part::image_encoder;
}

// The scheduler and guidance: no model of its own, between the forwards of the transformer.
bool runs_around_the_transformer(const Stage& stage) {
  return part_of(stage) == Part::transformer && stage.parameter_count() == 0;
}

// The models of a pipeline, each named by the first stage that runs it, and those that are on the device now.
class Device {
 public:
  Device(const Stages& stages, const ResidencyRules& rules) : stages_(stages), rules_(rules) {}

  void put(const Stage& stage) {
    if (stage.parameter_count() > 0 && !holds(stage.layer())) held_.push_back(&stage.layer());
  }
  void put_all(Part part) {
    for (const auto& stage : stages_) {
      if (part_of(*stage) == part) put(*stage);
    }
  }
  void remove(const BaseLayer& layer) { held_.erase(std::remove(held_.begin(), held_.end(), &layer), held_.end()); }
  void remove_all(Part part) {
    for (const auto& stage : stages_) {
      if (part_of(*stage) == part) remove(stage->layer());
    }
  }
  bool holds(const BaseLayer& layer) const { return std::find(held_.begin(), held_.end(), &layer) != held_.end(); }

  Residents residents() const {
    Residents out;
    for (const auto& stage : stages_) {
      const BaseLayer* layer = &stage->layer();
      const auto listed = [&](const Resident& r) { return r.layer == layer; };
      if (!holds(*layer) || std::any_of(out.list.begin(), out.list.end(), listed)) continue;
      out.list.push_back({stage->id(), stage->weight_and_buffer_bytes(), layer});
      if (part_of(*stage) == Part::image_encoder && rules_.implementation == Implementation::official) {
        out.list.push_back({stage->id() + " (text tower, not used)", official::clip_text_tower_bytes});
      }
    }
    return out;
  }

 private:
  const Stages& stages_;
  const ResidencyRules& rules_;
  std::vector<const BaseLayer*> held_;
};

// generate() of the official code.
class Official {
 public:
  Official(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules) {
    device_.put_all(Part::vae);
    device_.put_all(Part::image_encoder);  // CLIPModel's constructor builds it there
    if (rules.transformer_from_start()) device_.put_all(Part::transformer);
  }

  Residents run(const Stage& stage) {
    const bool offload = rules_.residency == Residency::offload;
    const Part part = part_of(stage);
    const bool on_cpu = part == Part::text_encoder && rules_.t5_cpu;
    if (part == Part::transformer) bring_transformer();
    if (part == Part::vae && after_denoising_ && offload) device_.remove_all(Part::transformer);
    if (!on_cpu) device_.put(stage);
    Residents out = device_.residents();
    out.on_device = !on_cpu;
    if (offload && (part == Part::text_encoder || part == Part::image_encoder)) device_.remove_all(part);
    return out;
  }

 private:
  // Wan2.2's _prepare_model_for_timestep sends the other expert to the CPU first, offload_model or not: init_on_cpu is
  // true on one GPU.
  void bring_transformer() {
    after_denoising_ = true;
    if (rules_.generation == Generation::wan2_2) device_.remove_all(Part::transformer);
  }

  const ResidencyRules& rules_;
  Device device_;
  bool after_denoising_ = false;
};

// enable_model_cpu_offload: a model comes when it is called, and then the one before it in the chain goes; the others
// stay where they are until the pipeline ends.
class ModelOffload {
 public:
  ModelOffload(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules) {
    // model_cpu_offload_seq of every Wan pipeline: text_encoder->image_encoder->transformer->transformer_2->vae
    for (const Part part : {Part::text_encoder, Part::image_encoder, Part::transformer, Part::vae}) {
      if (part == Part::text_encoder && rules.t5_cpu) continue;
      for (const auto& stage : stages) {
        const bool hooked = std::find(chain_.begin(), chain_.end(), &stage->layer()) != chain_.end();
        if (part_of(*stage) == part && !runs_around_the_transformer(*stage) && !hooked)
          chain_.push_back(&stage->layer());
      }
    }
  }

  Residents run(const Stage& stage) {
    const auto at = std::find(chain_.begin(), chain_.end(), &stage.layer());
    if (at != chain_.end()) {
      if (at != chain_.begin()) device_.remove(**(at - 1));
      device_.put(stage);
    }
    Residents out = device_.residents();
    out.on_device = part_of(stage) != Part::text_encoder || !rules_.t5_cpu;
    return out;
  }

 private:
  const ResidencyRules& rules_;
  Device device_;
  std::vector<const BaseLayer*> chain_;
};

// pipe.to("cuda"), and sequential offload, which leaves nothing there.
class Still {
 public:
  Still(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules) {
    if (rules.residency == Residency::sequential) return;
    for (const Part part : {Part::image_encoder, Part::transformer, Part::vae}) device_.put_all(part);
    if (!rules.t5_cpu) device_.put_all(Part::text_encoder);
  }

  Residents run(const Stage& stage) {
    Residents out = device_.residents();
    out.on_device = part_of(stage) != Part::text_encoder || !rules_.t5_cpu;
    out.streamed = rules_.residency == Residency::sequential;
    return out;
  }

 private:
  const ResidencyRules& rules_;
  Device device_;
};

template <class Policy>
std::vector<Residents> run_all(const Stages& stages, const ResidencyRules& rules) {
  Policy policy(stages, rules);
  std::vector<Residents> out(stages.size());
  const Residents* denoising = nullptr;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (runs_around_the_transformer(*stages[i])) continue;
    out[i] = policy.run(*stages[i]);
    if (denoising == nullptr && part_of(*stages[i]) == Part::transformer) denoising = &out[i];
  }
  for (size_t i = 0; i < stages.size(); ++i) {
    if (runs_around_the_transformer(*stages[i]) && denoising != nullptr) out[i] = *denoising;
  }
  return out;
}

}  // namespace

bool ResidencyRules::transformer_from_start() const {
  const bool waits = task == Task::i2v || task == Task::flf2v || generation == Generation::wan2_2;
  return !waits;
}

std::vector<Residents> residents_by_stage(const Stages& stages, const ResidencyRules& rules) {
  if (rules.implementation == Implementation::official) return run_all<Official>(stages, rules);
  if (rules.residency == Residency::offload) return run_all<ModelOffload>(stages, rules);
  return run_all<Still>(stages, rules);
}

}  // namespace modelmeter::wan
