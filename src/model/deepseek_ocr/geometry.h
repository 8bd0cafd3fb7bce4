// The grid of tiles that a large page is cut into: find_closest_aspect_ratio of modeling_deepseekocr.py and of
// transformers' image processor for DeepSeek-OCR-2, which differ in the size of a tile and how many there may be.
#pragma once

#include <cstdint>

namespace modelmeter::deepseek_ocr {

struct TileGrid {
  int64_t columns, rows;
};
// The grid of 2 to `most_tiles` tiles whose shape is closest to the page's; of grids equally close the largest whose
// tiles the page fills by half.
TileGrid closest_grid(int64_t width, int64_t height, int64_t tile_size, int64_t most_tiles);

}  // namespace modelmeter::deepseek_ocr
