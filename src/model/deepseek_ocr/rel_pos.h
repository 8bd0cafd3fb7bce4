// Decomposed relative positions of SAM's attention: the product of queries with the positions of one axis, as
// torch.einsum carries it out. DeepSeek-OCR's code and transformers' DeepSeek-OCR-2 write the same two equations.
#pragma once

#include "trace/functional.h"

namespace modelmeter::deepseek_ocr {

// einsum("bhwc,hkc->bhwk") for axis 1 and einsum("bhwc,wkc->bhwk") for axis 2: a product for each row or column.
// query [b, h, w, c], table [h or w, k, c] -> [b, h, w, k], strided; 2 b h w k c FLOPs, one bmm.
Tensor einsum_along(const Tensor& query, const Tensor& table, int axis);

}  // namespace modelmeter::deepseek_ocr
