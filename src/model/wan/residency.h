// Which models are on the device while each stage of a Wan pipeline runs: the moves of the original code, in order.
//
// Sources: Wan-Video/Wan2.1 @9737cba (wan/{text2video,image2video,first_last_frame2video,vace}.py) and Wan2.2 @42bf4cf
// (wan/{text2video,image2video,textimage2video}.py), the constructors and generate(), for the first video of a process
// on one GPU, as generate.py runs it; diffusers 0.42.1 (DiffusionPipeline.enable_model_cpu_offload and
// enable_sequential_cpu_offload) with accelerate 1.15.0 (hooks.py). docs/memory.md has the table that follows from
// them.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "model/wan/dit_stage.h"
#include "model/wan/variant.h"

namespace modelmeter::wan {

enum class Residency {
  all,        // official --offload_model False; diffusers' pipe.to("cuda")
  offload,    // official --offload_model True; diffusers' enable_model_cpu_offload
  sequential  // diffusers' enable_sequential_cpu_offload: a module's own weights while it runs
};

struct ResidencyRules {
  Implementation implementation = Implementation::official;
  Residency residency = Residency::all;
  bool t5_cpu = false;
  Generation generation = Generation::wan2_1;
  Task task = Task::t2v;

  // Whether the official constructor puts the transformer on the device. Others come when denoising begins.
  bool transformer_from_start() const;
};

using Stages = std::vector<std::unique_ptr<Stage>>;

// The residents of each stage, in the order of `stages`.
std::vector<Residents> residents_by_stage(const Stages& stages, const ResidencyRules& rules);

}  // namespace modelmeter::wan
