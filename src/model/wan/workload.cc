#include "model/wan/workload.h"

#include <fmt/format.h>

namespace modelmeter::wan {

Workload Workload::read(const config::View& view) {
  view.require_known_keys({"presets", "profile_id", "description", "batch_size", "num_frames", "height", "width",
                           "num_inference_steps", "text_len", "prompt_tokens", "allow_unsupported"});
  Workload w;
  w.profile_id = view.get<std::string>("profile_id");
  w.description = view.get_or<std::string>("description", "");
  w.batch_size = view.get_positive<int64_t>("batch_size");
  w.num_frames = view.get_positive<int64_t>("num_frames");
  w.height = view.get_positive<int64_t>("height");
  w.width = view.get_positive<int64_t>("width");
  w.num_inference_steps = view.get_positive<int64_t>("num_inference_steps");
  w.text_len = view.get_positive<int64_t>("text_len");
  w.prompt_tokens = view.get_positive<int64_t>("prompt_tokens");
  w.allow_unsupported = view.get_or<bool>("allow_unsupported", false);
  if (w.prompt_tokens > w.text_len) {
    throw view.at("prompt_tokens")
        .error(fmt::format("{} tokens do not fit into text_len {}", w.prompt_tokens, w.text_len));
  }
  return w;
}

}  // namespace modelmeter::wan
