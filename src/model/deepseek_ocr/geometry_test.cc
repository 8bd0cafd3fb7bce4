// Recorded by running find_closest_aspect_ratio of modeling_deepseekocr.py on the target_ratios that dynamic_preprocess
// makes: tiles of 640 pixels and up to 9 of them; and as transformers' image processor for DeepSeek-OCR-2 calls it, 768
// and up to 6.
#include "model/deepseek_ocr/geometry.h"

#include <gtest/gtest.h>

namespace modelmeter::deepseek_ocr {
namespace {

struct Case {
  int64_t width, height;
  TileGrid first, second;
};

constexpr Case cases[] = {
    {641, 1, {9, 1}, {6, 1}},
    {1, 641, {1, 9}, {1, 6}},
    {700, 641, {2, 2}, {2, 2}},
    {1000, 1000, {2, 2}, {2, 2}},
    {1357, 1357, {2, 2}, {2, 2}},  // 9 tiles of 640 are filled by half from 1358 pixels on
    {1358, 1358, {3, 3}, {2, 2}},
    {1240, 1754, {2, 3}, {2, 3}},
    {2480, 3508, {2, 3}, {2, 3}},
    {3508, 2480, {3, 2}, {3, 2}},
    {905, 1810, {1, 2}, {1, 2}},
    {1279, 640, {2, 1}, {2, 1}},
    {1280, 2560, {2, 4}, {1, 2}},
    {2560, 1280, {4, 2}, {2, 1}},
    {1100, 400, {3, 1}, {3, 1}},
    {2000, 500, {4, 1}, {4, 1}},
    {2500, 500, {5, 1}, {5, 1}},
    {4000, 640, {6, 1}, {6, 1}},
    {700, 5600, {1, 8}, {1, 6}},
    {1920, 1080, {4, 2}, {2, 1}},
    {1080, 1920, {2, 4}, {1, 2}},
    {2550, 3300, {2, 3}, {2, 3}},
    // Between the shapes of two grids: the smaller, unless the page fills the larger by half.
    {1000, 800, {2, 2}, {2, 2}},
    {1250, 1000, {3, 2}, {2, 2}},
    {2000, 1600, {3, 3}, {3, 2}},
    {800, 1000, {2, 3}, {2, 3}},
    {2400, 1000, {4, 2}, {2, 1}},
};

TEST(ClosestGrid, IsTheOneThatTheCodeTakes) {
  for (const Case& c : cases) {
    const TileGrid first = closest_grid(c.width, c.height, 640, 9), second = closest_grid(c.width, c.height, 768, 6);
    EXPECT_EQ(first.columns, c.first.columns) << c.width << " x " << c.height;
    EXPECT_EQ(first.rows, c.first.rows) << c.width << " x " << c.height;
    EXPECT_EQ(second.columns, c.second.columns) << c.width << " x " << c.height;
    EXPECT_EQ(second.rows, c.second.rows) << c.width << " x " << c.height;
  }
}

}  // namespace
}  // namespace modelmeter::deepseek_ocr
