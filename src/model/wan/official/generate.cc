#include "model/wan/official/generate.h"

#include "model/wan/official/flow_scheduler.h"
#include "trace/shared_call.h"

namespace modelmeter::wan::official {
namespace {

const char* pipeline_class(const SamplingOptions& o) {
  switch (o.task) {
    case Task::i2v: return "WanI2V";
    case Task::flf2v: return "WanFLF2V";
    case Task::vace: return "WanVace";
    case Task::ti2v: return "WanTI2V";
    default: return "WanT2V";
  }
}

Tensor from_host(const Shape& sizes, DType dtype) {
  return torch::to_device(Tracer::current().host(sizes, dtype), dtype);
}

// torchvision's normalize() with numbers that are put on the device.
Tensor normalize(const Tensor& images) {
  Tensor out = torch::clone(images);
  const Tensor mean = from_host({3}, DType::float32), std = from_host({3}, DType::float32);
  torch::any(torch::eq(std, 0.0));
  out = torch::sub_(std::move(out), mean.view({3, 1, 1}));
  return torch::div_(std::move(out), std.view({3, 1, 1}));
}

// One call of it.
class GenerateCall {
 public:
  GenerateCall(const SamplingOptions& options, const RunSizes& run) : o_(options, run) {}
  void run() const;

 private:
  struct Contexts {
    Tensor prompt, negative;
  };
  void text_to_video() const;
  void image_to_video() const;
  void tokens_from_image() const;

  Contexts encode_texts() const;
  Tensor encode_text() const;
  Tensor visual(const TensorList& images) const;
  Tensor frame_mask() const;
  Tensor encode_image(const TensorList& images, const Tensor& mask) const;
  TensorList encode_frames(const Tensor& frames, const Tensor& mask) const;
  Tensor encode_references(const Tensor& latent) const;
  Tensor encode_mask(Tensor mask) const;
  void token_timesteps(Tensor& temp_ts, const Tensor& mask, const Tensor& timestep) const;
  Tensor guide(const Tensor& conditional, const Tensor& unconditional) const;
  Tensor decode() const;

  SamplingInputs o_;
};

void GenerateCall::run() const {
  if (o_.image) {
    tokens_from_image();
  } else if (o_.first_frame_given()) {
    image_to_video();
  } else {
    text_to_video();
  }
}

// --- conditions ------------------------------------------------------------------------------------------------------

// T5EncoderModel.__call__ of one text: what it gives is cut to the real tokens, and keeps all.
Tensor GenerateCall::encode_text() const {
  const Tensor ids = from_host({1, o_.text_len}, DType::int64);
  const Tensor mask = from_host({1, o_.text_len}, DType::int64);
  Tensor seq_lens = torch::gt(mask, 0.0);
  seq_lens = torch::sum(std::move(seq_lens), 1, false);
  const Tensor context = stand_in(stand_in_for::text_encoder, {1, o_.text_len, o_.text_dim}, o_.text_dtype);
  return context.select(0, 0).narrow(0, 0, o_.prompt_tokens);
}

GenerateCall::Contexts GenerateCall::encode_texts() const {
  FunctionScope scope("text");
  const auto encode = [&] {
    return o_.t5_cpu ? from_host({o_.prompt_tokens, o_.text_dim}, o_.text_dtype) : encode_text();
  };
  Contexts out;
  out.prompt = encode();
  if (o_.guidance) out.negative = encode();
  return out;
}

// CLIPModel.visual
Tensor GenerateCall::visual(const TensorList& images) const {
  TensorList resampled;
  for (const Tensor& u : images) {
    resampled.push_back(torch::upsample_bicubic2d(u.unsqueeze(1).transpose(0, 1), o_.image_encoder.image_size,
                                                  o_.image_encoder.image_size));
  }
  Tensor videos = torch::cat(std::move(resampled), 0);
  videos = torch::mul_(std::move(videos), 0.5);
  videos = torch::add_(std::move(videos), 0.5);
  videos = normalize(videos);
  return stand_in(stand_in_for::image_encoder, {o_.images(), o_.image_encoder.tokens(), o_.image_encoder.dim},
                  o_.image_dtype);
}

// Which frames are given, four to a latent frame. (flf2v's code says 81 for the number of frames.)
Tensor GenerateCall::frame_mask() const {
  const int64_t frames = o_.frames(), h = o_.latent[2], w = o_.latent[3];
  Tensor msk = torch::ones({1, frames, h, w}, DType::float32);
  torch::fill_(msk.narrow(1, 1, frames - o_.images()));
  Tensor first = torch::repeat_interleave(msk.narrow(1, 0, 1), 4, 1);
  msk = torch::cat({std::move(first), msk.narrow(1, 1, frames - 1)}, 1);
  return msk.view({1, msk.size(1) / 4, 4, h, w}).transpose(1, 2).select(0, 0);
}

Tensor GenerateCall::encode_image(const TensorList& images, const Tensor& mask) const {
  for (const Tensor& image : images) torch::to_host(image.unsqueeze(0));
  Tensor y;
  {
    const Tensor video = from_host({3, o_.frames(), o_.height(), o_.width()}, DType::float32);
    y = stand_in(stand_in_for::vae_encode, o_.latent, DType::float32);
  }
  return torch::cat({mask, std::move(y)}, 0);
}

// vace_encode_frames: what is to be kept and what is to be made, encoded apart.
TensorList GenerateCall::encode_frames(const Tensor& frames, const Tensor& mask) const {
  Tensor m;
  {
    const Tensor marked = torch::gt(mask, 0.5);
    const Tensor one = torch::scalar_tensor(DType::float32), zero = torch::scalar_tensor(DType::float32);
    m = torch::where(marked, one, zero);
  }
  Tensor part = torch::rsub(m, 1);
  part = torch::mul(frames, std::move(part));
  Tensor rest = torch::mul(m, 0);
  Tensor inactive = torch::add(std::move(part), std::move(rest));
  part = torch::mul(frames, m);
  rest = torch::rsub(m, 1);
  rest = torch::mul(std::move(rest), 0);
  Tensor reactive = torch::add(std::move(part), std::move(rest));
  inactive = stand_in(stand_in_for::vae_encode, o_.latent, DType::float32);
  reactive = stand_in(stand_in_for::vae_encode, o_.latent, DType::float32);
  const Tensor latent = torch::cat({inactive, reactive}, 0);
  return {o_.reference_images > 0 ? encode_references(latent) : latent};
}

// The reference images, each a frame with nothing to make, before the video's.
Tensor GenerateCall::encode_references(const Tensor& latent) const {
  TensorList encoded, frames;
  for (int64_t i = 0; i < o_.reference_images; ++i) {
    encoded.push_back(stand_in(stand_in_for::vae_encode_reference, o_.latent_of_image(), DType::float32));
  }
  for (const Tensor& u : encoded) {
    Tensor zeros = torch::zeros_like(u);
    frames.push_back(torch::cat({u, std::move(zeros)}, 0));
  }
  encoded.clear();
  frames.push_back(latent);
  return torch::cat(std::move(frames), 1);
}

// vace_encode_masks: the mask's 8 x 8 pixels of a latent as channels.
Tensor GenerateCall::encode_mask(Tensor mask) const {
  const int64_t t = o_.latent[1], h = o_.latent[2], w = o_.latent[3];
  mask = mask.select(0, 0).view({o_.frames(), h, 8, w, 8}).permute({2, 4, 0, 1, 3});
  mask = torch::reshape(mask, {64, o_.frames(), h, w});
  mask = torch::upsample_nearest_exact3d(mask.unsqueeze(0), t, h, w).squeeze(0);
  if (o_.reference_images == 0) return mask;
  const Tensor mask_pad = torch::zeros_like(mask.narrow(1, 0, o_.reference_images));
  return torch::cat({mask_pad, mask}, 1);
}

// (1. - mask) * z + mask * latent: the first frame is the image's.
Tensor with_first_frame(const Tensor& mask, const Tensor& z, const Tensor& latent) {
  Tensor given = torch::rsub(mask, 1);
  given = torch::mul(std::move(given), z);
  Tensor made = torch::mul(mask, latent);
  return torch::add(std::move(given), std::move(made));
}

// A time step for every token (TI2V), padded to the length of the sequence: by none.
void GenerateCall::token_timesteps(Tensor& temp_ts, const Tensor& mask, const Tensor& timestep) const {
  temp_ts = torch::mul(mask.select(0, 0).slice(1, 0, o_.latent[2], 2).slice(2, 0, o_.latent[3], 2), timestep);
  temp_ts = torch::flatten(std::move(temp_ts), 0);
  Tensor padding = torch::new_ones(temp_ts, {0});
  padding = torch::mul(std::move(padding), timestep);
  temp_ts = torch::cat({temp_ts, std::move(padding)}, 0);
}

// --- the loops -------------------------------------------------------------------------------------------------------

Tensor GenerateCall::guide(const Tensor& conditional, const Tensor& unconditional) const {
  if (!o_.guidance || conditional.on_host()) return conditional;
  FunctionScope scope("guidance");
  static const int32_t function = structure_id("wan::official::guide");
  return shared_call(conditional.tracer(), function, {&conditional, &unconditional}, {}, [&] {
    Tensor difference = torch::sub(conditional, unconditional);
    difference = torch::mul(std::move(difference), 5.0);
    return torch::add(unconditional, std::move(difference));
  });
}

Tensor GenerateCall::decode() const {
  const Shape& l = o_.latent;
  return stand_in(stand_in_for::vae_decode, {3, 4 * (l[1] - 1) + 1, o_.height(), o_.width()}, DType::float32);
}

void GenerateCall::text_to_video() const {
  const Contexts contexts = encode_texts();
  TensorList z0, z;
  Tensor m0;
  if (o_.task == Task::vace) {
    FunctionScope scope("condition");
    Tracer& tracer = Tracer::current();
    const Shape pixels{3, o_.frames(), o_.height(), o_.width()};
    const Tensor input_frames = tracer.input(pixels, DType::float32);
    const Tensor input_masks = tracer.input(pixels, DType::float32);
    TensorList input_ref_images;
    for (int64_t i = 0; i < o_.reference_images; ++i) {
      input_ref_images.push_back(tracer.input({3, 1, o_.height(), o_.width()}, DType::float32));
    }
    z0 = encode_frames(input_frames, input_masks);
    m0 = encode_mask(input_masks);
    z = {torch::cat({z0[0], m0}, 0)};
  }
  const Tensor noise = torch::randn(o_.latent_with_references(), DType::float32);
  const std::unique_ptr<FlowScheduler> sample_scheduler = FlowScheduler::make(o_.scheduler, o_.steps);
  Tensor latents = noise, mask1, mask2;
  if (o_.task == Task::ti2v) {
    mask1 = torch::ones(o_.latent, DType::float32);
    mask2 = torch::ones(o_.latent, DType::float32);
  }

  Tensor latent_model_input, timestep, temp_ts, noise_pred_cond, noise_pred_uncond, noise_pred, temp_x0;
  const auto step = [&](int64_t i) {
    const Tensor t = sample_scheduler->timesteps().select(0, i);
    latent_model_input = latents;
    timestep.reset();
    timestep = torch::stack({t});
    if (o_.task == Task::ti2v) {
      token_timesteps(temp_ts, mask2, timestep);
      timestep = temp_ts.unsqueeze(0);
    }
    noise_pred_cond = stand_in_like(stand_in_for::transformer, latent_model_input);
    if (o_.guidance) noise_pred_uncond = stand_in_like(stand_in_for::transformer, latent_model_input);
    noise_pred = guide(noise_pred_cond, noise_pred_uncond);
    temp_x0 = sample_scheduler->step(i, noise_pred.unsqueeze(0), t, latents.unsqueeze(0));
    latents = temp_x0.squeeze(0);
  };
  LoopState state;
  state.same = {&latents,         &latent_model_input, &timestep,   &temp_ts,
                &noise_pred_cond, &noise_pred_uncond,  &noise_pred, &temp_x0};
  sample_scheduler->add_to(state);
  repeat_steadily(o_.steps - 1, state, step);
  step(o_.steps - 1);
  decode();
}

void GenerateCall::image_to_video() const {
  // Where weights are offloaded, the first generation's predictions and latent are too.
  const bool offloads = o_.offload_model() && o_.generation == Generation::wan2_1;
  const auto on_device = [](const Tensor& x) { return x.on_host() ? torch::to_device(x, x.dtype()) : x; };
  const auto offloaded = [&](Tensor x) { return offloads && !x.on_host() ? torch::to_host(std::move(x)) : x; };

  TensorList images;
  for (int64_t i = 0; i < o_.images(); ++i) images.push_back(from_host({3, o_.height(), o_.width()}, DType::float32));
  const Tensor noise = torch::randn(o_.latent, DType::float32);
  const Tensor msk = frame_mask();
  const Contexts contexts = encode_texts();
  Tensor clip_context, y;
  {
    FunctionScope scope("condition");
    if (o_.generation == Generation::wan2_1) clip_context = visual(images);
    y = encode_image(images, msk);
  }
  const std::unique_ptr<FlowScheduler> sample_scheduler = FlowScheduler::make(o_.scheduler, o_.steps);

  Tensor latent = noise, latent_model_input, timestep, noise_pred_cond, noise_pred_uncond, noise_pred, temp_x0, x0;
  const auto step = [&](int64_t i) {
    const Tensor t = sample_scheduler->timesteps().select(0, i);
    latent_model_input = on_device(latent);
    timestep = torch::stack({t});
    noise_pred_cond = offloaded(stand_in_like(stand_in_for::transformer, latent_model_input));
    if (o_.guidance) noise_pred_uncond = offloaded(stand_in_like(stand_in_for::transformer, latent_model_input));
    noise_pred = guide(noise_pred_cond, noise_pred_uncond);
    latent = offloaded(std::move(latent));
    temp_x0 = sample_scheduler->step(i, noise_pred.unsqueeze(0), t, latent.unsqueeze(0));
    latent = temp_x0.squeeze(0);
    x0 = on_device(latent);
    latent_model_input.reset();
    timestep.reset();
  };
  LoopState state;
  state.same = {&latent, &noise_pred_cond, &noise_pred_uncond, &noise_pred, &temp_x0, &x0};
  sample_scheduler->add_to(state);
  repeat_steadily(o_.steps - 1, state, step);
  step(o_.steps - 1);
  decode();
}

// WanTI2V.i2v: the image is the first latent frame, at time step 0.
void GenerateCall::tokens_from_image() const {
  const Tensor img = from_host({3, o_.height(), o_.width()}, DType::float32);
  const Tensor noise = torch::randn(o_.latent, DType::float32);
  const Contexts contexts = encode_texts();
  const Tensor z = stand_in(stand_in_for::vae_encode, o_.latent_of_image(), DType::float32);
  const std::unique_ptr<FlowScheduler> sample_scheduler = FlowScheduler::make(o_.scheduler, o_.steps);
  const Tensor mask1 = torch::ones(o_.latent, DType::float32), mask2 = torch::ones(o_.latent, DType::float32);
  for (const Tensor* mask : {&mask1, &mask2}) {
    const Tensor first = mask->select(1, 0);
    torch::copy_(first, torch::zeros_like(first));
  }
  Tensor latent = with_first_frame(mask2, z, noise);

  Tensor temp_ts, noise_pred_cond, noise_pred_uncond, noise_pred, temp_x0;
  const auto step = [&](int64_t i) {
    const Tensor t = sample_scheduler->timesteps().select(0, i);
    Tensor latent_model_input = latent;
    Tensor timestep = torch::stack({t});
    token_timesteps(temp_ts, mask2, timestep);
    timestep = temp_ts.unsqueeze(0);
    noise_pred_cond = stand_in_like(stand_in_for::transformer, latent_model_input);
    if (o_.guidance) noise_pred_uncond = stand_in_like(stand_in_for::transformer, latent_model_input);
    noise_pred = guide(noise_pred_cond, noise_pred_uncond);
    temp_x0 = sample_scheduler->step(i, noise_pred.unsqueeze(0), t, latent.unsqueeze(0));
    latent = temp_x0.squeeze(0);
    latent = with_first_frame(mask2, z, latent);
  };
  LoopState state;
  state.same = {&latent, &temp_ts, &noise_pred_cond, &noise_pred_uncond, &noise_pred, &temp_x0};
  sample_scheduler->add_to(state);
  repeat_steadily(o_.steps - 1, state, step);
  step(o_.steps - 1);
  decode();
}

}  // namespace

Generate::Generate(const SamplingOptions& options) : Module(pipeline_class(options)), options_(options) {}

void Generate::forward(const RunSizes& run) const { GenerateCall(options_, run).run(); }

}  // namespace modelmeter::wan::official
