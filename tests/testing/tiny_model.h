// A model small enough to work out by hand: what reports, pages and rankings say of it is written down in their tests.
//
// Stage core/net, five times in a run, on x [3, 4] of float32: x times a vector; three blocks, each up 4 -> 8, SiLU,
// down 8 -> 4, plus x; a head 4 -> 2 without bias. Stage tail/out, once, on [3, 2]: a Linear 2 -> 2.
//
//   kernel   times a forward   tensor FLOPs       vector FLOPs   bytes read            written
//   mul                    1                      3 x 4 = 12     48 + 16 = 64               48
//   addmm up               3   2 x 3 x 4 x 8=192  3 x 8 = 24     48 + 128 + 32 = 208        96
//   silu                   3                      4 x 24 = 96    96                         96
//   addmm down             3   2 x 3 x 8 x 4=192  3 x 4 = 12     96 + 128 + 16 = 240        48
//   add                    3                      3 x 4 = 12     48 + 48 = 96               48
//   mm                     1   2 x 3 x 4 x 2=48                  48 + 32 = 80               24
//   addmm out           once   2 x 3 x 2 x 2=24   3 x 2 = 6      24 + 16 + 8 = 48           24
//
// Parameters: 4 + 3 x (40 + 36) + 8 = 240, and 6.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include "layer/activation.h"
#include "layer/linear.h"
#include "model/analytic_model.h"
#include "recording/recording.h"
#include "trace/repeat.h"

namespace modelmeter::testing_models {

class TinyBlock : public Module<TinyBlock> {
 public:
  explicit TinyBlock(const BuildContext& context) : Module("TinyBlock"), up_(context, {4, 8}), down_(context, {8, 4}) {
    describe("hidden", int64_t{8});
    register_module("up", up_);
    register_module("act", act_);
    register_module("down", down_);
  }
  Tensor forward(Tensor x) const {
    Tensor h = up_(x);
    h = act_(h);
    h = down_(h);
    return torch::add(std::move(h), x);
  }

 private:
  Linear up_;
  SiLU act_;
  Linear down_;
};

class TinyNet : public Module<TinyNet> {
 public:
  explicit TinyNet(const BuildContext& context) : Module("TinyNet"), block_(context), head_(context, {4, 2, false}) {
    register_parameter("scale", {4}, context);
    register_module_list("blocks", block_, 3);
    register_module("head", head_);
  }
  Tensor forward(Tensor x) const {
    {
      const FunctionScope scope("scaled");
      x = torch::mul(std::move(x), parameter(0));
    }
    x = repeat(3, std::move(x), [&](int64_t i, const Tensor& state) { return block_.call_as(i, state); });
    return head_(x);
  }

 private:
  TinyBlock block_;
  Linear head_;
};

template <class Net>
class TinyStage : public Stage {
 public:
  template <class... Args>
  TinyStage(std::string id, std::string stage, int64_t forwards, Shape input, const Args&... args)
      : Stage(std::move(id), std::move(stage), {}), net_(BuildContext{}, args...), forwards_(forwards), input_(input) {}
  using Stage::forwards;
  const BaseLayer& layer() const override { return net_; }
  std::vector<Dependence> depends_on() const override { return {}; }
  int64_t forwards(const RunValues&) const override { return forwards_; }
  void forward(Tracer& tracer, const RunValues&) const override { net_(tracer.input(input_, DType::float32)); }

 private:
  Net net_;
  int64_t forwards_;
  Shape input_;
};

class TinyModel : public AnalyticModel {
 public:
  TinyModel() {
    stages_.push_back(std::make_unique<TinyStage<TinyNet>>("core/net", "diffusion", 5, Shape{3, 4}));
    stages_.push_back(std::make_unique<TinyStage<Linear>>("tail/out", "vae", 1, Shape{3, 2}, LinearOptions{2, 2}));
  }
  explicit TinyModel(std::unique_ptr<Stage> only) { stages_.push_back(std::move(only)); }
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::string family() const override { return "tiny"; }
  std::string class_name() const override { return "TinyModel"; }
  std::string profile_id() const override { return "by-hand"; }
  Fields model_fields() const override { return {{"model_id", std::string("test/tiny")}, {"layers", int64_t{3}}}; }
  Fields workload_fields() const override { return {{"tokens", int64_t{3}}, {"scale", 0.5}}; }
  Fields runtime_fields() const override { return {{"dtype", std::string("float32")}, {"cfg", false}}; }
  std::vector<std::string> notes() const override { return {"first note", "second note"}; }
  std::vector<OperatorCategory> categories() const override {
    return {{"mlp", "MLP", "the products of a block", {"Linear"}, {"TinyBlock"}},
            {"linear", "Linear", "other products", {"Linear"}, {}},
            {"activation", "Activations", "SiLU", {"SiLU", "scaled"}, {}},
            {"other", "Other", "the rest", {}, {}}};
  }
  ReportNames names() const override {
    ReportNames out;
    out.class_prefix = "tiny.nets.";
    out.modules = {{"blocks[]", "block"}, {"up", "mlp/up"}, {"down", "mlp/down"}};
    out.own = {{"TinyBlock", "residual"}};
    out.descriptions = {{"TinyBlock", "Up, SiLU and down beside a residual."}, {"scaled", "x times a vector."}};
    return out;
  }
  void describe(const Stage&, Recording&) const override {}

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
};

}  // namespace modelmeter::testing_models
