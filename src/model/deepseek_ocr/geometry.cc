#include "model/deepseek_ocr/geometry.h"

#include <fmt/format.h>

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include "base/error.h"

namespace modelmeter::deepseek_ocr {
namespace {

constexpr PageMode modes[] = {
    {"tiny", 512, 512, false},    {"small", 640, 640, false},  {"base", 1024, 1024, false},
    {"large", 1280, 1280, false}, {"gundam", 1024, 640, true},
};

constexpr int64_t patch_size = 16;
constexpr int64_t downsample_ratio = 4;
// dynamic_preprocess is called with its defaults, whatever image_size infer() is given.
constexpr int64_t least_tiles = 2, most_tiles = 9, preprocessed_tile = 640;

int64_t queries(int64_t side) { return (side / patch_size + downsample_ratio - 1) / downsample_ratio; }

// Every grid of so many tiles, those of fewer tiles first.
std::vector<TileGrid> tile_grids(int64_t most) {
  std::vector<TileGrid> out;
  for (int64_t tiles = least_tiles; tiles <= most; ++tiles) {
    for (int64_t columns = 1; columns <= tiles; ++columns) {
      if (tiles % columns == 0) out.push_back({columns, tiles / columns});
    }
  }
  return out;
}

}  // namespace

TileGrid closest_grid(int64_t width, int64_t height, int64_t tile_size, int64_t most) {
  const double aspect_ratio = static_cast<double>(width) / static_cast<double>(height);
  const double area = static_cast<double>(width) * static_cast<double>(height);
  double best_difference = std::numeric_limits<double>::infinity();
  TileGrid best{1, 1};
  for (const TileGrid& grid : tile_grids(most)) {
    const double difference =
        std::abs(aspect_ratio - static_cast<double>(grid.columns) / static_cast<double>(grid.rows));
    const auto tiles = static_cast<double>(grid.columns * grid.rows);
    const bool fills = area > 0.5 * static_cast<double>(tile_size * tile_size) * tiles;
    if (difference < best_difference || (difference == best_difference && fills)) best = grid;
    best_difference = std::fmin(best_difference, difference);
  }
  return best;
}

const PageMode& page_mode(std::string_view name) {
  std::string known;
  for (const PageMode& mode : modes) {
    if (mode.name == name) return mode;
    known += (known.empty() ? "" : ", ") + std::string(mode.name);
  }
  throw Error(fmt::format("no page mode '{}'", name), {}, {"there are " + known});
}

int64_t PageLayout::image_tokens() const {
  const int64_t base = queries(base_size), tile = queries(tile_size);
  const int64_t whole = (base + 1) * base + 1;
  return has_tiles() ? whole + (tile * columns + 1) * (tile * rows) : whole;
}

PageLayout page_layout(const PageMode& mode, int64_t width, int64_t height) {
  if (width <= 0 || height <= 0) throw Error(fmt::format("a page of {} x {} pixels", width, height));
  PageLayout out{mode.crop_mode ? mode.base_size : mode.image_size, mode.image_size};
  if (!mode.crop_mode || (width <= 640 && height <= 640)) return out;
  const TileGrid grid = closest_grid(width, height, preprocessed_tile, most_tiles);
  out.columns = grid.columns;
  out.rows = grid.rows;
  return out;
}

}  // namespace modelmeter::deepseek_ocr
