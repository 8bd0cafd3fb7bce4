// Which models are on the device while each stage of a Wan pipeline runs: what each code base's policy is written with.
//
// The policies, official::residents() and diffusers::residents(), are the moves of the original code, in order, for the
// first video of a process on one GPU; docs/memory.md has the table that follows from them.
#pragma once

#include <initializer_list>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "model/analytic_model.h"
#include "model/wan/variant.h"

namespace modelmeter::wan {

// What a stage runs. Sampling is what runs around the transformer's forwards: no model of its own.
enum class Role { text_encoder, image_encoder, transformer, autoencoder, sampling };

enum class Residency {
  all,         // official --offload_model False; diffusers' pipe.to("cuda")
  offload,     // official --offload_model True; diffusers' enable_model_cpu_offload
  sequential,  // diffusers' enable_sequential_cpu_offload: a module's own weights while it runs
  group        // diffusers' enable_group_offload
};

struct ResidencyRules {
  Residency residency = Residency::all;
  bool t5_cpu = false;
  Generation generation = Generation::wan2_1;
  Task task = Task::t2v;
  RunValues run = {};       // that offloading follows from (Stage::offload)
  bool device_map = false;  // weights are loaded onto the device
  bool several_ranks = false;
};

using Stages = std::vector<std::unique_ptr<Stage>>;  // of WanStage

Role role_of(const Stage& stage);

// The models of a pipeline, each named by the first stage that runs it, and those that are on the device now.
class Device {
 public:
  Device(const Stages& stages, const RunValues& run) : stages_(stages), run_(run) {}

  void put(const Stage& stage);
  void put_all(Role role);
  void remove(const BaseLayer& layer);
  void remove_all(Role role);
  bool holds(const BaseLayer& layer) const;

  // `beside`: what else the code holds on the device where it holds this stage's model.
  using Beside = void (*)(const Stage& stage, std::vector<Resident>& list);
  Residents residents(Beside beside = nullptr) const;

 private:
  const Stages& stages_;
  const RunValues run_;
  std::vector<const BaseLayer*> held_;
};

// The models of these roles, role by role, each once.
std::vector<const Stage*> models_of(const Stages& stages, std::initializer_list<Role> roles);

// Bytes of what `there` lists and `before` does not.
int64_t bytes_beside(const Residents& there, const Residents& before);

// The residents of each stage by a policy that says what is there once the models are loaded, `Residents loaded()`, and
// is asked stage by stage, in order: `Residents run(const Stage&)`. What runs around the transformer has those of the
// transformer's first stage, and moves nothing itself.
template <class Policy>
std::vector<Residents> residents_by_stage(const Stages& stages, Policy policy) {
  std::vector<Residents> out(stages.size());
  Residents before = policy.loaded();
  int64_t loaded = before.bytes();
  const Residents* denoising = nullptr;
  for (size_t i = 0; i < stages.size(); ++i) {
    if (role_of(*stages[i]) == Role::sampling) continue;
    out[i] = policy.run(*stages[i]);
    out[i].arriving_bytes = bytes_beside(out[i], before);
    out[i].leaving_bytes = bytes_beside(before, out[i]);
    out[i].loaded_bytes = std::exchange(loaded, 0);
    before = out[i];
    if (denoising == nullptr && role_of(*stages[i]) == Role::transformer) denoising = &out[i];
  }
  for (size_t i = 0; i < stages.size(); ++i) {
    if (role_of(*stages[i]) != Role::sampling || denoising == nullptr) continue;
    out[i] = *denoising;
    out[i].arriving_bytes = out[i].leaving_bytes = out[i].loaded_bytes = 0;
  }
  return out;
}

}  // namespace modelmeter::wan
