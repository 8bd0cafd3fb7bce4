// Tiles of a picture that run one after another and are blended line by line, as diffusers' autoencoders do it
// (tiled_encode, tiled_decode, blend_v, blend_h).
#pragma once

#include <algorithm>
#include <vector>

#include "trace/functional.h"
#include "trace/repeat.h"

namespace modelmeter::wan::diffusers {

// Along one side of the picture, in the units of what is cut.
struct TileSide {
  int64_t size, tile, stride;

  int64_t count() const { return (size + stride - 1) / stride; }
  int64_t whole() const { return size < tile ? 0 : (size - tile) / stride + 1; }  // tiles that are not cut short
  int64_t start(int64_t i) const { return i * stride; }
};

// Runs tile(i, j) for all tiles; those that find what an earlier one found and are as large are not traced. `carried`
// are the tensors that one tile leaves for the next.
template <class Tile>
std::vector<TensorList> run_tiles(const TileSide& high, const TileSide& wide, const LoopState& carried, Tile tile) {
  std::vector<TensorList> rows;
  const auto run_row = [&](int64_t i) {
    TensorList row;
    const auto run_tile = [&](int64_t j) { row.push_back(tile(i, j)); };
    repeat_steadily(wide.whole(), carried, run_tile, [&](int64_t) { row.push_back(untraced_like(row.back())); });
    for (int64_t j = wide.whole(); j < wide.count(); ++j) run_tile(j);
    rows.push_back(std::move(row));
  };
  const auto skip_row = [&](int64_t) {
    TensorList row;
    for (const Tensor& x : rows.back()) row.push_back(untraced_like(x));
    rows.push_back(std::move(row));
  };
  repeat_steadily(high.whole(), carried, run_row, skip_row);
  for (int64_t i = high.whole(); i < high.count(); ++i) run_row(i);
  return rows;
}

// What the originals do with the tiles: each blended with the one above and the one to the left, cut to the stride, all
// put together, cut to the size. `rows` are left as they are after it.
struct Blend {
  int64_t height, width;                // lines and columns that are blended
  int64_t stride_height, stride_width;  // what is taken of each tile
  int64_t sample_height, sample_width;
};
struct Blended {
  TensorList result_rows, result_row;  // local variables of the originals
  Tensor tile, picture;
};
Blended blend_tiles(const std::vector<TensorList>& rows, const Blend& blend);

}  // namespace modelmeter::wan::diffusers
