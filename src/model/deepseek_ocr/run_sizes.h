// The numbers of one run of DeepSeek-OCR that its stages are given (model/run_values.h).
#pragma once

#include "model/run_values.h"

namespace modelmeter::deepseek_ocr {

// Where each stands in RunValues.
namespace run_value {
enum : size_t {
  batch,
  base_size,
  tile_size,
  columns,
  rows,
  image_tokens,
  prompt_tokens,
  new_tokens,
  cached_tokens,
  decode_steps,
  runs,
};
}

struct RunSizes {
  int64_t batch = 1;                        // pages read at once
  int64_t base_size = 1024, tile_size = 0;  // sides of the whole page and of a tile, scaled
  int64_t columns = 0, rows = 0;            // of tiles; what stands for none is the code base's
  int64_t image_tokens = 0;
  int64_t prompt_tokens = 10;  // of text, beside the page's
  // Of a layer, or the head, that runs by itself: what it reads of each page, behind so many in the cache.
  int64_t new_tokens = 0, cached_tokens = 0;
  int64_t decode_steps = 0;  // forwards of one token
  int64_t runs = 1;          // batches

  int64_t seq_len() const { return image_tokens + prompt_tokens; }

  static RunSizes of(const RunValues& v) {
    namespace at = run_value;
    RunSizes out;
    out.batch = v[at::batch];
    out.base_size = v[at::base_size];
    out.tile_size = v[at::tile_size];
    out.columns = v[at::columns];
    out.rows = v[at::rows];
    out.image_tokens = v[at::image_tokens];
    out.prompt_tokens = v[at::prompt_tokens];
    out.new_tokens = v[at::new_tokens];
    out.cached_tokens = v[at::cached_tokens];
    out.decode_steps = v[at::decode_steps];
    out.runs = v[at::runs];
    return out;
  }
  RunValues values() const {
    return {batch,         base_size,  tile_size,     columns,      rows, image_tokens,
            prompt_tokens, new_tokens, cached_tokens, decode_steps, runs};
  }
};

// What a forward that sees the page and its prompt follows from.
inline std::vector<Dependence> page_dependences() {
  namespace at = run_value;
  return {{at::batch}, {at::base_size}, {at::tile_size}, {at::columns}, {at::rows}, {at::prompt_tokens}};
}

}  // namespace modelmeter::deepseek_ocr
