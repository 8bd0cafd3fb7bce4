#include "model/wan/diffusers/pipeline.h"

#include "model/wan/diffusers/unipc.h"

namespace modelmeter::wan::diffusers {
namespace {

const char* pipeline_class(const SamplingOptions& o) {
  if (o.first_frame_given() || o.image) return "WanImageToVideoPipeline";
  return o.task == Task::vace ? "WanVACEPipeline" : "WanPipeline";
}

Tensor from_host(const Shape& sizes, DType dtype) {
  return torch::to_device(Tracer::current().host(sizes, dtype), dtype);
}

// The autoencoder's latents_mean, and 1 / latents_std, put on the device with these sizes.
struct Statistics {
  explicit Statistics(const Shape& sizes) {
    const int64_t channels = sizes.numel();
    mean = from_host(sizes, DType::float32).view({1, channels, 1, 1, 1});
    const Tensor std = from_host(sizes, DType::float32).view({1, channels, 1, 1, 1});
    inverse_std = torch::reciprocal(std);
    inverse_std = torch::mul(std::move(inverse_std), 1.0);
  }
  Tensor normalized(const Tensor& latents) const {
    Tensor out = torch::sub(latents, mean);
    return torch::mul(std::move(out), inverse_std);
  }

  Tensor mean, inverse_std;
};

// One call of it.
class PipelineCall {
 public:
  PipelineCall(const SamplingOptions& options, const RunSizes& run) : o_(options, run) {}
  void run() const;

 private:
  struct Embeds {
    Tensor prompt, negative, image;
  };
  // What the denoising loop finds besides the latents, and holds.
  struct Conditions {
    Embeds embeds;
    Tensor image, last_image, condition;  // from the first and last frame
    Tensor scale, video, mask, control;   // VACE; text to video has a mask of ones, TI2V from an image one of frames
    TensorList references;                // VACE
  };

  Embeds encode_prompt() const;
  Tensor get_t5_prompt_embeds() const;
  Tensor encode_image() const;
  Tensor prepare_image_condition(const Tensor& image, const Tensor& last_image) const;
  Tensor prepare_first_frame(const Tensor& image, Tensor& first_frame_mask) const;
  Tensor with_first_frame(const Conditions& conditions, const Tensor& latents) const;
  void add_references(TensorList& references) const;
  Tensor prepare_video_latents(const Tensor& video, Tensor mask, const TensorList& references) const;
  Tensor prepare_masks(const Tensor& mask) const;
  void denoise(FlowScheduler& scheduler, Tensor latents, Conditions& conditions) const;
  Tensor guide(const Tensor& noise_pred, const Tensor& noise_uncond) const;
  void decode(Tensor latents, Tensor& video) const;
  Tensor encode_video(const Tensor& video, bool reference = false) const;

  bool two_experts() const { return o_.generation == Generation::wan2_2 && o_.task != Task::ti2v; }
  Shape batched(const Shape& sizes) const;

  SamplingInputs o_;
};

Shape PipelineCall::batched(const Shape& sizes) const {
  Shape out = sizes;
  out.insert(0, o_.batch);
  return out;
}

// --- text ------------------------------------------------------------------------------------------------------------

// Cut to the real tokens, and filled up with zeros again.
Tensor PipelineCall::get_t5_prompt_embeds() const {
  Tensor prompt_embeds;
  {
    const Tensor ids = from_host({o_.batch, o_.text_len}, DType::int64);
    const Tensor mask = from_host({o_.batch, o_.text_len}, DType::int64);
    prompt_embeds = stand_in(stand_in_for::text_encoder, {o_.batch, o_.text_len, o_.text_dim}, o_.text_dtype);
  }
  TensorList padded;
  for (int64_t i = 0; i < o_.batch; ++i) {
    const Tensor u = prompt_embeds.select(0, i).narrow(0, 0, o_.tokens_of(i));
    Tensor zeros = torch::new_zeros(u, {o_.text_len - o_.tokens_of(i), o_.text_dim});
    padded.push_back(torch::cat({u, std::move(zeros)}, 0));
  }
  Tensor stacked = torch::stack(std::move(padded));
  prompt_embeds = std::move(stacked);
  return torch::repeat(prompt_embeds, {1, 1, 1});
}

PipelineCall::Embeds PipelineCall::encode_prompt() const {
  FunctionScope scope("text");
  Embeds out;
  out.prompt = get_t5_prompt_embeds();
  if (o_.guidance) out.negative = get_t5_prompt_embeds();
  out.prompt = torch::to(std::move(out.prompt), o_.model_dtype);
  if (o_.guidance) out.negative = torch::to(std::move(out.negative), o_.model_dtype);
  return out;
}

// --- images ----------------------------------------------------------------------------------------------------------

Tensor PipelineCall::encode_image() const {
  Tensor image_embeds;
  {
    const Tensor image =
        from_host({o_.images(), 3, o_.image_encoder.image_size, o_.image_encoder.image_size}, DType::float32);
    image_embeds = stand_in(stand_in_for::image_encoder, {o_.images(), o_.image_encoder.tokens(), o_.image_encoder.dim},
                            o_.image_dtype);
  }
  image_embeds = torch::repeat(image_embeds, {o_.batch, 1, 1});
  return torch::to(std::move(image_embeds), o_.model_dtype);
}

// The mean of the encoder's distribution, the first half of what it gives.
Tensor PipelineCall::encode_video(const Tensor& video, bool reference) const {
  const int64_t frames = video.size(2) == 1 ? 1 : o_.latent[1];
  const Shape sizes{video.size(0), 2 * o_.latent[0], frames, o_.latent[2], o_.latent[3]};
  const std::string_view model = reference ? stand_in_for::vae_encode_reference : stand_in_for::vae_encode;
  return stand_in(model, sizes, DType::float32).chunk(2, 1)[0];
}

// The rest of prepare_latents(): the latents of a video of the given frames, and which frames are given.
Tensor PipelineCall::prepare_image_condition(const Tensor& image, const Tensor& last_image) const {
  const Shape& l = o_.latent;
  Tensor video_condition;
  {
    TensorList frames = {image.unsqueeze(2)};
    frames.push_back(torch::new_zeros(frames[0], {1, 3, o_.frames() - o_.images(), o_.height(), o_.width()}));
    if (last_image.defined()) frames.push_back(last_image.unsqueeze(2));
    video_condition = torch::cat(std::move(frames), 2);
  }
  const Statistics statistics({1, l[0], 1, 1, 1});
  Tensor latent_condition = encode_video(video_condition);
  latent_condition = torch::repeat(latent_condition, {o_.batch, 1, 1, 1, 1});
  latent_condition = statistics.normalized(latent_condition);
  const Tensor mask_lat_size = from_host({o_.batch, 4, l[1], l[2], l[3]}, DType::float32);
  return torch::cat({mask_lat_size, latent_condition}, 1);
}

// The same where time steps are per token (TI2V): the image's latents, and a mask that is 0 in the first frame.
Tensor PipelineCall::prepare_first_frame(const Tensor& image, Tensor& first_frame_mask) const {
  const Shape& l = o_.latent;
  const Statistics statistics({1, l[0], 1, 1, 1});
  Tensor latent_condition = encode_video(image.unsqueeze(2));
  latent_condition = torch::repeat(latent_condition, {o_.batch, 1, 1, 1, 1});
  latent_condition = statistics.normalized(latent_condition);
  first_frame_mask = torch::ones({1, 1, l[1], l[2], l[3]}, DType::float32);
  torch::fill_(first_frame_mask.select(2, 0));
  return latent_condition;
}

// (1 - first_frame_mask) * condition + first_frame_mask * latents
Tensor PipelineCall::with_first_frame(const Conditions& conditions, const Tensor& latents) const {
  Tensor given = torch::rsub(conditions.mask, 1);
  given = torch::mul(std::move(given), conditions.condition);
  Tensor made = torch::mul(conditions.mask, latents);
  return torch::add(std::move(given), std::move(made));
}

// --- VACE ------------------------------------------------------------------------------------------------------------

// The end of preprocess_conditions(): each resized on the host, and put onto a canvas of ones.
void PipelineCall::add_references(TensorList& references) const {
  const Shape sizes{3, o_.height(), o_.width()};
  for (int64_t i = 0; i < o_.reference_images; ++i) {
    const Tensor canvas = torch::ones(sizes, DType::float32);
    torch::copy_(canvas, Tracer::current().host(sizes, DType::float32));
    references.push_back(canvas);
  }
}

Tensor PipelineCall::prepare_video_latents(const Tensor& video, Tensor mask, const TensorList& references) const {
  const Statistics statistics({o_.latent[0]});
  {
    const Tensor marked = torch::gt(mask, 0.5);
    const Tensor one = torch::scalar_tensor(DType::float32), zero = torch::scalar_tensor(DType::float32);
    mask = torch::where(marked, one, zero);
  }
  Tensor inactive = torch::rsub(mask, 1);
  inactive = torch::mul(video, std::move(inactive));
  Tensor reactive = torch::mul(video, mask);
  inactive = encode_video(inactive);
  reactive = encode_video(reactive);
  inactive = statistics.normalized(inactive);
  reactive = statistics.normalized(reactive);
  const Tensor latents = torch::cat({inactive, reactive}, 1);
  Tensor latent = latents.select(0, 0), reference_latent;
  for (const Tensor& image : references) {
    reference_latent = encode_video(image.unsqueeze(0).unsqueeze(2), true);
    reference_latent = statistics.normalized(reference_latent);
    reference_latent = reference_latent.squeeze(0);
    Tensor zeros = torch::zeros_like(reference_latent);
    reference_latent = torch::cat({reference_latent, std::move(zeros)}, 0);
    latent = torch::cat({reference_latent, latent}, 1);
  }
  return torch::stack({latent});
}

// The mask's 8 x 8 pixels of a latent as channels.
Tensor PipelineCall::prepare_masks(const Tensor& mask) const {
  const int64_t t = o_.latent[1], h = o_.latent[2], w = o_.latent[3];
  Tensor mask_ = mask.select(0, 0).select(0, 0).view({o_.frames(), h, 8, w, 8});
  mask_ = torch::flatten(mask_.permute({2, 4, 0, 1, 3}), 0, 1);
  mask_ = torch::upsample_nearest_exact3d(mask_.unsqueeze(0), t, h, w).squeeze(0);
  if (o_.reference_images > 0) {
    const Tensor mask_padding = torch::zeros_like(mask_.narrow(1, 0, o_.reference_images));
    mask_ = torch::cat({mask_padding, mask_}, 1);
    return torch::stack({mask_});
  }
  return torch::stack({mask_});
}

// --- the loop --------------------------------------------------------------------------------------------------------

Tensor PipelineCall::guide(const Tensor& noise_pred, const Tensor& noise_uncond) const {
  FunctionScope scope("guidance");
  static const int32_t function = structure_id("wan::diffusers::guide");
  return shared_call(noise_pred.tracer(), function, {&noise_pred, &noise_uncond}, {}, [&] {
    Tensor difference = torch::sub(noise_pred, noise_uncond);
    difference = torch::mul(std::move(difference), 5.0);
    return torch::add(noise_uncond, std::move(difference));
  });
}

void PipelineCall::denoise(FlowScheduler& scheduler, Tensor latents, Conditions& conditions) const {
  Tensor latent_model_input, temp_ts, noise_pred, noise_uncond;
  const auto step = [&](int64_t i) {
    const Tensor t = scheduler.timesteps().select(0, i);
    if (two_experts()) torch::ge(t, 900.0);
    if (o_.first_frame_given()) {
      Tensor joined = torch::cat({latents, conditions.condition}, 1);
      latent_model_input = torch::to(std::move(joined), o_.model_dtype);
    } else if (o_.image) {
      latent_model_input = with_first_frame(conditions, latents);
      latent_model_input = torch::to(std::move(latent_model_input), o_.model_dtype);
    } else {
      latent_model_input = torch::to(latents, o_.model_dtype);
    }
    if (o_.task == Task::ti2v) {
      const Tensor every = conditions.mask.select(0, 0).select(0, 0);
      temp_ts = torch::mul(every.slice(1, 0, o_.latent[2], 2).slice(2, 0, o_.latent[3], 2), t);
    }
    noise_pred = stand_in(stand_in_for::transformer, batched(o_.latent_with_references()), o_.model_dtype);
    if (o_.guidance) {
      noise_uncond = stand_in(stand_in_for::transformer, batched(o_.latent_with_references()), o_.model_dtype);
      noise_pred = guide(noise_pred, noise_uncond);
    }
    latents = scheduler.step(i, noise_pred, t, latents);
  };
  LoopState state;
  state.same = {&latents, &latent_model_input, &temp_ts, &noise_pred, &noise_uncond};
  scheduler.add_to(state);
  repeat_steadily(o_.steps - 1, state, step);
  step(o_.steps - 1);
  if (o_.image) latents = with_first_frame(conditions, latents);
  decode(std::move(latents), conditions.video);
}

void PipelineCall::decode(Tensor latents, Tensor& video) const {
  FunctionScope scope("output");
  latents = latents.narrow(2, o_.reference_images, o_.latent[1]);
  latents = torch::to(std::move(latents), DType::float32);  // the autoencoder's
  const Statistics statistics({1, o_.latent[0], 1, 1, 1});
  Tensor scaled = torch::div(latents, statistics.inverse_std);
  latents = torch::add(std::move(scaled), statistics.mean);
  video = stand_in(stand_in_for::vae_decode, {o_.batch, 3, 4 * (o_.latent[1] - 1) + 1, o_.height(), o_.width()},
                   DType::float32);
  for (int64_t i = 0; i < o_.batch; ++i) {  // postprocess_video
    Tensor image = torch::mul(video.select(0, i).permute({1, 0, 2, 3}), 0.5);
    image = torch::add(std::move(image), 0.5);
    image = torch::clamp(std::move(image));
    torch::to_host(std::move(image));
  }
}

void PipelineCall::run() const {
  Conditions c;
  if (o_.task == Task::vace) {
    c.scale = torch::to_device(Tracer::current().host({o_.control_layers}, DType::float32), o_.model_dtype);
  }
  c.embeds = encode_prompt();
  if (o_.first_frame_given() && !two_experts()) c.embeds.image = encode_image();
  const std::unique_ptr<FlowScheduler> made = FlowScheduler::make(o_.scheduler, o_.steps);
  FlowScheduler& scheduler = *made;

  const Shape pixels{o_.batch, 3, o_.height(), o_.width()}, frames{o_.batch, 3, o_.frames(), o_.height(), o_.width()};
  Tensor latents;
  if (o_.image) {
    c.image = from_host({1, 3, o_.height(), o_.width()}, DType::float32);
    latents = torch::randn(batched(o_.latent), DType::float32);
    c.condition = prepare_first_frame(c.image, c.mask);
  } else if (o_.first_frame_given()) {
    c.image = from_host({1, 3, o_.height(), o_.width()}, DType::float32);
    if (o_.images() == 2) c.last_image = from_host({1, 3, o_.height(), o_.width()}, DType::float32);
    latents = torch::randn(batched(o_.latent), DType::float32);
    c.condition = prepare_image_condition(c.image, c.last_image);
  } else if (o_.task == Task::vace) {
    c.video = from_host(frames, DType::float32);
    c.mask = from_host(frames, DType::float32);
    add_references(c.references);
    c.control = prepare_video_latents(c.video, c.mask, c.references);
    c.mask = prepare_masks(c.mask);
    Tensor joined = torch::cat({c.control, c.mask}, 1);
    c.control = std::move(joined);
    c.control = torch::to(std::move(c.control), o_.model_dtype);
    latents = torch::randn(batched(o_.latent_with_references()), DType::float32);
  } else {
    latents = torch::randn(batched(o_.latent), DType::float32);
    c.mask = torch::ones(batched(o_.latent), DType::float32);
    scheduler.set_begin_index();
  }
  // latents_outputs keeps the noise; else it goes with the first step.
  const Tensor latents_outputs = o_.first_frame_given() || o_.image ? latents : Tensor();
  denoise(scheduler, std::move(latents), c);
}

}  // namespace

WanPipeline::WanPipeline(const SamplingOptions& options) : Module(pipeline_class(options)), options_(options) {}

void WanPipeline::forward(const RunSizes& run) const { PipelineCall(options_, run).run(); }

}  // namespace modelmeter::wan::diffusers
