#include "model/deepseek_ocr/remote/geometry.h"

#include <fmt/format.h>

#include <string>
#include <utility>

#include "base/error.h"
#include "model/deepseek_ocr/geometry.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

constexpr PageMode modes[] = {
    {"tiny", 512, 512, false},    {"small", 640, 640, false},  {"base", 1024, 1024, false},
    {"large", 1280, 1280, false}, {"gundam", 1024, 640, true},
};

constexpr int64_t patch_size = 16;
constexpr int64_t downsample_ratio = 4;
constexpr int64_t pixels_per_token = patch_size * downsample_ratio;  // along each side
// dynamic_preprocess is called with its defaults, whatever image_size infer() is given.
constexpr int64_t most_tiles = 9, preprocessed_tile = 640;

int64_t queries(int64_t side) { return (side / patch_size + downsample_ratio - 1) / downsample_ratio; }

void fill(Page& page, const PageLayout& layout) {
  page.columns = layout.has_tiles() ? layout.columns : 0;
  page.rows = layout.has_tiles() ? layout.rows : 0;
  page.image_tokens = layout.image_tokens();
}

}  // namespace

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

void read_page(const config::View& view, Page& page) {
  page.mode = view.get_choice("mode", {"tiny", "small", "base", "large", "gundam"});
  PageMode mode = page_mode(page.mode);
  const PageMode published = mode;
  if (view.has("base_size")) mode.base_size = view.get_positive<int64_t>("base_size");
  if (view.has("image_size")) mode.image_size = view.get_positive<int64_t>("image_size");
  if (view.has("crop_mode")) mode.crop_mode = view.get<bool>("crop_mode");
  for (const auto& [key, side] : {std::pair{"base_size", mode.base_size}, std::pair{"image_size", mode.image_size}}) {
    if (side % pixels_per_token != 0) {
      throw view.at(key).error(
          fmt::format("{} is no multiple of {} pixels, which one image token stands for", side, pixels_per_token));
    }
  }
  if (mode.base_size != published.base_size || mode.image_size != published.image_size ||
      mode.crop_mode != published.crop_mode) {
    page.mode = "custom";
  }
  page.base_size = mode.base_size;
  page.image_size = mode.image_size;
  page.crop_mode = mode.crop_mode;
  if (page.columns == 0) return see(page);
  if (!mode.crop_mode) throw view.at("tile_columns").error("a page is cut into tiles only in crop mode");
  fill(page, {mode.base_size, mode.image_size, page.columns, page.rows});
}

void see(Page& page) {
  fill(page, page_layout({page.mode, page.base_size, page.image_size, page.crop_mode}, page.width, page.height));
}

PageLayout layout_of(const Page& page) {
  PageLayout out{page.crop_mode ? page.base_size : page.image_size, page.image_size};
  if (page.columns > 0) {
    out.columns = page.columns;
    out.rows = page.rows;
  }
  return out;
}

}  // namespace modelmeter::deepseek_ocr::remote
