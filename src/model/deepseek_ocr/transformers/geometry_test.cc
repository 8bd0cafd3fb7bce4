#include "model/deepseek_ocr/transformers/geometry.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr::transformers {
namespace {

// num_queries_global, num_queries_local and the separator: replace_image_token() of the processor.
TEST(Ocr2PageLayout, CountsAPagesTokens) {
  PageLayout page;
  EXPECT_EQ(page.image_tokens(), 257);
  page.columns = 2;
  page.rows = 3;
  EXPECT_EQ(page.image_tokens(), 6 * 144 + 256 + 1);
}

// What get_optimal_tiled_canvas() of transformers' image processor says.
TEST(Ocr2PageLayout, CutsAsTheImageProcessorDoes) {
  struct Known {
    int64_t width, height, columns, rows;
  };
  const Known known[] = {
      {768, 768, 0, 0},   {769, 768, 2, 2},   {500, 769, 2, 3},   {1654, 2339, 2, 3}, {2339, 1654, 3, 2},
      {9000, 700, 6, 1},  {700, 9000, 1, 6},  {1600, 1600, 2, 2}, {2480, 3508, 2, 3}, {1000, 2000, 1, 2},
      {1920, 1080, 2, 1}, {1250, 1000, 2, 2}, {2000, 1600, 3, 2},  // as close to both: the larger where it is filled
  };
  for (const Known& k : known) {
    const PageLayout page = page_layout(k.width, k.height);
    EXPECT_EQ(page.columns, k.columns) << k.width << " x " << k.height;
    EXPECT_EQ(page.rows, k.rows) << k.width << " x " << k.height;
  }
}

TEST(Ocr2PageLayout, RefusesWhatIsNoPage) {
  EXPECT_THROW(page_layout(0, 100), Error);
  EXPECT_THROW(query_tokens(1088), Error);
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::transformers
