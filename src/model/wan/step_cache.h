// A cache between denoising steps, as TeaCache has it (ali-vilab/TeaCache, TeaCache4Wan2.1, teacache_forward): while
// the time embedding has moved little, the blocks do not run, and what they added to the hidden states before is added
// again. Patch embedding, text and time embedding and the head run always.
//
//   kept     x0 = x.clone(); x = blocks(x); kept = x - x0
//   reused   x += kept
//
// Either way the time embedding is compared with that of the step before, mean |e - e'| / mean |e'|, and the host reads
// it. One difference is kept for each branch of guidance. How many forwards are skipped is given (runtime.step_cache):
// it follows from the video, not from the sizes.
#pragma once

#include <utility>

#include "trace/functional.h"

namespace modelmeter::wan {

class CachedBlocks {
 public:
  // `embedding`: of the time step; `added`: the dtype of what the blocks add.
  CachedBlocks(const Tensor& x, const Tensor& embedding, DType added);

  Tensor reuse(Tensor x) const;
  void keep(const Tensor& x, const Tensor& before) const;

 private:
  TensorList kept_;  // of each branch
};

// blocks(x), or what stands for it. What it does is in the Tracer's context.
template <class Blocks>
Tensor run_blocks(Tensor x, const Tensor& embedding, DType added, const Blocks& blocks) {
  const StepCache cache = x.tracer().context.step_cache;
  if (cache == StepCache::off) return blocks(std::move(x));
  const CachedBlocks cached(x, embedding, added);
  if (cache == StepCache::reused) return cached.reuse(std::move(x));
  const Tensor before = torch::clone(x);
  x = blocks(std::move(x));
  cached.keep(x, before);
  return x;
}

}  // namespace modelmeter::wan
