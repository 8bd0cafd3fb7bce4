// Tiles start at range(0, size, stride) and end at the picture's end: tiled_encode() and tiled_decode() of
// autoencoder_kl_wan.py.
#include "model/wan/diffusers/vae_tiling.h"

#include <gtest/gtest.h>

namespace modelmeter::wan::diffusers {
namespace {

TEST(TileSide, HasATileAtEveryStride) {
  for (int64_t size = 1; size <= 40; ++size) {
    for (int64_t tile = 1; tile <= 12; ++tile) {
      for (int64_t stride = 1; stride <= tile; ++stride) {
        const TileSide side{size, tile, stride};
        int64_t count = 0, whole = 0;
        for (int64_t start = 0; start < size; start += stride) {
          EXPECT_EQ(side.start(count), start);
          ++count;
          whole += start + tile <= size;
        }
        EXPECT_EQ(side.count(), count) << size << " " << tile << " " << stride;
        EXPECT_EQ(side.whole(), whole) << size << " " << tile << " " << stride;
      }
    }
  }
}

// The sizes of the tiles that run, row by row, whether they were traced or not: of 10 x 7 in tiles of 4 every 3.
TEST(RunTiles, GivesEveryTileAtItsPlace) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const TileSide high{10, 4, 3}, wide{7, 4, 3};
  int traced = 0;
  const std::vector<TensorList> rows = run_tiles(high, wide, {}, [&](int64_t i, int64_t j) {
    ++traced;
    const int64_t h = std::min(high.tile, high.size - high.start(i)),
                  w = std::min(wide.tile, wide.size - wide.start(j));
    return torch::neg(tracer.input({h, w}, DType::float32));
  });
  ASSERT_EQ(rows.size(), 4u);
  const int64_t heights[] = {4, 4, 4, 1}, widths[] = {4, 4, 1};
  for (size_t i = 0; i < 4; ++i) {
    ASSERT_EQ(rows[i].size(), 3u);
    for (size_t j = 0; j < 3; ++j) EXPECT_EQ(rows[i][j].sizes(), Shape({heights[i], widths[j]})) << i << " " << j;
  }
  EXPECT_LT(traced, 12);
}

// Where blends overlap a tile's end, the shorter extent counts: blend_v() takes min(a.shape[-2], b.shape[-2], extent).
TEST(BlendTiles, BlendsAsManyLinesAsBothHave) {
  Tracer tracer;
  Tracer::Guard guard(tracer);
  const auto tile = [&](int64_t h, int64_t w) { return tracer.allocate({1, 1, 1, h, w}, DType::float32); };
  std::vector<TensorList> rows;
  rows.push_back({tile(4, 4), tile(4, 2)});
  rows.push_back({tile(1, 4), tile(1, 2)});
  const Blended blended = blend_tiles(rows, {2, 3, 2, 2, 3, 4});
  int64_t copies = 0;
  for (const Op& op : tracer.trace().ops) {
    if (op.kernel == Kernel::copy_) copies += tracer.trace().executions(op.scope);
  }
  // rows: 1 line of each of two tiles; columns: 2 of the upper and 2 of the lower pair
  EXPECT_EQ(copies, 2 * 1 + 2 + 2);
  EXPECT_EQ(blended.picture.sizes(), Shape({1, 1, 1, 3, 4}));
}

}  // namespace
}  // namespace modelmeter::wan::diffusers
