#include "model/deepseek_ocr/workload.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <functional>

#include "config/yaml.h"

namespace modelmeter::deepseek_ocr {
namespace {

using testing::HasSubstr;

// A page of 100 tokens, whatever its size.
void hundred_tokens(const config::View&, Page& page) { page.image_tokens = 100; }

Workload read(const std::string& changes) {
  config::Node node = config::parse_yaml(
      "{profile_id: p, page_width: 800, page_height: 600, max_new_tokens: 16, batch_size: 2, num_pages: 6, doc_kind: synthetic,"
      " prompt_tokens: 10}",
      "workload.yaml");
  const config::Node changed = config::parse_yaml(changes, "test.yaml");
  for (const config::Entry& entry : changed.entries()) node.set(entry.key, entry.value);
  return Workload::read(config::View(node, "workload"), hundred_tokens);
}

std::string error_of(const std::string& changes) {
  try {
    read(changes);
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(OcrWorkload, ThePromptIsThePageAndItsText) {
  const Workload w = read("{}");
  EXPECT_EQ(w.seq_len, 110);
  EXPECT_EQ(w.new_tokens, 110);
  EXPECT_EQ(w.cached_tokens, 0);
  EXPECT_EQ(w.decode_steps(), 15);  // the first token comes out of the prompt's forward
  EXPECT_EQ(w.runs(), 3);
  const Workload other = read("{prompt_tokens: null, seq_len: 150}");
  EXPECT_EQ(other.prompt_tokens, 50);
  EXPECT_EQ(read("{seq_len: 110}").seq_len, 110);
  const Workload layer = read("{new_tokens: 7, cached_tokens: 30}");
  EXPECT_EQ(layer.new_tokens, 7);
  EXPECT_EQ(layer.cached_tokens, 30);
}

TEST(OcrWorkload, WhatCannotBeReadIsNamed) {
  const struct {
    const char *changes, *error;
  } cases[] = {
      {"{prompt_tokens: null}", "workload: seq_len or prompt_tokens must say how long the prompt is"},
      {"{prompt_tokens: null, seq_len: 100}",
       "workload.seq_len: the page alone has 100 tokens; 100 leave none for the text"},
      {"{seq_len: 111}", "workload.prompt_tokens: 111 tokens less the page's 100 are 11, not 10"},
      {"{num_pages: 5}",
       "workload.num_pages: 5 pages do not fill batches of 2; allowed: a multiple of "
       "workload.batch_size"},
      {"{batch_size: 65537, num_pages: 65537}",
       "workload.batch_size: at most 65536 pages are read in one forward, not 65537"},
      {"{batch_size: 65536, num_pages: 65536}", "no error"},
  };
  for (const auto& c : cases) EXPECT_EQ(error_of(c.changes), c.error) << c.changes;
  for (const char* key :
       {"page_width", "page_height", "prompt_tokens", "max_new_tokens", "batch_size", "num_pages", "new_tokens"}) {
    EXPECT_THAT(error_of(std::string("{") + key + ": 0}"), HasSubstr(std::string("workload.") + key));
  }
  EXPECT_EQ(error_of("{tile_rows: 1}"), "workload.tile_columns: missing");
  EXPECT_EQ(error_of("{tile_columns: 1}"), "workload.tile_rows: missing");
  EXPECT_THAT(error_of("{cached_tokens: -1}"), HasSubstr("workload.cached_tokens"));
  EXPECT_THAT(error_of("{doc_kind: novel}"), HasSubstr("workload.doc_kind"));
  EXPECT_THAT(error_of("{pages: 3}"), HasSubstr("workload.pages"));
}

TEST(OcrWorkload, IsDescribedByItsPageUnlessItSaysMore) {
  EXPECT_EQ(read("{}").description, "");
  EXPECT_EQ(read("{presets: {}}").description, "a page of 800 x 600 pixels, 110 tokens of prompt in all");
}

TEST(OcrWorkload, GivenTilesAreNoted) {
  EXPECT_FALSE(read("{}").tiles_given);
  const Workload w = read("{tile_columns: 2, tile_rows: 3}");
  EXPECT_TRUE(w.tiles_given);
  EXPECT_EQ(w.page.columns, 2);
  EXPECT_EQ(w.page.rows, 3);
}

// Of the same kind of workload: where the whole length is given it stays what is said, else it follows the page.
TEST(OcrWorkload, OfAnotherPageHasItsTokens) {
  Page page;
  page.image_tokens = 273;
  const auto by_text = read("{}").with(page, 20, 5, 8, 4);
  ASSERT_TRUE(by_text);
  EXPECT_EQ(by_text->seq_len, 293);
  EXPECT_EQ(by_text->prompt_tokens, 20);
  EXPECT_EQ(by_text->new_tokens, 293);
  EXPECT_EQ(by_text->decode_steps(), 4);
  EXPECT_EQ(by_text->runs(), 2);
  const Workload whole = read("{prompt_tokens: null, seq_len: 150, new_tokens: 3, cached_tokens: 9}");
  const auto by_length = whole.with(page, 300, 5, 4, 4);
  ASSERT_TRUE(by_length);
  EXPECT_EQ(by_length->seq_len, 300);
  EXPECT_EQ(by_length->prompt_tokens, 27);
  EXPECT_EQ(by_length->new_tokens, 3);
  EXPECT_EQ(by_length->cached_tokens, 9);
  EXPECT_FALSE(whole.with(page, 273, 5, 4, 4));  // no room for text
  EXPECT_TRUE(whole.with(page, 274, 5, 4, 4));
}

TEST(OcrWorkload, WhatReadRefusesIsNoOtherWorkload) {
  const Workload w = read("{}");
  EXPECT_TRUE(w.with(w.page, 1, 1, 1, 1));
  EXPECT_TRUE(w.with(w.page, 1, 1, 65'536, 65'536));
  EXPECT_FALSE(w.with(w.page, 0, 1, 1, 1));
  EXPECT_FALSE(w.with(w.page, 1, 0, 1, 1));
  EXPECT_FALSE(w.with(w.page, 1, 1, 0, 1));
  EXPECT_FALSE(w.with(w.page, 1, 1, 1, 0));
  EXPECT_FALSE(w.with(w.page, 1, 1, 5, 2));
  EXPECT_FALSE(w.with(w.page, 1, 1, 65'537, 65'537));
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr
