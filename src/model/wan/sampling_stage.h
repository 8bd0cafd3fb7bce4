// The stage around the models: from the prompt to the decoded video, without what the models do. It has no parameters.
#pragma once

#include <functional>
#include <memory>

#include "model/analytic_model.h"
#include "model/wan/dit_stage.h"
#include "model/wan/sampling.h"

namespace modelmeter::wan {

class SamplingStage : public Stage {
 public:
  SamplingStage(Implementation implementation, const SamplingOptions& options);

  const BaseLayer& layer() const override { return *layer_; }
  int64_t forwards() const override;  // official: one for each video
  void forward(Tracer& tracer) const override;
  RecordedInputs recorded_inputs() const override;

  // Bytes that are held while a stage runs where this one calls its model, the model's inputs among them; 0 where it
  // calls none.
  int64_t held_while(const Stage& running) const;

 private:
  Implementation implementation_;
  SamplingOptions options_;
  std::unique_ptr<BaseLayer> layer_;
  std::function<void()> run_;
  std::vector<std::pair<std::string_view, int64_t>> held_;  // by the stage that traces the model
};

}  // namespace modelmeter::wan
