// What a layer is built for: the dtype its forward computes with and this rank's degrees of parallelism. Every layer
// that has parameters takes one; a model builds all its layers from the one it was given.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace modelmeter {

// How many ranks share the work along each axis; 1: none.
struct ParallelDegrees {
  int64_t data = 1;     // batches apart
  int64_t cfg = 1;      // the branches of classifier-free guidance apart
  int64_t ulysses = 1;  // sequence parallel: heads exchanged for tokens around attention
  int64_t ring = 1;     // sequence parallel: keys and values passed round
  int64_t tensor = 1;   // each weight cut

  bool operator==(const ParallelDegrees&) const = default;
};

struct BuildContext {
  DType dtype = DType::float32;   // of the weights as the forward computes with them
  ParallelDegrees parallel = {};  // no layer cuts its weights: one with parameters throws where `tensor` is above 1

  // For layers that the original keeps in a dtype of their own.
  BuildContext with(DType other) const { return {other, parallel}; }
};

}  // namespace modelmeter
