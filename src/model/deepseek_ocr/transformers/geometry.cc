#include "model/deepseek_ocr/transformers/geometry.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "model/deepseek_ocr/geometry.h"
#include "model/deepseek_ocr/transformers/architecture.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

constexpr int64_t most_tiles = 6;
constexpr int64_t feature_pixels = 64;  // SAM's patches of 16 pixels, and two convolutions of stride 2

}  // namespace

int64_t sam_features(int64_t side) {
  const int64_t along = (side + feature_pixels - 1) / feature_pixels;
  return along * along;
}

int64_t query_tokens(int64_t side) {
  if (sam_features(side) <= tile_queries) return tile_queries;
  if (sam_features(side) <= page_queries) return page_queries;
  throw Error(fmt::format("a picture of {} x {} pixels has more features than the encoder has queries", side, side), {},
              {"there are queries for sides of 768 and of 1024"});
}

int64_t PageLayout::image_tokens() const { return query_tokens(image_size) + tiles() * query_tokens(tile_size) + 1; }

PageLayout page_layout(int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) throw Error(fmt::format("a page of {} x {} pixels", width, height));
  PageLayout out;
  if (std::max(width, height) <= out.tile_size) return out;
  const TileGrid grid = closest_grid(width, height, out.tile_size, most_tiles);
  out.columns = grid.columns;
  out.rows = grid.rows;
  return out;
}

}  // namespace modelmeter::deepseek_ocr::transformers
