// From a page to the pictures that DeepSeek-OCR-2's encoders see and the tokens that its decoder reads.
//
// Source: transformers 5.23, models/deepseek_ocr2/image_processing_deepseek_ocr2.py and processing_deepseek_ocr2.py
// with their defaults. The whole page is scaled to 1024 x 1024. One with a side above 768 pixels is also cut into 2 to
// 6 tiles of 768 x 768, in the grid whose shape is closest to the page's. Each picture becomes as many tokens as the
// encoder has queries for it; a separator follows them all.
#pragma once

#include <cstdint>

namespace modelmeter::deepseek_ocr::transformers {

struct PageLayout {
  int64_t image_size = 1024;  // side of the whole page, scaled
  int64_t tile_size = 768;
  int64_t columns = 0, rows = 0;  // of tiles; 0 x 0: none

  int64_t tiles() const { return columns * rows; }
  int64_t image_tokens() const;  // separator included
};

// How many features SAM makes of a picture of this side: one of 64 x 64 pixels.
int64_t sam_features(int64_t side);

// How many tokens a picture of this side becomes: as many as the encoder's queries. Error where it has too few.
int64_t query_tokens(int64_t side);

// Of a page of this many pixels. Error where a side is not positive.
PageLayout page_layout(int64_t width, int64_t height);

}  // namespace modelmeter::deepseek_ocr::transformers
