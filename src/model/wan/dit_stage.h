// The diffusion stage: denoising steps times guidance branches forwards of the transformer, by either implementation.
#pragma once

#include <functional>
#include <memory>
#include <string>

#include "config/access.h"
#include "model/analytic_model.h"
#include "model/wan/architecture.h"
#include "model/wan/diffusers/dit.h"
#include "model/wan/official/dit.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan {

enum class Implementation { official, diffusers };

struct Runtime {
  Implementation implementation = Implementation::official;
  AttentionKernel attention = AttentionKernel::flash;
  bool cfg = true;  // classifier-free guidance: two forwards a step
  Scheduler scheduler = Scheduler::unipc;
  DType weight_dtype = DType::float32;  // official: float32 (bfloat16 with --convert_model_dtype); diffusers: bfloat16
  DType autocast_dtype = DType::bfloat16;  // official only

  // implementation, attention ("flash", "math"), cfg, scheduler ("unipc", "dpm++"), weight_dtype (null: the
  // implementation's), autocast_dtype.
  static Runtime read(const config::View& runtime);
  Fields fields() const;
};

// What one forward gets.
struct DiTWorkload {
  int64_t batch = 1;
  Shape latent;         // [C, F, H, W]; C is the latent's own
  int64_t seq_len = 0;  // tokens the sequence is padded to (official)
  int64_t text_len = 512;
  int64_t prompt_tokens = 60;          // real ones of text_len (official; diffusers always gets text_len)
  int64_t forwards = 1;                // of a run: steps times guidance branches
  DType image_dtype = DType::float16;  // of the image encoder's features (official)
  bool token_timesteps = false;        // a time step per token (TI2V-5B)
  DType timestep_dtype = DType::int64;
};

class DiTStage : public Stage {
 public:
  DiTStage(const Architecture& a, const Runtime& runtime, const DiTWorkload& workload,
           const std::string& id = "diffusion/dit");

  const BaseLayer& layer() const override { return *layer_; }
  int64_t forwards() const override { return workload_.forwards; }
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

 private:
  void forward_official(Tracer& tracer) const;
  void forward_diffusers(Tracer& tracer) const;

  Architecture a_;
  Runtime runtime_;
  DiTWorkload workload_;
  template <class Model, class Run>
  void hold(Run& run);

  std::unique_ptr<BaseLayer> layer_;
  // The forward of the model held, by the implementation's inputs; one of the two is set.
  std::function<void(const official::DiTInputs&)> official_;
  std::function<void(const diffusers::DiTInputs&)> diffusers_;
};

}  // namespace modelmeter::wan
