// The stages of a Wan pipeline: text encoder, image encoder, autoencoder, denoising. What a stage runs is a code base's
// twin with its inputs.
#pragma once

#include <string>
#include <utility>

#include "model/analytic_model.h"
#include "model/wan/code_base.h"

namespace modelmeter::wan {

class WanStage : public Stage {
 public:
  // forwards: of the model in one run.
  WanStage(Role role, std::string id, BoundModel model, int64_t forwards);

  Role role() const { return role_; }
  const BaseLayer& layer() const override { return *model_.layer; }
  const std::shared_ptr<const BaseLayer>& shared_layer() const { return model_.layer; }
  int64_t forwards() const override { return forwards_; }
  void forward(Tracer& tracer) const override { model_.forward(tracer); }

 private:
  Role role_;
  BoundModel model_;
  int64_t forwards_;
};

// Around the models: from the prompt to the decoded video, without what the models do. It has no parameters.
class SamplingStage : public WanStage {
 public:
  SamplingStage(const CodeBase& code_base, const SamplingOptions& options);

  // Bytes that are held while a stage runs where this one calls its model, the model's inputs among them; 0 where it
  // calls none.
  int64_t held_while(const Stage& running) const;

 private:
  std::vector<std::pair<std::string_view, int64_t>> held_;  // by the stage that traces the model
};

}  // namespace modelmeter::wan
