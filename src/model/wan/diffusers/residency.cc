// Sources: diffusers 0.42.1 (DiffusionPipeline.enable_model_cpu_offload, enable_sequential_cpu_offload and
// enable_group_offload) with accelerate 1.15.0 (hooks.py).
#include <algorithm>
#include <utility>

#include "model/wan/diffusers/code_base.h"
#include "model/wan/runtime.h"

namespace modelmeter::wan::diffusers {
namespace {

// enable_model_cpu_offload: a model comes when it is called, and then the one before it in the chain goes; the others
// stay where they are until the pipeline ends.
class ModelOffload {
 public:
  ModelOffload(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules.run) {
    // model_cpu_offload_seq of every Wan pipeline: text_encoder->image_encoder->transformer->transformer_2->vae
    for (const Role role : {Role::text_encoder, Role::image_encoder, Role::transformer, Role::autoencoder}) {
      if (role == Role::text_encoder && rules.t5_cpu) continue;
      for (const auto& stage : stages) {
        const bool hooked = std::find(chain_.begin(), chain_.end(), &stage->layer()) != chain_.end();
        if (role_of(*stage) == role && !hooked) chain_.push_back(&stage->layer());
      }
    }
  }

  Residents loaded() const { return device_.residents(); }
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

// pipe.to("cuda"); sequential offload, which leaves buffers there, and group offload, which leaves nothing.
class Still {
 public:
  Still(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules.run) {
    for (const Role role : {Role::image_encoder, Role::transformer, Role::autoencoder}) device_.put_all(role);
    if (!rules.t5_cpu) device_.put_all(Role::text_encoder);
  }

  Residents loaded() const { return device_.residents(); }
  Residents run(const Stage& stage) {
    Residents out = device_.residents();
    out.on_device = role_of(stage) != Role::text_encoder || !rules_.t5_cpu;
    return out;
  }

 private:
  const ResidencyRules& rules_;
  Device device_;
};

// The autoencoder's methods are called, not its forward: AutoencoderKLWan._group_offload_block_modules.
Offload group_offload(Role role, const Runtime& r) {
  Offload out;
  out.kind = r.group_by_leaves ? Offload::Kind::leaf_level : Offload::Kind::block_level;
  out.stream = r.use_stream;
  out.record_stream = r.record_stream;
  out.low_cpu_mem_usage = r.low_cpu_mem_usage;
  if (!r.group_by_leaves) out.blocks = r.blocks_per_group;
  if (role != Role::autoencoder) return out;
  out.calls_forward = false;
  if (!r.group_by_leaves) out.block_modules = {"quant_conv", "post_quant_conv", "encoder", "decoder"};
  return out;
}

}  // namespace

Offload offload(Role role, Residency residency, const Runtime& r) {
  if (role == Role::sampling) return {};
  if (residency == Residency::group) return group_offload(role, r);
  if (residency == Residency::sequential) {
    Offload out;
    out.kind = Offload::Kind::modules;
    return out;
  }
  return block_swap(role, r);
}

// from_pretrained(torch_dtype=...) with low_cpu_mem_usage, which is on: each weight is read and cast by itself, and
// with a device map is on the device before the next.
std::vector<LoadedModel> loading(const Stages& stages, const ResidencyRules& rules) {
  std::vector<LoadedModel> out;
  for (const Stage* stage :
       models_of(stages, {Role::autoencoder, Role::text_encoder, Role::image_encoder, Role::transformer})) {
    if (rules.device_map) {
      int64_t largest = 0;
      for (const int64_t bytes : resident_tensors(stage->layer())) largest = std::max(largest, bytes);
      out.push_back({stage->id(), &stage->layer(), largest, 0, false});
      continue;
    }
    const int64_t bytes = stage->weight_and_buffer_bytes();
    out.push_back({stage->id(), &stage->layer(), bytes, bytes, false});
  }
  return out;
}

std::vector<Residents> residents(const Stages& stages, const ResidencyRules& rules) {
  if (rules.residency == Residency::offload) return residents_by_stage(stages, ModelOffload(stages, rules));
  return residents_by_stage(stages, Still(stages, rules));
}

}  // namespace modelmeter::wan::diffusers
