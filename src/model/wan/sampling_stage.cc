#include "model/wan/sampling_stage.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/checked.h"
#include "model/wan/diffusers/pipeline.h"
#include "model/wan/official/generate.h"

namespace modelmeter::wan {
namespace {

const char* name_of(Task task) {
  switch (task) {
    case Task::i2v: return "i2v";
    case Task::flf2v: return "flf2v";
    case Task::vace: return "vace";
    case Task::ti2v: return "ti2v";
    default: return "t2v";
  }
}

// The beginning of the id of the stage that traces a model.
std::string_view stage_of(std::string_view model) {
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
    const std::string_view called = stage_of(scope.name);
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

SamplingStage::SamplingStage(Implementation implementation, const SamplingOptions& options)
    : Stage("diffusion/sampling", "diffusion"), implementation_(implementation), options_(options) {
  const auto hold = [&](auto model) {
    run_ = [m = model.get()] { (*m)(); };
    layer_ = std::move(model);
  };
  if (implementation == Implementation::official) {
    hold(std::make_unique<official::Generate>(options));
  } else {
    hold(std::make_unique<diffusers::WanPipeline>(options));
  }
  held_ = held_at_calls(*this);
}

int64_t SamplingStage::forwards() const { return implementation_ == Implementation::official ? options_.batch : 1; }

void SamplingStage::forward(Tracer&) const {
  if (implementation_ == Implementation::official) {
    AutocastGuard autocast(DType::bfloat16);
    run_();
  } else {
    run_();
  }
}

int64_t SamplingStage::held_while(const Stage& running) const {
  for (const auto& [stage, bytes] : held_) {
    if (running.id().compare(0, stage.size(), stage) == 0) return checked_mul(bytes, forwards(), "live memory");
  }
  return 0;
}

RecordedInputs SamplingStage::recorded_inputs() const {
  const SamplingOptions& o = options_;
  const bool official = implementation_ == Implementation::official;
  const char* scheduler = o.scheduler == Scheduler::unipc ? "unipc" : "dpm++";
  std::string config = fmt::format(R"("task":"{}","scheduler":"{}")", name_of(o.task), scheduler);
  if (official) config += fmt::format(R"(,"offload_model":{},"t5_cpu":{})", o.offload_model, o.t5_cpu);
  if (!official) config += fmt::format(R"(,"dtype":"{}")", short_name(o.model_dtype));
  if (o.generation == Generation::wan2_2) config += R"(,"experts":2)";
  if (!official && o.task == Task::vace) config += fmt::format(R"(,"control_layers":{})", o.control_layers);
  if (!o.guidance) config += R"(,"guidance":false)";
  return {
      official ? "official" : "diffusers", "none", "{" + config + "}",
      fmt::format(R"({{"batch_size":{},"num_frames":{},"height":{},"width":{},"latent":{},"text_len":{},)"
                  R"("prompt_tokens":{},"num_inference_steps":{}}})",
                  o.batch, o.frames, o.height, o.width, o.latent.to_string(), o.text_len, o.prompt_tokens, o.steps)};
}

}  // namespace modelmeter::wan
