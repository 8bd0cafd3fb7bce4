// diffusers' layerwise casting around a call of a layer that is kept in float8: before it every parameter is cast to
// the dtype that it computes with, after it back. The cast parameters are there while the layer runs; the float8 ones,
// which PyTorch lets go and makes again, count throughout, so that the peak, which is at the casts back, is exact.
//
// Source: diffusers 0.42.1, hooks/layerwise_casting.py: module.to(dtype) in pre_forward and post_forward.
#pragma once

#include "layer/base_layer.h"

namespace modelmeter {

class LayerwiseCast {
 public:
  explicit LayerwiseCast(const BaseLayer& layer);

  const TensorList& tensors() const { return cast_; }  // the checkpoint's parameters, in their order
  void end();                                          // casts them back

 private:
  TensorList kept_, cast_;
};

}  // namespace modelmeter
