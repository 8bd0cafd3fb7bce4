#include "model/wan/stage.h"

#include <algorithm>

#include "base/checked.h"

namespace modelmeter::wan {
namespace {

const char* stage_of(Role role) {
  switch (role) {
    case Role::text_encoder: return "text_encoder";
    case Role::image_encoder: return "other";
    case Role::transformer:
    case Role::sampling: return "diffusion";
    case Role::autoencoder: return "vae";
  }
  return "other";
}

// The beginning of the id of the stage that traces a model.
std::string_view stage_tracing(std::string_view model) {
  static constexpr std::pair<std::string_view, std::string_view> stages[] = {
      {stand_in_for::text_encoder, "text_encoder"}, {stand_in_for::image_encoder, "image_encoder"},
      {stand_in_for::vae_encode, "vae/encode"},     {stand_in_for::transformer, "diffusion/dit"},
      {stand_in_for::vae_decode, "vae/decode"},
  };
  for (const auto& [name, stage] : stages) {
    if (name == model) return stage;
  }
  return "";
}

// What is alive when each model is called, but for its result, the most of all calls.
std::vector<std::pair<std::string_view, int64_t>> held_at_calls(const Stage& stage) {
  Tracer tracer;
  stage.trace_forward(tracer);
  const Trace& trace = tracer.trace();
  std::vector<std::pair<std::string_view, int64_t>> out;
  for (const Op& op : trace.ops) {
    const Scope& scope = trace.scopes[static_cast<size_t>(op.scope)];
    if (info(op.kernel).kind != OpKind::allocate || scope.kind != ScopeKind::function) continue;
    const std::string_view called = stage_tracing(scope.name);
    if (called.empty()) continue;
    const int64_t held = trace.given_bytes + op.live - trace.output(op, 0).storage->bytes;
    const auto known = std::find_if(out.begin(), out.end(), [&](const auto& h) { return h.first == called; });
    if (known == out.end()) {
      out.emplace_back(called, held);
    } else {
      known->second = std::max(known->second, held);
    }
  }
  return out;
}

}  // namespace

WanStage::WanStage(Role role, std::string id, BoundModel model, int64_t forwards)
    : Stage(std::move(id), stage_of(role)), role_(role), model_(std::move(model)), forwards_(forwards) {}

SamplingStage::SamplingStage(const CodeBase& code_base, const SamplingOptions& options)
    : WanStage(Role::sampling, "diffusion/sampling", code_base.sampling(options),
               code_base.one_video_at_a_time ? options.batch : 1),
      held_(held_at_calls(*this)) {}

int64_t SamplingStage::held_while(const Stage& running) const {
  for (const auto& [stage, bytes] : held_) {
    if (running.id().compare(0, stage.size(), stage) == 0) return checked_mul(bytes, forwards(), "live memory");
  }
  return 0;
}

}  // namespace modelmeter::wan
