#include "model/deepseek_ocr/geometry.h"

#include <cmath>
#include <limits>
#include <vector>

namespace modelmeter::deepseek_ocr {
namespace {

constexpr int64_t least_tiles = 2;

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

}  // namespace modelmeter::deepseek_ocr
