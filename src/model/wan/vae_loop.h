// The loop over a video's chunks that every implementation of the Wan autoencoder has: the result of the first chunk,
// grown by torch.cat by those of the others.
#pragma once

#include "model/wan/vae_layers.h"
#include "trace/repeat.h"

namespace modelmeter::wan {

// chunk(i) gives the coder's result for chunk i, and keeps in the cache what the next one needs. The last result stays
// in `out_`, a local variable of the originals.
template <class Chunk>
Tensor grow_by_chunks(int64_t chunks, FeatCache& cache, Tensor& out_, Chunk chunk) {
  Tensor out;
  LoopState state;
  cache.add_to(state);
  state.same.push_back(&out_);
  state.growing.push_back(&out);
  repeat_steadily(chunks, state, [&](int64_t i) {
    cache.index = 0;
    if (i == 0) {
      out = chunk(i);
    } else {
      out_ = alike([&] { return chunk(i); });
      out = torch::cat({out, out_}, 2);
    }
  });
  return out;
}

}  // namespace modelmeter::wan
