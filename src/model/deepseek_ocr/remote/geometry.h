// From a page to the pictures that the encoders see and the tokens that the decoder reads.
//
// Source: modeling_deepseekocr.py, DeepseekOCRForCausalLM.infer, dynamic_preprocess and find_closest_aspect_ratio. A
// token stands for 64 x 64 pixels; a newline token follows each row and a separator the whole. In crop mode a page with
// a side above 640 pixels is also cut into 2 to 9 tiles, in the grid whose shape is closest to the page's.
#pragma once

#include <cstdint>
#include <string_view>

#include "config/access.h"
#include "model/deepseek_ocr/workload.h"

namespace modelmeter::deepseek_ocr::remote {

// infer()'s arguments.
struct PageMode {
  std::string_view name;
  int64_t base_size;   // side of the whole page, scaled
  int64_t image_size;  // side of a tile; without tiles the same as base_size
  bool crop_mode;
};

// tiny, small, base, large and gundam, as the model's README names them. Error for another name.
const PageMode& page_mode(std::string_view name);

struct PageLayout {
  int64_t base_size;
  int64_t tile_size;
  int64_t columns = 1, rows = 1;  // of tiles; 1 x 1: none

  bool has_tiles() const { return columns > 1 || rows > 1; }
  int64_t tiles() const { return has_tiles() ? columns * rows : 0; }
  int64_t image_tokens() const;  // newlines and separator included
};

// Of a page of this many pixels. Error where a side is not positive.
PageLayout page_layout(const PageMode& mode, int64_t width, int64_t height);

// How DeepSeek-OCR sees a page (Workload::PageReader): mode, and base_size, image_size and crop_mode where they are
// overridden. Error for a side that is no multiple of 64 pixels.
void read_page(const config::View& workload, Page& page);
// What follows from the sizes of the page and of its mode: tiles and tokens.
void see(Page& page);
PageLayout layout_of(const Page& page);

}  // namespace modelmeter::deepseek_ocr::remote
