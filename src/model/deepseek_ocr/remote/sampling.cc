#include "model/deepseek_ocr/remote/sampling.h"

#include "trace/repeat.h"

namespace modelmeter::deepseek_ocr::remote {
namespace {

Tensor number_on_device() { return torch::to_device(Tracer::current().host({}, DType::int64), DType::int64); }

// _prepare_special_tokens: which are looked at on the device, once. The model has no padding token, so that the end of
// the sequence stands for it.
struct SpecialTokens {
  SpecialTokens() : bos(number_on_device()), eos(number_on_device()), pad(eos.view({1}).select(0, 0)) {
    Tensor is_pad = torch::isin(eos.view({1}), pad);
    torch::any(std::move(is_pad));
    Tensor negative = torch::lt(eos.view({1}), 0.0);
    torch::any(std::move(negative));
  }
  Tensor bos, eos, pad;
};

// What generate() does with a batch: whether a prompt ends in padding is looked at.
void look_for_right_padding(const Tensor& input_ids, const SpecialTokens& special) {
  if (input_ids.size(0) == 1) return;
  Tensor padded = torch::eq(input_ids.select(1, -1), special.pad);
  padded = torch::sum(std::move(padded));
  torch::gt(std::move(padded), 0.0);
}

// _prepare_attention_mask_for_generation: ones, unless there is padding among the tokens.
Tensor prepare_attention_mask(const Tensor& input_ids, const SpecialTokens& special) {
  const Tensor default_attention_mask = torch::ones(input_ids.sizes(), DType::int64);
  Tensor found = torch::isin(input_ids, special.pad);
  const Tensor is_pad_token_in_inputs = torch::any(std::move(found));
  Tensor is_pad_token_not_equal_to_eos_token_id;
  {
    Tensor equal = torch::isin(special.eos.view({1}), special.pad);
    equal = torch::any(std::move(equal));
    is_pad_token_not_equal_to_eos_token_id = torch::bitwise_not(std::move(equal));
  }
  const Tensor can_infer = torch::mul(is_pad_token_in_inputs, is_pad_token_not_equal_to_eos_token_id);
  Tensor from_padding = torch::ne(input_ids, special.pad);
  from_padding = torch::to(from_padding, DType::int64);
  Tensor inferred = torch::mul(from_padding, can_infer);
  Tensor otherwise = torch::bitwise_not(can_infer);
  otherwise = torch::mul(default_attention_mask, otherwise);
  return torch::add(std::move(inferred), std::move(otherwise));
}

// The locals of _sample() and what its dicts hold from one token to the next. Of views their base is held.
struct Sampling {
  Tensor input_ids, attention_mask, cache_position, unfinished_sequences;
  // model_inputs of the last forward
  Tensor given_ids, given_mask, position_ids;
  Tensor next_token_logits, next_token_scores, next_tokens, this_peer_finished;

  std::vector<const Tensor*> same() const {
    return {&cache_position,    &unfinished_sequences, &next_token_logits,
            &next_token_scores, &next_tokens,          &this_peer_finished};
  }
  std::vector<Tensor*> growing() { return {&input_ids, &attention_mask, &given_ids, &given_mask, &position_ids}; }
};

// prepare_inputs_for_generation() for the last `tokens` tokens.
void prepare_inputs(Sampling& s, int64_t tokens, OcrInputs& inputs) {
  FunctionScope scope("prepare_inputs");
  Tensor position_ids = torch::cumsum(s.attention_mask, -1, DType::int64);
  position_ids = torch::sub(position_ids, 1);
  Tensor masked = torch::eq(s.attention_mask, 0.0);
  torch::masked_fill_(position_ids, std::move(masked));
  torch::arange(tokens, DType::int64);  // cache_position, which the model does not take
  s.position_ids = position_ids;
  s.given_ids = s.input_ids;
  s.given_mask = s.attention_mask;
  const int64_t all = s.input_ids.size(1);
  inputs.input_ids = s.input_ids.slice(1, all - tokens, all);
  inputs.position_ids = s.position_ids.slice(1, all - tokens, all);
  inputs.attention_mask = s.attention_mask;
}

// _update_model_kwargs_for_generation()
void update_model_kwargs(Sampling& s) {
  Tensor one = torch::new_ones(s.attention_mask, {s.attention_mask.size(0), 1});
  s.attention_mask = torch::cat({s.attention_mask, std::move(one)}, -1);
  s.cache_position = torch::add(s.cache_position.slice(0, -1, s.cache_position.size(0)), 1);
}

// NoRepeatNGramLogitsProcessor, which bans nothing here.
Tensor no_repeat_ngram(const Tensor& scores) {
  Tensor scores_processed = torch::clone(scores);
  for (int64_t i = 0; i < scores.size(0); ++i) {
    Tensor banned = torch::to_device(Tracer::current().host({0}, DType::int64), DType::int64);
    torch::index_fill_(scores_processed.select(0, i), std::move(banned));
  }
  return scores_processed;
}

// The longest length, and the end of the sequence.
Tensor stopping_criteria(const Tensor& input_ids, const SpecialTokens& special) {
  Tensor is_done = torch::full({input_ids.size(0)}, DType::boolean);
  {
    Tensor too_long = torch::full({input_ids.size(0)}, DType::boolean);
    is_done = torch::bitwise_or(is_done, std::move(too_long));
  }
  Tensor ended = torch::isin(input_ids.select(1, -1), special.eos.view({1}));
  is_done = torch::bitwise_or(is_done, std::move(ended));
  return is_done;
}

// From logits to the next token, and whether it is the last.
void choose_token(Sampling& s, const SpecialTokens& special, Tensor logits) {
  FunctionScope scope("sampling");
  update_model_kwargs(s);
  s.next_token_logits = torch::clone(logits).select(1, -1);
  s.next_token_scores = no_repeat_ngram(s.next_token_logits);
  s.next_tokens = torch::argmax(s.next_token_scores);
  {
    Tensor unfinished = torch::mul(s.next_tokens, s.unfinished_sequences);
    Tensor finished = torch::rsub(s.unfinished_sequences, 1);
    finished = torch::mul(special.pad, finished);
    s.next_tokens = torch::add(std::move(unfinished), std::move(finished));
  }
  s.input_ids = torch::cat({s.input_ids, s.next_tokens.unsqueeze(1)}, -1);
  torch::to_host(s.next_tokens);  // to the streamer
  Tensor unfinished = stopping_criteria(s.input_ids, special);
  unfinished = torch::bitwise_not(unfinished);
  s.unfinished_sequences = torch::bitwise_and(s.unfinished_sequences, std::move(unfinished));
  Tensor most = torch::max(s.unfinished_sequences);
  s.this_peer_finished = torch::eq(std::move(most), 0.0);
}

}  // namespace

void infer(const DeepseekOCRForCausalLM& model, const GenerateInputs& in) {
  Tracer& tracer = Tracer::current();
  const int64_t tokens = in.context_tokens();
  const Tensor prompt = tracer.input({in.batch, tokens}, DType::int64);
  DynamicCache cache;
  OcrInputs inputs = page_inputs(model, in, cache);
  const SpecialTokens special;
  look_for_right_padding(prompt, special);
  const Tensor first_mask = prepare_attention_mask(prompt, special);
  torch::to_host(prompt);  // to the streamer

  Sampling s;
  s.input_ids = prompt;
  s.attention_mask = first_mask;
  s.unfinished_sequences = torch::ones({in.batch}, DType::int64);
  s.cache_position = torch::ones_like(prompt.select(0, 0));
  s.cache_position = torch::cumsum(s.cache_position, 0, DType::int64);
  s.cache_position = torch::sub(s.cache_position, 1);
  const auto step = [&](int64_t new_tokens) {
    prepare_inputs(s, new_tokens, inputs);
    Tensor logits = model(inputs);
    inputs.input_ids = inputs.position_ids = inputs.attention_mask = Tensor();  // `s` holds what they are views of
    choose_token(s, special, std::move(logits));
  };
  {
    FunctionScope scope("prefill");
    step(tokens);
  }
  inputs.tokens_per_expert = tokens_per_expert(model, in, 1);
  FunctionScope scope("decode");
  LoopState state{s.same(), s.growing()};
  for (Tensor& keys : cache.key_cache) state.growing.push_back(&keys);
  for (Tensor& values : cache.value_cache) state.growing.push_back(&values);
  repeat_steadily(in.decode_steps, state, [&](int64_t) { step(1); });
}

}  // namespace modelmeter::deepseek_ocr::remote
