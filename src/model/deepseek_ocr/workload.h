// What a user asks DeepSeek-OCR, or DeepSeek-OCR-2, to read: the `workload` node of the configuration.
#pragma once

#include <cstdint>
#include <optional>
#include <string>

#include "base/fields.h"
#include "config/access.h"

namespace modelmeter::deepseek_ocr {

// A page as the image encoders see it.
struct Page {
  int64_t width = 0, height = 0;          // pixels
  std::string mode;                       // "gundam", or "custom" where a size of it is overridden
  int64_t base_size = 0, image_size = 0;  // sides of the whole page and of a tile, scaled
  bool crop_mode = false;                 // whether it may be cut into tiles
  int64_t columns = 0, rows = 0;          // of tiles; 0 x 0: none
  int64_t image_tokens = 0;
};

struct Workload {
  std::string preset_id, profile_id, description;  // as chosen; of the values
  Page page;
  int64_t seq_len = 0;        // tokens of the prompt, those of the page included
  int64_t prompt_tokens = 0;  // of text among them
  // By the configuration; else they follow from the others.
  bool seq_len_given = false, prompt_tokens_given = false, tiles_given = false, new_tokens_given = false;
  int64_t max_new_tokens = 0;  // the first of which comes out of the prompt's forward
  int64_t num_pages = 1;       // in all, batch_size at a time
  int64_t batch_size = 1;
  // Of a layer, or the head, that runs by itself: what it reads of each page, behind so many in the cache. Elsewhere
  // the prompt.
  int64_t new_tokens = 0, cached_tokens = 0;
  std::string doc_kind;  // text_heavy, mixed_layout, image_rich, synthetic

  int64_t decode_steps() const { return max_new_tokens - 1; }
  int64_t runs() const { return num_pages / batch_size; }
  Fields fields() const;  // for reports

  // The same workload of other pages and tokens: `page` with what is seen of it. Nothing where read() refuses it.
  // The length of the prompt is seq_len or prompt_tokens, whichever is given here.
  std::optional<Workload> with(const Page& seen, int64_t prompt_length, int64_t new_token_count, int64_t pages,
                               int64_t pages_at_once) const;

  // How a model sees a page of this size: fills all but width and height. Where columns and rows of tiles are given
  // (tile_columns and tile_rows), they stand in place of those that the page's shape would have.
  using PageReader = void (*)(const config::View& workload, Page& page);

  // Errors name the key and its place: unknown or missing keys, numbers that are not positive integers, a page that
  // leaves no room in seq_len, pages that do not fill their batches.
  static Workload read(const config::View& workload, PageReader read_page);
};

}  // namespace modelmeter::deepseek_ocr
