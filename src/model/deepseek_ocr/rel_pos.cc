#include "model/deepseek_ocr/rel_pos.h"

namespace modelmeter::deepseek_ocr {

Tensor einsum_along(const Tensor& query, const Tensor& table, int axis) {
  const bool rows = axis == 1;
  const int64_t n = query.size(axis), b = query.size(0), m = query.size(rows ? 2 : 1), k = table.size(1);
  Tensor left = query.unsqueeze(-1);
  left = rows ? left.permute({1, 0, 2, 3, 4}) : left.permute({2, 0, 1, 3, 4});
  left = torch::reshape(left, {n, b * m, -1});
  Tensor out = torch::matmul(left, table.transpose(1, 2)).view({n, b, m, k});
  return rows ? out.permute({1, 0, 2, 3}) : out.permute({1, 2, 0, 3});
}

}  // namespace modelmeter::deepseek_ocr
