// What a user asks Wan to make: the `workload` node of the configuration.
#pragma once

#include <cstdint>
#include <string>

#include "config/access.h"

namespace modelmeter::wan {

struct Workload {
  std::string profile_id, description;
  int64_t batch_size = 1;
  int64_t num_frames = 0, height = 0, width = 0;
  int64_t num_inference_steps = 0;
  int64_t text_len = 512;          // tokens a prompt is padded to
  int64_t prompt_tokens = 60;      // real ones among them
  bool allow_unsupported = false;  // the preset is meant to go beyond what generate.py accepts

  // Errors name the key and its place: unknown or missing keys, numbers that are not positive integers, a prompt longer
  // than text_len.
  static Workload read(const config::View& workload);
};

}  // namespace modelmeter::wan
