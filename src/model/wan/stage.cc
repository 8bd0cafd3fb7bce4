#include "model/wan/stage.h"

#include <algorithm>
#include <array>

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
      {stand_in_for::vae_encode, "vae/encode"},     {stand_in_for::vae_encode_reference, "vae/encode_reference"},
      {stand_in_for::transformer, "diffusion/dit"}, {stand_in_for::vae_decode, "vae/decode"},
  };
  for (const auto& [name, stage] : stages) {
    if (name == model) return stage;
  }
  return "";
}

Dependence polynomial_in(size_t value, int degree, int64_t from, int64_t step, int64_t to) {
  return {value, degree, from, step, to};
}

// Sizes of the latent.
void add_latent(std::vector<Dependence>& out, int degree, int64_t first_frames, const Shape& patch_size) {
  constexpr int64_t most_frames = 256, most_side = 288;
  const int64_t p = patch_size[0], q = patch_size[1], r = patch_size[2];
  const auto multiple = [](int64_t value, int64_t of) { return (value + of - 1) / of * of; };
  out.push_back(polynomial_in(run_value::latent_frames, degree, multiple(first_frames, p), p, most_frames));
  out.push_back(polynomial_in(run_value::latent_height, degree, multiple(4, q), q, most_side));
  out.push_back(polynomial_in(run_value::latent_width, degree, multiple(4, r), r, most_side));
}

// Equal ones, of runs whose numbers that no setting changes are equal, too.
class WanStageIdentity : public StageIdentity {
 public:
  WanStageIdentity(const StageOrigin& origin, const RunValues& run)
      : origin_(origin),
        fixed_{run[run_value::latent_channels], run[run_value::temporal_compression],
               run[run_value::spatial_compression], run[run_value::seq_len]} {}

  bool equals(const StageIdentity& other) const override {
    const auto* same = dynamic_cast<const WanStageIdentity*>(&other);
    return same != nullptr && fixed_ == same->fixed_ && origin_ == same->origin_;
  }

 private:
  StageOrigin origin_;
  std::array<int64_t, 4> fixed_;
};

}  // namespace

std::vector<Dependence> dependences(Role role, const CodeBase& code_base, const Shape& patch_size, bool tiling) {
  using namespace run_value;
  constexpr int64_t first_steps = 4, most_steps = 100'000;  // from the warm-up of the schedulers on
  std::vector<Dependence> out;
  switch (role) {
    case Role::image_encoder: break;
    case Role::text_encoder: out = {{batch}}; break;
    case Role::transformer:
      out = {{batch}};
      if (code_base.gives_real_tokens) out.push_back({prompt_tokens});
      add_latent(out, 2, 1, patch_size);
      break;
    case Role::autoencoder:
      out = {{batch}};
      add_latent(out, tiling ? -1 : 2, 4, patch_size);  // from the warm-up of its loop over chunks on
      break;
    case Role::sampling:
      out = {{prompt_tokens}, {residency}};
      if (!code_base.one_video_at_a_time) out.push_back({batch});
      add_latent(out, 1, 2, patch_size);  // with one frame torch.cat finds nothing beside the given one
      out.push_back(polynomial_in(steps, 1, first_steps, 1, most_steps));
      break;
  }
  return out;
}

WanStage::WanStage(WanStageOptions options, BoundModel model, const RunSizes& run)
    : Stage(options.id, stage_of(options.role), run.values()), options_(std::move(options)), model_(std::move(model)) {}

int64_t WanStage::forwards(const RunValues& run) const {
  return options_.forwards ? options_.forwards(RunSizes::of(run)) : 1;
}

Offload WanStage::offload(const RunValues& run) const {
  return options_.offload ? options_.offload(static_cast<Residency>(RunSizes::of(run).residency)) : Offload();
}

std::shared_ptr<const StageIdentity> WanStage::identity() const {
  if (options_.origin.code_base == nullptr) return nullptr;
  return std::make_shared<WanStageIdentity>(options_.origin, run());
}

SamplingStage::SamplingStage(const CodeBase& code_base, const SamplingOptions& options, const RunSizes& run)
    : WanStage({Role::sampling,
                "diffusion/sampling",
                dependences(Role::sampling, code_base, options.patch_size, false),
                [one = code_base.one_video_at_a_time](const RunSizes& r) { return one ? r.batch : 1; },
                {},
                {&code_base, options}},
               code_base.sampling(options), run) {
  Tracer tracer;
  trace_forward(tracer);
  for (const Held& held : held_at_calls(tracer.trace())) {
    const auto known = std::find_if(held_.begin(), held_.end(), [&](const Held& h) { return h.stage == held.stage; });
    if (known == held_.end()) {
      held_.push_back(held);
    } else {
      known->bytes = std::max(known->bytes, held.bytes);
    }
  }
}

// What is alive when each model is called, but for its result.
std::vector<Stage::Held> SamplingStage::held_at_calls(const Trace& trace) const {
  std::vector<Held> out;
  for (const Op& op : trace.ops) {
    const Scope& scope = trace.scopes[static_cast<size_t>(op.scope)];
    if (info(op.kernel).kind != OpKind::allocate || scope.kind != ScopeKind::function) continue;
    const std::string_view called = stage_tracing(scope.name);
    if (called.empty()) continue;
    out.push_back({called, trace.given_bytes + op.live - trace.output(op, 0).storage->bytes});
  }
  return out;
}

int64_t SamplingStage::held_while(const Stage& running) const {
  const Held* closest = nullptr;  // the longest: "vae/encode" begins "vae/encode_reference"
  for (const Held& held : held_) {
    if (running.id().compare(0, held.stage.size(), held.stage) != 0) continue;
    if (closest == nullptr || held.stage.size() > closest->stage.size()) closest = &held;
  }
  return closest == nullptr ? 0 : checked_mul(closest->bytes, forwards(), "live memory");
}

}  // namespace modelmeter::wan
