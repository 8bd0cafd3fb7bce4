// What a layer is built for: the dtype its forward computes with, how its weights are stored, and this rank's degrees
// of parallelism. Every layer that has parameters takes one; a model builds all its layers from the one it was given.
#pragma once

#include <cstdint>

#include "base/dtype.h"

namespace modelmeter {

// How the weights of matrix products are stored, apart from the dtype they are multiplied in: what weight-only
// quantisation changes (LLM.int8, GPTQ, torchao's int8 and int4), which leaves biases, norms, embeddings and
// convolutions as they are. It counts in the bytes of parameters only.
//
// Not modelled: scales and zero points beside the values, and what it takes to unpack them. The kernels of a forward,
// and what they read, are those of the dtype.
struct WeightFormat {
  int64_t bits = 0;  // of a stored value, from 1; 0: as the dtype
};

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
  DType dtype = DType::float32;  // of the weights as the forward computes with them
  WeightFormat weights = {};
  ParallelDegrees parallel = {};  // no layer shards itself: one that is built for more than one rank throws

  // For layers that the original keeps in a dtype of their own; those it does not quantise either.
  BuildContext with(DType other) const { return {other, {}, parallel}; }
};

}  // namespace modelmeter
