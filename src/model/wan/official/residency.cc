// Sources: Wan-Video/Wan2.1 @9737cba (wan/{text2video,image2video,first_last_frame2video,vace}.py) and Wan2.2 @42bf4cf
// (wan/{text2video,image2video,textimage2video}.py), the constructors and generate(), as generate.py runs it.
#include <algorithm>
#include <utility>

#include "base/checked.h"
#include "model/wan/official/clip.h"
#include "model/wan/official/code_base.h"

namespace modelmeter::wan::official {
namespace {

// Whether the constructor puts the transformer on the device, as it does on each of several ranks (init_on_cpu is false
// there). Others come when denoising begins.
bool transformer_from_start(const ResidencyRules& rules) {
  if (rules.several_ranks) return true;
  return rules.task != Task::i2v && rules.task != Task::flf2v && rules.generation == Generation::wan2_1;
}

void text_tower(const Stage& stage, std::vector<Resident>& list) {
  if (role_of(stage) != Role::image_encoder) return;
  const int64_t element = stage.parameter_bytes() / stage.parameter_count();
  list.push_back({stage.id() + " (text tower, not used)", clip_text_tower_parameters * element});
}

class Policy {
 public:
  Policy(const Stages& stages, const ResidencyRules& rules) : rules_(rules), device_(stages, rules.run) {
    device_.put_all(Role::autoencoder);
    device_.put_all(Role::image_encoder);  // CLIPModel's constructor builds it there
    if (transformer_from_start(rules)) device_.put_all(Role::transformer);
  }

  Residents loaded() const { return device_.residents(text_tower); }
  Residents run(const Stage& stage) {
    const bool offload = rules_.residency == Residency::offload;
    const Role role = role_of(stage);
    const bool on_cpu = role == Role::text_encoder && rules_.t5_cpu;
    const bool decodes = role == Role::autoencoder && after_denoising_;
    // With offload_model: once denoised, and from an image before it.
    const bool from_image = rules_.task == Task::i2v || rules_.task == Task::flf2v;
    const bool empties = offload && (decodes || (role == Role::transformer && from_image && !after_denoising_));
    if (role == Role::transformer) bring_transformer();
    if (decodes && offload) device_.remove_all(Role::transformer);
    if (!on_cpu) device_.put(stage);
    Residents out = device_.residents(text_tower);
    out.empties_cache = empties;
    out.on_device = !on_cpu;
    if (offload && (role == Role::text_encoder || role == Role::image_encoder)) device_.remove_all(role);
    return out;
  }

 private:
  // Wan2.2's _prepare_model_for_timestep sends the other expert to the CPU first, offload_model or not: init_on_cpu is
  // true on one GPU.
  void bring_transformer() {
    after_denoising_ = true;
    if (rules_.generation == Generation::wan2_2 && !rules_.several_ranks) device_.remove_all(Role::transformer);
  }

  const ResidencyRules& rules_;
  Device device_;
  bool after_denoising_ = false;
};

}  // namespace

// T5 is built and its .pth read whole beside it; the autoencoder's goes to the device as it is read; CLIP is built
// there and its .pth read whole; WanModel.from_pretrained() gives float32, which --convert_model_dtype casts on the
// CPU.
std::vector<LoadedModel> loading(const Stages& stages, const ResidencyRules& rules) {
  constexpr char size[] = "the weights in host memory";
  std::vector<LoadedModel> out;
  for (const Stage* stage :
       models_of(stages, {Role::text_encoder, Role::autoencoder, Role::image_encoder, Role::transformer})) {
    const int64_t bytes = stage->weight_and_buffer_bytes();
    LoadedModel model{stage->id(), &stage->layer(), 0, 0, false};
    switch (role_of(*stage)) {
      case Role::text_encoder:
        model.host_peak_bytes = checked_mul(bytes, 2, size);
        model.host_bytes = bytes;
        break;
      case Role::image_encoder: {
        const int64_t element = stage->parameter_bytes() / stage->parameter_count();
        model.host_peak_bytes = checked_add(bytes, clip_text_tower_parameters * element, size);
        break;
      }
      case Role::transformer:
        model.host_peak_bytes = std::max(bytes, checked_mul(stage->parameter_count(), 4, size));
        model.host_bytes = transformer_from_start(rules) ? 0 : bytes;
        break;
      case Role::autoencoder:
      case Role::sampling: break;
    }
    out.push_back(std::move(model));
  }
  return out;
}

std::vector<Residents> residents(const Stages& stages, const ResidencyRules& rules) {
  return residents_by_stage(stages, Policy(stages, rules));
}

}  // namespace modelmeter::wan::official
