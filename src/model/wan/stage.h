// The stages of a Wan pipeline: text encoder, image encoder, autoencoder, denoising. What a stage runs is a code base's
// twin, on the inputs that the numbers of a run give it.
#pragma once

#include <functional>
#include <string>
#include <utility>
#include <variant>
#include <vector>

#include "model/analytic_model.h"
#include "model/wan/code_base.h"

namespace modelmeter::wan {

// The numbers of a run that a forward follows from (Stage::depends_on).
std::vector<Dependence> dependences(Role role, const CodeBase& code_base, const Shape& patch_size, bool tiling);

// What a stage's model and its inputs are made of, for stages of equal ones are alike.
struct StageOrigin {                    // NOLINT(bugprone-exception-escape): what it holds is moved without
  const CodeBase* code_base = nullptr;  // null: not known
  std::variant<TextEncoderOptions, ImageEncoderOptions, TransformerOptions, AutoencoderOptions, SamplingOptions>
      options;
  // Of the transformer (Wan2_1Model::with_shortcuts).
  StepCache step_cache = StepCache::off;
  double attention_density = 1;
  bool cfg = true;
  bool operator==(const StageOrigin&) const = default;
};

struct WanStageOptions {
  Role role;
  std::string id;
  std::vector<Dependence> depends_on = {};
  std::function<int64_t(const RunSizes&)> forwards = {};  // of the model in one run; none: one
  std::function<Offload(Residency)> offload = {};         // of its weights; none: they are there
  StageOrigin origin = {};
};

class WanStage : public Stage {
 public:
  WanStage(WanStageOptions options, BoundModel model, const RunSizes& run);

  Role role() const { return options_.role; }
  const BaseLayer& layer() const override { return *model_.layer; }
  const std::shared_ptr<const BaseLayer>& shared_layer() const { return model_.layer; }
  std::vector<Dependence> depends_on() const override { return options_.depends_on; }
  using Stage::forwards;
  int64_t forwards(const RunValues& run) const override;
  Offload offload(const RunValues& run) const override;
  std::shared_ptr<const StageIdentity> identity() const override;
  void forward(Tracer& tracer, const RunValues& run) const override { model_.forward(tracer, RunSizes::of(run)); }

 private:
  WanStageOptions options_;
  BoundModel model_;
};

// Around the models: from the prompt to the decoded video, without what the models do. It has no parameters.
class SamplingStage : public WanStage {
 public:
  SamplingStage(const CodeBase& code_base, const SamplingOptions& options, const RunSizes& run);

  bool is_around_models() const override { return true; }
  std::vector<Held> held_at_calls(const Trace& trace) const override;
  // Bytes that are held while a stage runs where this one calls its model, the model's inputs among them, in the
  // configuration's run; 0 where it calls none.
  int64_t held_while(const Stage& running) const;

 private:
  std::vector<Held> held_;  // the most of all calls, by the stage that traces the model
};

}  // namespace modelmeter::wan
