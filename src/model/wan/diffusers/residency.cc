// Sources: diffusers 0.42.1 (DiffusionPipeline.enable_model_cpu_offload and enable_sequential_cpu_offload) with
// accelerate 1.15.0 (hooks.py).
#include <algorithm>

#include "model/wan/diffusers/code_base.h"

namespace modelmeter::wan::diffusers {
namespace {

// enable_model_cpu_offload: a model comes when it is called, and then the one before it in the chain goes; the others
// stay where they are until the pipeline ends.
class ModelOffload {
 public:
  ModelOffload(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages) {
    // model_cpu_offload_seq of every Wan pipeline: text_encoder->image_encoder->transformer->transformer_2->vae
    for (const Role role : {Role::text_encoder, Role::image_encoder, Role::transformer, Role::autoencoder}) {
      if (role == Role::text_encoder && rules.t5_cpu) continue;
      for (const auto& stage : stages) {
        const bool hooked = std::find(chain_.begin(), chain_.end(), &stage->layer()) != chain_.end();
        if (role_of(*stage) == role && !hooked) chain_.push_back(&stage->layer());
      }
    }
  }

  Residents run(const Stage& stage) {
    const auto at = std::find(chain_.begin(), chain_.end(), &stage.layer());
    const bool goes = at != chain_.end() && at != chain_.begin() && device_.holds(**(at - 1));
    if (goes) device_.remove(**(at - 1));
    if (at != chain_.end()) device_.put(stage);
    Residents out = device_.residents();
    out.empties_cache = goes;  // CpuOffload.pre_forward: clear_device_cache() after the other's offload()
    out.on_device = role_of(stage) != Role::text_encoder || !rules_.t5_cpu;
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
  Still(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages) {
    if (rules.residency == Residency::sequential) return;
    for (const Role role : {Role::image_encoder, Role::transformer, Role::autoencoder}) device_.put_all(role);
    if (!rules.t5_cpu) device_.put_all(Role::text_encoder);
  }

  Residents run(const Stage& stage) {
    Residents out = device_.residents();
    out.on_device = role_of(stage) != Role::text_encoder || !rules_.t5_cpu;
    out.streamed = rules_.residency == Residency::sequential;
    return out;
  }

 private:
  const ResidencyRules& rules_;
  Device device_;
};

}  // namespace

std::vector<Residents> residents(const Stages& stages, const ResidencyRules& rules) {
  if (rules.residency == Residency::offload) return residents_by_stage(stages, ModelOffload(stages, rules));
  return residents_by_stage(stages, Still(stages, rules));
}

}  // namespace modelmeter::wan::diffusers
