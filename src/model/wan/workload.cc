#include "model/wan/workload.h"

#include <fmt/format.h>

#include <algorithm>

#include "model/preset_labels.h"

namespace modelmeter::wan {
namespace {

// Schedulers are made for 1,000 steps; which of the two experts takes each is looked at one by one.
constexpr int64_t most_steps = 1'000'000;

Shape read_latent(const config::View& view) {
  const auto sizes = view.as<std::vector<int64_t>>();
  if (sizes.size() != 4) throw view.expected("four sizes: channels, frames, height, width");
  Shape out;
  for (const int64_t size : sizes) {
    if (size < 1) throw view.expected("four sizes above 0");
    out.push_back(size);
  }
  return out;
}

void read_size(const config::View& view, Workload& w) {
  if (view.has("latent")) {
    for (const char* key : {"num_frames", "height", "width"}) {
      if (view.has(key)) throw view.at("latent").error(fmt::format("stands in place of {}, which is given too", key));
    }
    w.latent = read_latent(view.at("latent"));
    return;
  }
  w.num_frames = view.get_positive<int64_t>("num_frames");
  w.height = view.get_positive<int64_t>("height");
  w.width = view.get_positive<int64_t>("width");
}

// A number of tokens, or one for each video of the batch.
void read_prompts(const config::View& view, Workload& w) {
  if (!view.at("prompt_tokens").node().is(config::Kind::list)) {
    w.prompt_tokens = view.get_positive<int64_t>("prompt_tokens");
    return;
  }
  const config::View list = view.at("prompt_tokens");
  w.prompts = list.as<std::vector<int64_t>>();
  if (static_cast<int64_t>(w.prompts.size()) != w.batch_size) {
    throw list.expected(fmt::format("a number for each of batch_size {}", w.batch_size));
  }
  w.prompt_tokens = *std::max_element(w.prompts.begin(), w.prompts.end());
  if (*std::min_element(w.prompts.begin(), w.prompts.end()) < 1) throw list.expected("numbers above 0");
}

void read_images(const config::View& view, Workload& w) {
  constexpr int64_t most_references = 10'000;  // listed one by one
  w.image = view.optional<bool>("image");
  for (const char* key : {"src_ref_images", "reference_images"}) {
    if (!view.has(key)) continue;
    if (w.reference_images > 0) throw view.at(key).error("is src_ref_images by its other name, and both are given");
    w.reference_images = view.get_non_negative<int64_t>(key, most_references);
  }
}

}  // namespace

Workload Workload::read(const config::View& view) {
  view.require_known_keys({"presets", "profile_id", "description", "batch_size", "num_frames", "height", "width",
                           "latent", "num_inference_steps", "text_len", "prompt_tokens", "allow_unsupported", "seq_len",
                           "token_timesteps", "timestep_dtype", "image_dtype", "image", "src_ref_images",
                           "reference_images"});
  Workload w;
  const PresetLabels labels = preset_labels(view, {"num_inference_steps", "allow_unsupported"});
  w.preset_id = labels.preset_id;
  w.profile_id = labels.profile_id;
  w.description = labels.description;
  w.batch_size = view.get_positive<int64_t>("batch_size");
  read_size(view, w);
  if (w.description.empty() && view.has("presets")) {
    w.description = fmt::format("{} frame{} of {} x {}", w.num_frames, w.num_frames == 1 ? "" : "s", w.height, w.width);
  }
  w.num_inference_steps = view.get_positive<int64_t>("num_inference_steps", most_steps);
  w.text_len = view.get_positive<int64_t>("text_len");
  read_prompts(view, w);
  w.allow_unsupported = view.get_or<bool>("allow_unsupported", false);
  if (w.prompt_tokens > w.text_len) {
    throw view.at("prompt_tokens")
        .error(fmt::format("{} tokens do not fit into text_len {}", w.prompt_tokens, w.text_len));
  }
  read_images(view, w);
  if (view.has("seq_len")) w.seq_len = view.get_positive<int64_t>("seq_len");
  w.token_timesteps = view.optional<bool>("token_timesteps");
  if (view.has("timestep_dtype"))
    w.timestep_dtype = parse_dtype(view.get_choice("timestep_dtype", {"float32", "int64"}));
  if (view.has("image_dtype")) {
    w.image_dtype = parse_dtype(view.get_choice("image_dtype", {"float32", "bfloat16", "float16"}));
  }
  return w;
}

}  // namespace modelmeter::wan
