// What a user asks DeepSeek-OCR to read: the `workload` node of the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "config/access.h"
#include "model/deepseek_ocr/geometry.h"

namespace modelmeter::deepseek_ocr {

struct Workload {
  std::string profile_id, description;
  std::string mode;               // "gundam", or "custom" where a size of it is overridden
  PageLayout page{0, 0};
  int64_t base_size = 0, image_size = 0;
  bool crop_mode = false;
  int64_t page_width = 0, page_height = 0;  // pixels
  int64_t seq_len = 0;            // tokens of the prompt, those of the page included
  int64_t prompt_tokens = 0;      // of text among them
  int64_t max_new_tokens = 0;     // the first of which comes out of the prompt's forward
  int64_t num_pages = 1;          // in all, batch_size at a time
  int64_t batch_size = 1;
  std::string doc_kind;           // text_heavy, mixed_layout, image_rich, synthetic

  int64_t decode_steps() const { return max_new_tokens - 1; }
  int64_t runs() const { return num_pages / batch_size; }

  // Errors name the key and its place: unknown or missing keys, numbers that are not positive integers, sides that are
  // no multiple of 64 pixels, a page that leaves no room in seq_len, pages that do not fill their batches.
  static Workload read(const config::View& workload);
};

}  // namespace modelmeter::deepseek_ocr
