#include "model/wan/diffusers/vae_tiling.h"

namespace modelmeter::wan::diffusers {
namespace {

// Blends the last lines of `a` along `dim` into the first of `b`.
void blend_lines(const Tensor& a, const Tensor& b, int dim, int64_t extent) {
  extent = std::min({a.size(dim), b.size(dim), extent});
  repeat_steadily(extent, {}, [&](int64_t i) {
    Tensor from = torch::mul(a.select(dim, a.size(dim) - extent + i), 1.0);
    Tensor to = torch::mul(b.select(dim, i), 1.0);
    Tensor sum = torch::add(std::move(from), std::move(to));
    torch::copy_(b.select(dim, i), std::move(sum));
  });
}

}  // namespace

Blended blend_tiles(const std::vector<TensorList>& rows, const Blend& blend) {
  Blended out;
  for (size_t i = 0; i < rows.size(); ++i) {
    out.result_row.clear();
    for (size_t j = 0; j < rows[i].size(); ++j) {
      out.tile = rows[i][j];
      if (i > 0) blend_lines(rows[i - 1][j], out.tile, 3, blend.height);
      if (j > 0) blend_lines(rows[i][j - 1], out.tile, 4, blend.width);
      out.result_row.push_back(out.tile.slice(3, 0, blend.stride_height).slice(4, 0, blend.stride_width));
    }
    out.result_rows.push_back(torch::cat(out.result_row, -1));
  }
  out.picture = torch::cat(out.result_rows, 3).slice(3, 0, blend.sample_height).slice(4, 0, blend.sample_width);
  return out;
}

}  // namespace modelmeter::wan::diffusers
