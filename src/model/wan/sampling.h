// What runs around the models of a Wan run: the sizes of it, and what stands where a model is called.
#pragma once

#include <cstdint>
#include <string_view>
#include <vector>

#include "model/transformers/encoder_architecture.h"
#include "model/wan/residency.h"
#include "model/wan/run_sizes.h"
#include "model/wan/variant.h"
#include "trace/functional.h"

namespace modelmeter::wan {

enum class Scheduler { unipc, dpm_solver, euler, lcm };

struct SamplingOptions {
  Task task = Task::t2v;
  Generation generation = Generation::wan2_1;
  Scheduler scheduler = Scheduler::unipc;
  bool guidance = true;
  bool t5_cpu = false;  // official: the text is encoded on the host
  int64_t text_len = 512, text_dim = 4096;
  std::vector<int64_t> prompts;         // tokens of each, where they differ (diffusers)
  Shape patch_size{1, 2, 2};            // of the transformer
  DType model_dtype = DType::bfloat16;  // diffusers: of the transformer's weights
  int64_t control_layers = 8;           // diffusers, VACE: blocks that take a hint, each with a scale
  int64_t reference_images = 0;         // VACE
  bool image = false;                   // TI2V: the video goes on from an image
  transformers::ImageEncoderArchitecture image_encoder;
  DType text_dtype = DType::bfloat16, image_dtype = DType::float16;  // of what the encoders give

  bool operator==(const SamplingOptions&) const = default;
  bool first_frame_given() const { return task == Task::i2v || task == Task::flf2v; }
  int64_t images() const { return task == Task::flf2v ? 2 : 1; }
};

// With the numbers of a run. Of these the official code, which makes one video at a time, has no use for the batch.
struct SamplingInputs : SamplingOptions, RunSizes {
  SamplingInputs(const SamplingOptions& options, const RunSizes& sizes) : SamplingOptions(options), RunSizes(sizes) {}

  // Of the prompt of a video of the batch.
  int64_t tokens_of(int64_t sample) const {
    return prompts.empty() ? prompt_tokens : prompts[static_cast<size_t>(sample)];
  }
  // With the reference images.
  Shape latent_with_references() const { return {latent[0], latent[1] + reference_images, latent[2], latent[3]}; }
  // Of one image.
  Shape latent_of_image() const { return {latent[0], 1, latent[2], latent[3]}; }

  // Official: weights, and with images the predictions, wait in host memory.
  bool offload_model() const { return residency == static_cast<int64_t>(Residency::offload); }
};

// The models that are called; SamplingStage knows their stages.
namespace stand_in_for {
inline constexpr std::string_view text_encoder = "text_encoder", image_encoder = "image_encoder",
                                  vae_encode = "vae_encode", vae_encode_reference = "vae_encode_reference",
                                  transformer = "transformer", vae_decode = "vae_decode";
}

// Where a model is called: takes memory for its result. All else that is alive then is held while the model runs. Its
// scope is there even in a trace that names none, for Stage::held_at_calls() to be found.
template <class Allocate>
Tensor stand_in(std::string_view model, Allocate allocate) {
  Tracer& tracer = Tracer::current();
  tracer.enter_function(model);
  Tensor result = allocate();
  tracer.leave();
  return result;
}
inline Tensor stand_in(std::string_view model, const Shape& sizes, DType dtype) {
  return stand_in(model, [&] { return torch::empty(sizes, dtype); });
}
inline Tensor stand_in_like(std::string_view model, const Tensor& x) {
  return stand_in(model, [&] { return torch::empty_like(x); });
}

}  // namespace modelmeter::wan
