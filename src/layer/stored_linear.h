// What a Linear runs whose weight is kept in another format: the kernels of the class that the library puts in its
// place, with the temporary tensors that it makes. One function for each kind of format; sources as in
// layer/weight_format.h.
//
// Not modelled: outlier columns of LLM.int8(), whose number follows from the activations (their product comes on top);
// bitsandbytes' fused 4-bit product between 5 and 1,536 tokens, where its use depends on the device; split-K of Marlin.
#pragma once

#include "layer/weight_format.h"

namespace modelmeter {

// The tensors of WeightFormat::tensors(), in their order.
struct StoredWeight {
  const WeightFormat& format;
  TensorList tensors;
  Shape sizes;  // [out, in]
  DType dtype;  // that it is multiplied in
};

// x [..., in], bias [out] or undefined. Not of casts, which Linear does itself.
Tensor stored_linear(const StoredWeight& weight, Tensor x, Tensor bias);

// diffusers' dequantize_gguf_tensor(): bytes [out, row bytes] to float16 [out, in], kernel by kernel.
Tensor dequantize_gguf_tensor(Tensor bytes, const WeightFormat& format, const Shape& sizes);

}  // namespace modelmeter
