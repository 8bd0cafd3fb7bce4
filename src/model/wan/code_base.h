// What a code base of Wan can make and what it does not have: one record each, official::code_base() and
// diffusers::code_base(). The rest of the model asks the record and knows no code base by name. A third code base is a
// folder with its twins and its record, and a line in code_base.cc.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "layer/base_layer.h"
#include "model/parallel_plan.h"
#include "model/report_vocabulary.h"
#include "model/transformers/encoder_architecture.h"
#include "model/wan/architecture.h"
#include "model/wan/residency.h"
#include "model/wan/run_sizes.h"
#include "model/wan/sampling.h"
#include "model/wan/vae_architecture.h"
#include "model/weight_storage.h"

namespace modelmeter {

inline bool operator==(const Autocast& a, const Autocast& b) { return a.enabled == b.enabled && a.dtype == b.dtype; }

namespace wan {

struct Runtime;
struct Workload;

// A model with one forward of it, which makes its inputs.
struct BoundModel {
  std::shared_ptr<const BaseLayer> layer;
  std::function<void(Tracer&, const RunSizes&)> forward;
};

// One forward of the diffusion transformer.
struct TransformerOptions {
  Architecture architecture;
  AttentionKernel attention = AttentionKernel::flash;
  DType weight_dtype = DType::float32;
  Autocast autocast = {true, DType::bfloat16};                       // official only
  int64_t image_tokens = 0;                                          // of each image, from the image encoder
  DType text_dtype = DType::bfloat16, image_dtype = DType::float16;  // of the encoders' features (official)
  int64_t reference_frames = 0;                                      // before the video's (VACE)
  std::vector<int64_t> prompts;                                      // tokens of each, where they differ (official)
  bool token_timesteps = false;                                      // a time step per token, not per sample
  DType timestep_dtype = DType::int64;
  WeightStorage storage = {};
  ParallelDegrees parallel = {};  // of the ranks that share a forward, of which it is one's
  Rank rank = {};
  bool casts_inputs = false;  // to weight_dtype (FSDP)

  bool operator==(const TransformerOptions&) const = default;
  // What the transformer gets of a run's latent.
  Shape latent(const RunSizes& run) const {
    Shape out = run.latent;
    out[1] += reference_frames;
    return out;
  }
};

// Token ids and mask [batch, text_len].
struct TextEncoderOptions {
  transformers::TextEncoderArchitecture architecture;
  AttentionKernel attention = AttentionKernel::flash;
  DType weight_dtype = DType::bfloat16;
  int64_t text_len = 512;
  WeightStorage storage = {};
  bool operator==(const TextEncoderOptions&) const = default;
};

// Images [batch, 3, image_size, image_size].
struct ImageEncoderOptions {
  transformers::ImageEncoderArchitecture architecture;
  AttentionKernel attention = AttentionKernel::flash;
  DType weight_dtype = DType::float16;
  int64_t batch = 1;
  WeightStorage storage = {};
  bool operator==(const ImageEncoderOptions&) const = default;
};

// Heights and widths in pixels, as diffusers' enable_tiling() takes them.
struct Tiles {
  std::array<int64_t, 2> size{256, 256}, stride{192, 192};
  bool operator==(const Tiles&) const = default;
};

// Latents [C, T, h, w] to a video [3, frames, height, width], or back.
struct AutoencoderOptions {
  VaeArchitecture architecture;
  DType weight_dtype = DType::float32;
  AttentionKernel attention = AttentionKernel::flash;
  bool tiling = false, slicing = false;
  Tiles tiles;
  bool decode = true;
  int64_t frames = 0;   // that are encoded; 0: the video's
  int64_t samples = 0;  // that are encoded; 0: the batch's
  bool operator==(const AutoencoderOptions&) const = default;
};

// The groups of a configuration of the models around the transformer, to say where an error is.
struct GroupViews {
  const config::View &text_encoder, &image_encoder, &vae;
};

struct CodeBase {
  std::string_view name;               // in runtime.implementation, and in recordings of its own models
  std::string_view encoders_from;      // what recordings of its text and image encoders call it
  const char* text_encoder_attention;  // and how its attention runs; null: as runtime.attention says
  bool names_generation;               // recordings say whose code it is: Wan2.1's or 2.2's
  KeyNames key_names;                  // of the files that its models are published with, and of its recordings
  // Of the weights, where a configuration gives none.
  DType transformer_dtype, text_encoder_dtype, image_encoder_dtype;
  bool autocasts;               // the transformer runs under autocast over its weights
  bool pads_sequence;           // the transformer's tokens are padded to seq_len, its text comes unpadded
  bool autoencoder_in_float32;  // and in no other dtype
  bool lists_samples;           // its transformer and autoencoder take a list of samples, not a batch
  bool one_video_at_a_time;     // its pipeline makes a batch one after another
  std::vector<Residency> residencies;
  std::string_view reference_images;  // what it calls them (VACE): a key of the workload
  bool gives_real_tokens;  // the transformer gets as many tokens of text as the prompt has; else all of text_len

  BoundModel (*transformer)(const TransformerOptions& options);
  BoundModel (*text_encoder)(const TextEncoderOptions& options);
  BoundModel (*image_encoder)(const ImageEncoderOptions& options);
  // `shared`: the autoencoder of the other direction, or null.
  BoundModel (*autoencoder)(const AutoencoderOptions& options, std::shared_ptr<const BaseLayer> shared);
  BoundModel (*sampling)(const SamplingOptions& options);

  // --- what it makes of a workload: the rules that the code bases do not share ---

  // The video that it makes where this is asked for; notes say what it changed.
  VideoSize (*video)(const VideoSize& asked, const GeometryRules& rules, std::vector<std::string>& notes);
  // Why its command line or pipeline refuses a video, with what it takes; "" where it is accepted.
  std::string (*refused)(const Variant& variant, const VideoSize& video);
  // Why its code fails on a video, whatever was allowed; "" where it runs.
  std::string (*fails)(const Variant& variant, const VideoSize& video);
  std::vector<Scheduler> schedulers;  // that it has, its default first
  // Of the noise schedule, where neither the configuration nor the model's files say.
  double (*shift)(const Variant& variant, const VideoSize& video);
  // The time steps of the denoising steps, from 1000 down: an expert's are those at and above its boundary.
  std::vector<double> (*timesteps)(Scheduler scheduler, int64_t steps, double shift);
  // Whether a step runs the model a second time without the prompt at this scale of guidance.
  bool (*guides)(double scale);

  // How a model's weights come while it runs.
  Offload (*offload)(Role role, Residency residency, const Runtime& runtime);
  // What is on the device while each stage runs, in the order of the stages.
  std::vector<Residents> (*residents)(const Stages& stages, const ResidencyRules& rules);

  // The models in the order in which they are loaded.
  std::vector<LoadedModel> (*loading)(const Stages& stages, const ResidencyRules& rules);
  // What its models can be kept as apart from their dtype.
  const FormatSupport& (*formats)(Role role);

  // Class names in reports, of a model with this autoencoder: what ReportNames says of classes.
  void (*name_classes)(const VaeArchitecture& vae, ReportNames& names);

  // Errors, at their place, for what it does not have.
  void (*check_runtime)(const config::View& view, const Runtime& runtime);
  // `config` has the node `plan` of that plan.
  void (*check_plan)(const config::View& config, const ParallelPlan& plan, const Architecture& architecture);
  void (*check_groups)(const GroupViews& views, const transformers::TextEncoderArchitecture& text,
                       const transformers::ImageEncoderArchitecture& image, const VaeArchitecture& vae);
  void (*check_workload)(const config::View& view, const Workload& workload, const Architecture& architecture,
                         int64_t tokens);
  std::vector<std::string> (*sampling_notes)(const SamplingInputs& options);

  // What the config of recordings of its pipeline says beside the task and the scheduler.
  nlohmann::ordered_json (*sampling_config)(const SamplingInputs& options);

  // Of recordings: the classes of their root modules and the stage that each is a forward of.
  struct RecordedRoot {
    std::string_view klass;
    Role role;
  };
  std::vector<RecordedRoot> recorded_roots;
};

const std::vector<const CodeBase*>& code_bases();

// By a configuration's `implementation`; Error with a did-you-mean.
const CodeBase& code_base_named(const config::View& runtime);

}  // namespace wan
}  // namespace modelmeter
