// A layer, a stage and a model of one's own, through the same report as the models that come with modelmeter: FLOPs,
// bytes, memory, and the time on a device of configs/device.
//
//   my_model [DEVICE]
#include <cstdio>
#include <exception>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "api/data_root.h"
#include "hardware/catalog.h"
#include "layer/activation.h"
#include "layer/linear.h"
#include "model/analytic_model.h"
#include "report/builder.h"
#include "report/json.h"
#include "report/summary.h"
#include "timing/machine.h"
#include "trace/repeat.h"

namespace {

using namespace modelmeter;

// class GatedMlp(nn.Module): down(silu(gate(x)) * up(x))
class GatedMlp : public Module<GatedMlp> {
 public:
  GatedMlp(const BuildContext& context, int64_t dim, int64_t hidden)
      : Module("GatedMlp"),
        gate_(context, {dim, hidden, false}),
        up_(context, {dim, hidden, false}),
        down_(context, {hidden, dim, false}) {
    describe("hidden", hidden);
    register_module("gate", gate_);
    register_module("up", up_);
    register_module("act", act_);
    register_module("down", down_);
  }
  Tensor forward(Tensor x) const {
    Tensor h = gate_(x);
    h = act_(h);
    h = torch::mul(std::move(h), up_(x));
    return down_(h);
  }

 private:
  Linear gate_, up_;
  SiLU act_;
  Linear down_;
};

constexpr int64_t dim = 4096, hidden = 11008, depth = 32;

class Net : public Module<Net> {
 public:
  explicit Net(const BuildContext& context) : Module("Net"), block_(context, dim, hidden) {
    register_module_list("layers", block_, depth);
  }
  Tensor forward(Tensor x) const {
    return repeat(depth, std::move(x), [&](int64_t i, const Tensor& state) { return block_.call_as(i, state); });
  }

 private:
  GatedMlp block_;
};

// The net on so many tokens, 10 times in a run.
class NetStage : public Stage {
 public:
  explicit NetStage(int64_t tokens) : Stage("prefill/net", "prefill", {}), net_({DType::bfloat16}), tokens_(tokens) {}
  using Stage::forwards;
  const BaseLayer& layer() const override { return net_; }
  std::vector<Dependence> depends_on() const override { return {}; }
  int64_t forwards(const RunValues&) const override { return 10; }
  void forward(Tracer& tracer, const RunValues&) const override {
    net_(tracer.input({1, tokens_, dim}, DType::bfloat16));
  }

 private:
  Net net_;
  int64_t tokens_;
};

class MyModel : public AnalyticModel {
 public:
  explicit MyModel(int64_t tokens) : tokens_(tokens) { stages_.push_back(std::make_unique<NetStage>(tokens)); }
  const std::vector<std::unique_ptr<Stage>>& stages() const override { return stages_; }
  std::string family() const override { return "mine"; }
  std::string class_name() const override { return "MyModel"; }
  std::string profile_id() const override { return "tokens-" + std::to_string(tokens_); }
  Fields model_fields() const override { return {{"model_id", std::string("mine")}, {"num_layers", depth}}; }
  Fields workload_fields() const override { return {{"tokens", tokens_}}; }
  Fields runtime_fields() const override { return {{"precision", std::string("bf16")}}; }
  std::vector<std::string> notes() const override { return {}; }
  std::vector<OperatorCategory> categories() const override {
    return {{"mlp_proj", "MLP", "Products of the MLP", {"Linear"}, {}}, {"other", "Other", "The rest", {}, {}}};
  }
  ReportNames names() const override {
    ReportNames out;
    out.class_prefix = "mine.";
    out.modules = {{"layers[]", "layer"}};
    return out;
  }
  void describe(const Stage&, Recording&) const override {}

 private:
  std::vector<std::unique_ptr<Stage>> stages_;
  int64_t tokens_;
};

int run(const std::vector<std::string>& arguments) {
  const MyModel model(2048);

  // The forerunner's contract, of one layer.
  const GatedMlp mlp({DType::bfloat16}, dim, hidden);
  const std::vector<TensorSpec> x = {{{1, 2048, dim}, DType::bfloat16}};
  std::printf("one GatedMlp: %s FLOP, %s bytes\n", to_string(mlp.forward_tensor_core_flops(x)).c_str(),
              to_string(mlp.forward_cal_io(x)).c_str());

  std::optional<Machine> machine;
  if (!arguments.empty()) {
    const config::Repository configs(find_data_root() + "/configs");
    machine.emplace(load_device(configs, arguments[0]), load_kernel_stack(configs, "torch_2_11"),
                    load_host(configs, "virtual_16_cores"));
  }
  const Report report = build_report(model, evaluate(model), "mine", {}, machine ? &*machine : nullptr);
  std::printf("%s\n", summary_markdown(report).c_str());
  return report_from_json(to_json(report), "mine").totals == report.totals ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  try {
    return run({argv + 1, argv + argc});
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
