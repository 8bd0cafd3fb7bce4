#include "model/wan/diffusers/vace.h"

#include "trace/repeat.h"

namespace modelmeter::wan::diffusers {

WanVACETransformerBlock::WanVACETransformerBlock(const BuildContext& context, const Architecture& a,
                                                 bool apply_input_projection)
    : Module(context, "WanVACETransformerBlock", a), proj_out_(context, {a.dim, a.dim}) {
  if (apply_input_projection) register_module("proj_in", proj_in_.emplace(context, LinearOptions{a.dim, a.dim}));
  register_layers();
  register_module("proj_out", proj_out_);
}

std::pair<Tensor, Tensor> WanVACETransformerBlock::forward(Tensor hidden_states, Tensor encoder_hidden_states,
                                                           Tensor control_hidden_states, Tensor temb,
                                                           const RotaryEmbedding& rotary) const {
  if (proj_in_) {
    control_hidden_states = (*proj_in_)(control_hidden_states);
    control_hidden_states = torch::add(control_hidden_states, hidden_states);
  }
  Result result = run_block(std::move(control_hidden_states), encoder_hidden_states, temb, rotary, &proj_out_);
  return {std::move(result.projected), std::move(result.hidden_states)};
}

WanVACETransformer3DModel::WanVACETransformer3DModel(const BuildContext& context, const Architecture& a)
    : Module(context, "WanVACETransformer3DModel", a),
      vace_patch_embedding_(context, {a.vace_in_dim, a.dim, a.patch_size, a.patch_size, {0, 0, 0}}),
      blocks_(context, a),
      vace_block_0_(context, a, true),
      vace_blocks_(context, a, false) {
  register_module("vace_patch_embedding", vace_patch_embedding_);
  register_module("condition_embedder", condition_embedder_);
  register_module_list("blocks", blocks_, a.num_layers);
  register_module_list("vace_blocks", vace_block_0_, 1);
  register_module_list("vace_blocks", vace_blocks_, static_cast<int64_t>(a.vace_layers.size()) - 1, 1);
  register_output();
}

Tensor WanVACETransformer3DModel::forward(const DiTInputs& in) const {
  const int64_t vace_layers = static_cast<int64_t>(a_.vace_layers.size());
  const Tensor control_scale = torch::new_ones(in.control_hidden_states, {vace_layers});

  const RotaryEmbedding rotary = rope_(in.hidden_states);
  Tensor hidden_states = patch_embedding_(in.hidden_states);
  hidden_states = torch::flatten(hidden_states, 2).transpose(1, 2);

  Tensor control = vace_patch_embedding_(in.control_hidden_states);
  control = torch::flatten(control, 2).transpose(1, 2);
  const Tensor padding =
      torch::new_zeros(control, {control.size(0), hidden_states.size(1) - control.size(1), control.size(2)});
  control = torch::cat({control, padding}, 1);

  const Condition condition = embed_condition(in);
  const Tensor& text = condition.encoder_hidden_states;
  const Tensor& timestep_proj = condition.timestep_proj;

  // hints, of all VACE blocks first
  Tensor conditioning_states;
  TensorList hints;
  const auto prepare = [&](int64_t i) {
    const WanVACETransformerBlock& block = i == 0 ? vace_block_0_ : vace_blocks_;
    auto [hint, next] = block.call_as(i, hidden_states, text, control, timestep_proj, rotary);
    conditioning_states = hint;
    control = std::move(next);
    hints.push_back(std::move(hint));
  };
  const auto skip = [&](int64_t) {
    conditioning_states = untraced_like(hints.back());
    hints.push_back(conditioning_states);
  };
  prepare(0);
  repeat_steadily(vace_layers - 1, {{&control}, {}}, [&](int64_t i) { prepare(i + 1); }, skip);

  Tensor control_hint;
  for (size_t n = 0; n < hints.size(); ++n) {
    const int64_t layer = a_.vace_layers[n];
    const int64_t next = n + 1 < hints.size() ? a_.vace_layers[n + 1] : a_.num_layers;
    hidden_states = blocks_.call_as(layer, hidden_states, text, timestep_proj, rotary);
    control_hint = std::move(hints[n]);
    {
      Tensor scaled = torch::mul(control_hint, control_scale.select(0, static_cast<int64_t>(n)));
      hidden_states = torch::add(hidden_states, std::move(scaled));
    }
    hidden_states = repeat(next - layer - 1, std::move(hidden_states), [&](int64_t i, const Tensor& state) {
      return blocks_.call_as(layer + 1 + i, state, text, timestep_proj, rotary);
    });
  }
  return to_latents(std::move(hidden_states), condition.temb, in.hidden_states);
}

}  // namespace modelmeter::wan::diffusers
