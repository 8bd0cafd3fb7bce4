#include "model/wan/step_cache.h"

namespace modelmeter::wan {
namespace {

constexpr char scope_name[] = "step_cache";

Tensor mean_of_absolute(Tensor x) {
  x = torch::abs(std::move(x));
  const int64_t elements = x.numel();
  return torch::mean(x.view({elements}), 0, false);
}

void compare(const Tensor& embedding) {
  const Tensor before = embedding.tracer().input(embedding.sizes(), embedding.dtype());
  Tensor moved = torch::sub(embedding, before);
  moved = mean_of_absolute(std::move(moved));
  Tensor size = mean_of_absolute(before);
  moved = torch::div(std::move(moved), std::move(size));
  torch::to_host(std::move(moved));
  torch::clone(embedding);
}

}  // namespace

CachedBlocks::CachedBlocks(const Tensor& x, const Tensor& embedding, DType added) {
  FunctionScope scope(scope_name);
  Tracer& tracer = x.tracer();
  for (int branch = 0; branch < tracer.context.guidance_branches; ++branch) {
    kept_.push_back(tracer.input(x.sizes(), added));
    kept_.back().set_role("step cache");
  }
  compare(embedding);
}

Tensor CachedBlocks::reuse(Tensor x) const {
  FunctionScope scope(scope_name);
  return torch::add_(std::move(x), kept_.front());
}

void CachedBlocks::keep(const Tensor& x, const Tensor& before) const {
  FunctionScope scope(scope_name);
  torch::sub(x, before);
}

}  // namespace modelmeter::wan
