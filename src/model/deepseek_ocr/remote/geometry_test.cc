#include "model/deepseek_ocr/remote/geometry.h"

#include <gtest/gtest.h>

#include "base/error.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

PageLayout layout(std::string_view mode, int64_t width, int64_t height) {
  return page_layout(page_mode(mode), width, height);
}

// The counts that the recordings of the model's own code have ("image_tokens").
TEST(PageLayout, CountsTheTokensOfTheRecordings) {
  EXPECT_EQ(layout("tiny", 800, 600).image_tokens(), 73);
  EXPECT_EQ(layout("small", 800, 600).image_tokens(), 111);
  EXPECT_EQ(layout("base", 800, 600).image_tokens(), 273);
  EXPECT_EQ(layout("large", 800, 600).image_tokens(), 421);
  PageLayout gundam = layout("gundam", 100, 100);
  gundam.columns = 2;
  gundam.rows = 3;
  EXPECT_EQ(gundam.image_tokens(), 903);
}

TEST(PageLayout, CutsOnlyPagesAboveATile) {
  EXPECT_FALSE(layout("gundam", 640, 640).has_tiles());
  EXPECT_EQ(layout("gundam", 640, 640).image_tokens(), 273);
  EXPECT_TRUE(layout("gundam", 641, 640).has_tiles());
  EXPECT_EQ(layout("base", 5000, 5000).tiles(), 0);
}

TEST(PageLayout, TakesTheGridOfTheClosestShape) {
  const PageLayout a4 = layout("gundam", 1654, 2339);
  EXPECT_EQ(a4.columns, 2);
  EXPECT_EQ(a4.rows, 3);
  const PageLayout strip = layout("gundam", 9000, 700);
  EXPECT_EQ(strip.columns, 9);
  EXPECT_EQ(strip.rows, 1);
}

// Of grids of one shape the larger is taken where the page fills half of it.
TEST(PageLayout, BreaksTiesByArea) {
  EXPECT_EQ(layout("gundam", 800, 800).tiles(), 4);
  EXPECT_EQ(layout("gundam", 1400, 1400).tiles(), 9);
  EXPECT_EQ(layout("gundam", 650, 1300).tiles(), 2);
  EXPECT_EQ(layout("gundam", 1000, 2000).tiles(), 8);
}

TEST(PageLayout, RefusesWhatIsNoPage) {
  EXPECT_THROW(layout("gundam", 0, 100), Error);
  EXPECT_THROW(page_mode("huge"), Error);
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr::remote
