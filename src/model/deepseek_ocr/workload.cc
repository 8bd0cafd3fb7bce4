#include "model/deepseek_ocr/workload.h"

#include <fmt/format.h>

namespace modelmeter::deepseek_ocr {
namespace {

constexpr int64_t pixels_per_token = 64;  // along each side
constexpr int64_t most_pages = 65'536;    // in one forward

// seq_len is the page's tokens and those of the text; one of the two may follow from the other.
void read_tokens(const config::View& view, Workload& w) {
  const int64_t image = w.page.image_tokens;
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
  const PageLayout layout = page_layout(mode, page.width, page.height);
  page.base_size = mode.base_size;
  page.image_size = mode.image_size;
  page.crop_mode = mode.crop_mode;
  page.columns = layout.has_tiles() ? layout.columns : 0;
  page.rows = layout.has_tiles() ? layout.rows : 0;
  page.image_tokens = layout.image_tokens();
}

PageLayout layout_of(const Page& page) {
  PageLayout out{page.crop_mode ? page.base_size : page.image_size, page.image_size};
  if (page.columns > 0) {
    out.columns = page.columns;
    out.rows = page.rows;
  }
  return out;
}

Workload Workload::read(const config::View& view, PageReader read_page) {
  view.require_known_keys({"presets", "profile_id", "description", "mode", "base_size", "image_size", "crop_mode",
                           "page_width", "page_height", "seq_len", "prompt_tokens", "max_new_tokens", "num_pages",
                           "batch_size", "doc_kind"});
  Workload w;
  w.profile_id = view.get<std::string>("profile_id");
  w.description = view.get_or<std::string>("description", "");
  w.page.width = view.get_positive<int64_t>("page_width");
  w.page.height = view.get_positive<int64_t>("page_height");
  read_page(view, w.page);
  read_tokens(view, w);
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
