#include "model/deepseek_ocr/workload.h"

#include <fmt/format.h>

#include "model/preset_labels.h"

namespace modelmeter::deepseek_ocr {
namespace {

constexpr int64_t most_pages = 65'536;  // in one forward

// seq_len is the page's tokens and those of the text; one of the two may follow from the other.
void read_tokens(const config::View& view, Workload& w) {
  const int64_t image = w.page.image_tokens;
  w.seq_len_given = view.has("seq_len");
  w.prompt_tokens_given = view.has("prompt_tokens");
  const auto no_room = [&](const char* key, const std::string& what) {
    return view.at(key).error(what,
                              {"workload.seq_len=null takes the length from the page and workload.prompt_tokens"});
  };
  if (view.has("seq_len")) {
    w.seq_len = view.get_positive<int64_t>("seq_len");
    w.prompt_tokens = w.seq_len - image;
    if (w.prompt_tokens < 1) {
      throw no_room("seq_len",
                    fmt::format("the page alone has {} tokens; {} leave none for the text", image, w.seq_len));
    }
    if (view.has("prompt_tokens") && view.get_positive<int64_t>("prompt_tokens") != w.prompt_tokens) {
      throw no_room("prompt_tokens", fmt::format("{} tokens less the page's {} are {}, not {}", w.seq_len, image,
                                                 w.prompt_tokens, view.get<int64_t>("prompt_tokens")));
    }
    return;
  }
  if (!view.has("prompt_tokens")) throw view.error("seq_len or prompt_tokens must say how long the prompt is");
  w.prompt_tokens = view.get_positive<int64_t>("prompt_tokens");
  w.seq_len = image + w.prompt_tokens;
}

}  // namespace

Workload Workload::read(const config::View& view, PageReader read_page) {
  view.require_known_keys({"presets", "profile_id", "description", "mode", "base_size", "image_size", "crop_mode",
                           "page_width", "page_height", "seq_len", "prompt_tokens", "max_new_tokens", "num_pages",
                           "batch_size", "doc_kind", "tile_columns", "tile_rows", "new_tokens", "cached_tokens"});
  Workload w;
  const PresetLabels labels = preset_labels(view, {});
  w.preset_id = labels.preset_id;
  w.profile_id = labels.profile_id;
  w.description = labels.description;
  w.page.width = view.get_positive<int64_t>("page_width");
  w.page.height = view.get_positive<int64_t>("page_height");
  if (view.has("tile_columns") || view.has("tile_rows")) {
    w.page.columns = view.get_positive<int64_t>("tile_columns");
    w.page.rows = view.get_positive<int64_t>("tile_rows");
    w.tiles_given = true;
  }
  read_page(view, w.page);
  read_tokens(view, w);
  if (w.description.empty() && view.has("presets")) {
    w.description =
        fmt::format("a page of {} x {} pixels, {} tokens of prompt in all", w.page.width, w.page.height, w.seq_len);
  }
  w.new_tokens_given = view.has("new_tokens");
  w.new_tokens = w.new_tokens_given ? view.get_positive<int64_t>("new_tokens") : w.seq_len;
  if (view.has("cached_tokens")) w.cached_tokens = view.get_non_negative<int64_t>("cached_tokens");
  w.max_new_tokens = view.get_positive<int64_t>("max_new_tokens");
  w.batch_size = view.get_positive<int64_t>("batch_size");  // first: num_pages is the same unless given
  w.num_pages = view.get_positive<int64_t>("num_pages");
  w.doc_kind = view.get_choice("doc_kind", {"text_heavy", "mixed_layout", "image_rich", "synthetic"});
  if (w.batch_size > most_pages) {
    throw view.at("batch_size")
        .error(fmt::format("at most {} pages are read in one forward, not {}", most_pages, w.batch_size));
  }
  if (w.num_pages % w.batch_size != 0) {
    throw view.at("num_pages")
        .error(fmt::format("{} pages do not fill batches of {}; allowed: a multiple of workload.batch_size",
                           w.num_pages, w.batch_size));
  }
  return w;
}

std::optional<Workload> Workload::with(const Page& seen, int64_t prompt_length, int64_t new_token_count, int64_t pages,
                                       int64_t pages_at_once) const {
  Workload w;
  w.page = seen;
  w.seq_len = seq_len_given ? prompt_length : seen.image_tokens + prompt_length;
  w.prompt_tokens = w.seq_len - seen.image_tokens;
  w.max_new_tokens = new_token_count;
  w.num_pages = pages;
  w.batch_size = pages_at_once;
  const bool fits = prompt_length >= 1 && w.prompt_tokens >= 1 && new_token_count >= 1 && pages >= 1 &&
                    pages_at_once >= 1 && pages_at_once <= most_pages && pages % pages_at_once == 0;
  if (!fits) return std::nullopt;
  w.new_tokens = new_tokens_given ? new_tokens : w.seq_len;
  w.cached_tokens = cached_tokens;
  return w;
}

Fields Workload::fields() const {
  return {{"profile_id", profile_id},
          {"description", description},
          {"seq_len", seq_len},
          {"base_size", page.base_size},
          {"image_size", page.image_size},
          {"crop_mode", page.crop_mode},
          {"max_new_tokens", max_new_tokens},
          {"doc_kind", doc_kind},
          {"num_pages", num_pages},
          {"mode", page.mode},
          {"batch_size", batch_size},
          {"page_width", page.width},
          {"page_height", page.height},
          {"tile_columns", page.columns},
          {"tile_rows", page.rows},
          {"image_tokens", page.image_tokens},
          {"prompt_tokens", prompt_tokens},
          {"decode_steps", decode_steps()}};
}

}  // namespace modelmeter::deepseek_ocr
