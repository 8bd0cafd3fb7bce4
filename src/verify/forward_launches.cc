#include "verify/forward_launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <map>

#include "base/error.h"
#include "config/compose.h"
#include "model/recordings/model.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

// The ops of a stage in the order in which they run, repetitions written out.
class ExecutionOrder {
 public:
  ExecutionOrder(const Trace& trace, int32_t stage) : trace_(trace), writing_(trace.scopes.size(), false) {
    size_t first = 0, end = trace.ops.size();
    while (first < end && !trace.is_within(trace.ops[first].scope, stage)) ++first;
    while (end > first && !trace.is_within(trace.ops[end - 1].scope, stage)) --end;
    emit(first, end);
  }
  const std::vector<size_t>& ops() const { return out_; }

 private:
  void emit(size_t first, size_t last) {
    for (size_t i = first; i < last;) {
      const int32_t repetition = outermost(trace_.ops[i].scope);
      if (repetition < 0) {
        if (launches(trace_, trace_.ops[i])) out_.push_back(i);
        ++i;
        continue;
      }
      size_t end = i;
      while (end < last && outermost(trace_.ops[end].scope) == repetition) ++end;
      const auto at = static_cast<size_t>(repetition);
      writing_[at] = true;
      for (int64_t k = 0; k < trace_.scopes[at].count; ++k) emit(i, end);
      writing_[at] = false;
      i = end;
    }
  }
  int32_t outermost(int32_t scope) const {
    int32_t found = -1;
    for (; scope >= 0; scope = trace_.scopes[static_cast<size_t>(scope)].parent) {
      const auto at = static_cast<size_t>(scope);
      if (trace_.scopes[at].count > 1 && !writing_[at]) found = scope;
    }
    return found;
  }

  const Trace& trace_;
  std::vector<bool> writing_;
  std::vector<size_t> out_;
};

constexpr size_t window = 24;  // how far a launch that one side lacks is looked past

}  // namespace

int32_t scope_of_stage(const Trace& trace, const std::string& stage) {
  for (const Residence& r : trace.residences) {
    if (trace.scopes[static_cast<size_t>(r.scope)].name == stage) return r.scope;
  }
  return -1;
}

namespace {

// How often execution_order() has a scope's ops: each of its repetitions, in each of those around it.
size_t times_written(const Trace& trace, int32_t scope) {
  size_t out = 1;
  for (; scope >= 0; scope = trace.scopes[static_cast<size_t>(scope)].parent) {
    out *= static_cast<size_t>(std::max<int64_t>(1, trace.scopes[static_cast<size_t>(scope)].count));
  }
  return out;
}

// "blocks.7" is "blocks".
std::string without_number(const std::string& path) {
  const size_t dot = path.rfind('.');
  const bool numbered = dot != std::string::npos && path.find_first_not_of("0123456789", dot + 1) == std::string::npos;
  return numbered ? path.substr(0, dot) : path;
}

// Of a list's modules ("blocks") the one that stands for most.
int32_t module_scope(const Trace& trace, int32_t stage, const KnownForward& known) {
  int32_t found = -1;
  for (size_t i = 0; i < trace.scopes.size(); ++i) {
    const auto scope = static_cast<int32_t>(i);
    const bool named = trace.is_within(scope, stage) && trace.scopes[i].kind == ScopeKind::module &&
                       without_number(trace.path(scope)) == known.module;
    if (named && (found < 0 || times_written(trace, scope) > times_written(trace, found))) found = scope;
  }
  if (found < 0) throw Error(fmt::format("{} has no module {}", known.config_name, known.module));
  return found;
}

// Of one of several that run one after another.
StageTime one_of(StageTime time, double repeats) {
  PartTime& part = time.part;
  for (double* figure : {&part.device, &part.light, &part.joules, &part.variance, &time.host, &time.wall, &time.low,
                         &time.high, &time.joules, &time.launches, &time.flops, &time.copies, &time.moves}) {
    *figure /= repeats;
  }
  for (double& bound : part.by_bound) bound /= repeats;
  return time;
}

// So many forwards one after another, or as often one of its modules alone, on a device that they hold back together.
RunTime repeated_time(const Evaluation& run, const KnownForward& known, int32_t stage, const Machine& machine) {
  const Trace& trace = run.trace();
  std::vector<int64_t> executions = run.rollup().executions;
  const int32_t module = known.module.empty() ? -1 : module_scope(trace, stage, known);
  const int64_t times = module < 0 ? 1 : std::max<int64_t>(1, executions[static_cast<size_t>(module)]);
  for (size_t i = 0; i < executions.size(); ++i) {
    const bool within = module < 0 || trace.is_within(static_cast<int32_t>(i), module);
    executions[i] = within ? executions[i] / times * known.repeats : 0;
  }
  RunTime out = time_run(trace, executions, machine);
  for (StageTime& time : out.stages) time = one_of(time, static_cast<double>(known.repeats));
  return out;
}

}  // namespace

TimedForward timed_forward(const KnownForward& known, const Machine& machine, const ValidationContext& context,
                           bool whole) {
  const config::Node configuration =
      config::resolve(config::compose(context.repository, known.config_name, known.overrides));
  std::unique_ptr<AnalyticModel> model = build_model(config::View(configuration), context.files);
  Evaluation run = whole ? evaluate(*model) : evaluate_forward(*model);
  TimedForward out{std::move(model), std::move(run), {}, 0};
  out.time = time_run(out.run, machine);
  for (size_t i = 0; i < out.time.stages.size(); ++i) {
    if (out.time.stages[i].stage == known.stage) out.stage = i;
  }
  if (known.repeats > 1 || !known.module.empty()) {
    const int32_t stage = std::max(0, scope_of_stage(out.run.trace(), out.time.stages[out.stage].stage));
    out.time = repeated_time(out.run, known, stage, machine);
  }
  return out;
}

std::vector<size_t> execution_order(const Trace& trace, int32_t scope) { return ExecutionOrder(trace, scope).ops(); }

bool is_of_all_stages(const TimedForward& ours, const KnownForward& known) {
  return known.stage.empty() && ours.model->family() == recordings::family_name;
}

std::vector<size_t> launches_of(const TimedForward& ours, const KnownForward& known) {
  const Trace& trace = ours.run.trace();
  if (is_of_all_stages(ours, known)) return execution_order(trace, 0);
  const int32_t stage = std::max(0, scope_of_stage(trace, ours.time.stages[ours.stage].stage));
  if (known.module.empty()) return execution_order(trace, stage);
  const int32_t module = module_scope(trace, stage, known);
  std::vector<size_t> out = execution_order(trace, module);
  out.resize(out.size() / times_written(trace, module));
  return out;
}

std::string plain_op(const std::string& op) {
  struct Start {
    const char *start, *plain;
  };
  static constexpr std::array<Start, 16> starts = {{{"_flash_attention_forward", "(attention)"},
                                                    {"_cudnn_attention_forward", "(attention)"},
                                                    {"_efficient_attention_forward", "(attention)"},
                                                    {"_scaled_dot_product_flash_attention", "(attention)"},
                                                    {"_scaled_dot_product_cudnn_attention", "(attention)"},
                                                    {"_scaled_dot_product_efficient_attention", "(attention)"},
                                                    {"cudnn_convolution", "(conv)"},
                                                    {"miopen_convolution", "(conv)"},
                                                    {"convolution_overrideable", "(conv)"},
                                                    {"_conv_depthwise2d", "(conv)"},
                                                    {"conv_depthwise3d", "(conv)"},
                                                    {"triton_poi_fused", "triton_poi_fused"},
                                                    {"triton_red_fused", "triton_red_fused"},
                                                    {"triton_per_fused", "triton_red_fused"},  // a row at once
                                                    {"index_select", "gather"},                // what embedding runs
                                                    {"_addmm_activation", "addmm"}}};
  for (const Start& s : starts) {
    if (op.rfind(s.start, 0) == 0 && op.find("backward") == std::string::npos) return s.plain;
  }
  const bool attends = op.find("attention") != std::string::npos && op.find("backward") != std::string::npos;
  return attends ? "(attention backward)" : op;
}

std::string profiled_name(const Trace& trace, const Op& op) {
  if (!is_recorded(op.kernel)) return profiled_name(op.kernel);
  const std::string name = trace.short_kernel_name(op);
  if (name == "select_backward" || name == "slice_backward") return "fill_";  // and a copy
  return name == "relu_" || name == "relu" ? "clamp_min_" : name;
}

std::string profiled_name(Kernel kernel) {
  switch (kernel) {
    case Kernel::to_copy:
    case Kernel::clone:
    case Kernel::copy_: return "copy_";
    case Kernel::zeros:
    case Kernel::zeros_like:
    case Kernel::new_zeros:
    case Kernel::new_ones:
    case Kernel::ones:
    case Kernel::ones_like:
    case Kernel::full:
    case Kernel::full_like:
    case Kernel::scalar_tensor:
    case Kernel::zero_:
    case Kernel::fill_: return "fill_";
    case Kernel::stack: return "cat";
    case Kernel::convolution: return "cudnn_convolution";
    case Kernel::embedding: return "gather";
    case Kernel::sdpa_flash: return "_cudnn_attention_forward";
    case Kernel::sdpa_efficient: return "_efficient_attention_forward";
    case Kernel::silu_: return "silu";
    default: return std::string(info(kernel).name);
  }
}

std::string family_of(Kernel kernel) {
  switch (info(kernel).kind) {
    case OpKind::matmul: return "(matmul)";
    case OpKind::attention: return "(attention)";
    case OpKind::conv: return "(conv)";
    case OpKind::softmax: return "(softmax)";
    case OpKind::norm: return "(norm)";
    case OpKind::reduction:
      switch (kernel) {
        case Kernel::mean:
        case Kernel::sum:
        case Kernel::amax:
        case Kernel::max:
        case Kernel::argmax:
        case Kernel::linalg_vector_norm: return "(reduction)";
        default: return "(memory)";
      }
    default: return "(memory)";
  }
}

std::string family_of(const std::string& kernel_name) {
  struct Part {
    const char *text, *family;
  };
  static constexpr std::array<Part, 18> parts = {{{"flash", "(attention)"},
                                                  {"fmha", "(attention)"},
                                                  {"sdpa", "(attention)"},
                                                  {"attention", "(attention)"},
                                                  {"fprop", "(conv)"},
                                                  {"convolve", "(conv)"},
                                                  {"conv", "(conv)"},
                                                  {"nvjet", "(matmul)"},
                                                  {"gemm", "(matmul)"},
                                                  {"gemv", "(matmul)"},
                                                  {"cutlass", "(matmul)"},
                                                  {"layer_norm", "(norm)"},
                                                  {"rms_norm", "(norm)"},
                                                  {"LayerNorm", "(norm)"},
                                                  {"RMSNorm", "(norm)"},
                                                  {"softmax", "(softmax)"},
                                                  {"SoftMax", "(softmax)"},
                                                  {"reduce_kernel", "(reduction)"}}};
  for (const Part& part : parts) {
    if (kernel_name.find(part.text) != std::string::npos) return part.family;
  }
  return "(memory)";
}

namespace {

LinedUp line_up_ops(const Trace& trace, const std::vector<size_t>& order, const std::vector<MeasuredLaunch>& measured) {
  LinedUp out;
  size_t at = 0;  // in `order`
  std::vector<std::string> names, ours, families;
  for (const MeasuredLaunch& launch : measured) names.push_back(plain_op(launch.op));
  for (const size_t op : order) {
    const Kernel kernel = trace.ops[op].kernel;
    ours.push_back(plain_op(profiled_name(trace, trace.ops[op])));
    families.push_back(family_of(kernel));
  }
  const auto same = [&](size_t i, size_t j) {
    if (i >= order.size() || j >= names.size()) return false;
    return names[j].rfind('(', 0) == 0 ? names[j] == families[i] : names[j] == ours[i];
  };
  for (size_t j = 0; j < measured.size(); ++j) {
    if (at == order.size() && same(0, j)) {
      at = 0;
      ++out.forwards;
    }
    size_t skip = 0;
    while (skip < window && !same(at + skip, j)) ++skip;
    if (skip == window || (skip > 0 && same(at, j + 1))) {
      out.ops.push_back(LinedUp::none);
      continue;
    }
    for (size_t k = 0; k < skip; ++k) out.missing.push_back(order[at + k]);
    at += skip;
    out.ops.push_back(order[at++]);
    ++out.matched;
    out.in_place += skip == 0 ? 1 : 0;
  }
  for (; at < order.size(); ++at) out.missing.push_back(order[at]);
  return out;
}

// What an alignment gains by a match: a kernel of a family that stands out anchors it.
constexpr int32_t memory_gain = 1, family_gain = 4;
constexpr size_t most_cells = size_t{400} << 20;  // B, one each

// The alignment of two lists of names that has most in common, ours repeated as often as there are forwards.
class Alignment {
 public:
  Alignment(const std::vector<size_t>& order, const std::vector<std::string>& ours,
            const std::vector<std::string>& measured, int64_t forwards)
      : order_(order), forwards_(forwards) {
    for (const std::string& name : ours) ours_.push_back(number_of(name));
    for (const std::string& name : measured) measured_.push_back(number_of(name));
    memory_ = number_of("(memory)");
  }

  static bool fits(size_t ours, size_t measured, int64_t forwards, size_t cells) {
    const size_t columns = ours * static_cast<size_t>(forwards);
    return columns > 0 && measured > 0 && measured <= cells / columns;
  }

  LinedUp align() const {
    LinedUp out;
    out.forwards = forwards_;
    out.ops.assign(measured_.size(), LinedUp::none);
    const size_t rows = measured_.size(), columns = order_.size() * static_cast<size_t>(forwards_);
    const std::vector<uint8_t> steps = fill(rows, columns);
    bool gap = false;
    size_t i = rows, j = columns;
    while (i > 0 || j > 0) {
      const uint8_t step = i == 0 ? left : j == 0 ? up : steps[(i - 1) * columns + j - 1];
      if (step == diagonal) {
        --i, --j;
        out.ops[i] = order_[j % order_.size()];
        ++out.matched;
        out.in_place += gap ? 0 : 1;
        gap = false;
      } else if (step == up) {
        --i;
      } else {
        --j;
        out.missing.push_back(order_[j % order_.size()]);
        gap = true;
      }
    }
    return out;
  }

 private:
  static constexpr uint8_t diagonal = 0, up = 1, left = 2;

  int32_t number_of(const std::string& name) {
    return numbers_.emplace(name, static_cast<int32_t>(numbers_.size())).first->second;
  }

  std::vector<uint8_t> fill(size_t rows, size_t columns) const {
    std::vector<uint8_t> steps(rows * columns);
    std::vector<int32_t> last(columns + 1, 0), now(columns + 1, 0);
    for (size_t i = 0; i < rows; ++i) {
      const int32_t gain = measured_[i] == memory_ ? memory_gain : family_gain;
      size_t own = 0;  // of ours, which the columns repeat
      for (size_t j = 0; j < columns; ++j) {
        const int32_t matched = ours_[own] == measured_[i] ? last[j] + gain : -1;
        own = own + 1 == ours_.size() ? 0 : own + 1;
        const uint8_t otherwise = last[j + 1] >= now[j] ? up : left;
        const int32_t best = std::max(last[j + 1], now[j]);
        now[j + 1] = std::max(best, matched);
        steps[i * columns + j] = matched >= best ? diagonal : otherwise;
      }
      std::swap(last, now);
    }
    return steps;
  }

  const std::vector<size_t>& order_;
  std::map<std::string, int32_t> numbers_;
  std::vector<int32_t> ours_, measured_;
  int32_t memory_ = 0;
  int64_t forwards_ = 1;
};

// Kernels without ops: as many forwards of ours as fit best.
LinedUp line_up_families(const Trace& trace, const std::vector<size_t>& order,
                         const std::vector<MeasuredLaunch>& measured) {
  std::vector<std::string> ours, names;
  for (const size_t op : order) ours.push_back(family_of(trace.ops[op].kernel));
  for (const MeasuredLaunch& launch : measured) names.push_back(launch.op);
  const auto anchors = [](const std::vector<std::string>& families) {
    return static_cast<double>(families.size() -
                               static_cast<size_t>(std::count(families.begin(), families.end(), "(memory)")));
  };
  double own = anchors(ours), seen = anchors(names);
  if (own == 0) own = static_cast<double>(ours.size()), seen = static_cast<double>(names.size());
  const int64_t forwards = std::max<int64_t>(1, std::llround(seen / std::max(own, 1.0)));
  if (!Alignment::fits(order.size(), measured.size(), forwards, most_cells)) {
    LinedUp out;
    out.forwards = forwards;
    out.ops.assign(measured.size(), LinedUp::none);
    out.missing = order;
    return out;
  }
  return Alignment(order, ours, names, forwards).align();
}

// Where one side lacks some that others look like, going through both can lose its way: then by the best alignment.
LinedUp line_up_named(const Trace& trace, const std::vector<size_t>& order,
                      const std::vector<MeasuredLaunch>& measured) {
  constexpr size_t quick_cells = size_t{64} << 20;
  LinedUp through = line_up_ops(trace, order, measured);
  const bool all = through.matched == static_cast<int64_t>(measured.size());
  const double share = static_cast<double>(measured.size()) / static_cast<double>(std::max<size_t>(1, order.size()));
  const int64_t forwards = std::max<int64_t>(1, std::llround(share));
  if (all || !Alignment::fits(order.size(), measured.size(), forwards, quick_cells)) return through;
  std::vector<std::string> ours, names;
  for (const size_t op : order) ours.push_back(plain_op(profiled_name(trace, trace.ops[op])));
  for (const MeasuredLaunch& launch : measured) names.push_back(plain_op(launch.op));
  LinedUp best = Alignment(order, ours, names, forwards).align();
  return best.matched > through.matched ? best : through;
}

}  // namespace

LinedUp line_up(const Trace& trace, const std::vector<size_t>& order, const std::vector<MeasuredLaunch>& measured) {
  const bool kernels_only =
      std::all_of(measured.begin(), measured.end(), [](const MeasuredLaunch& l) { return l.op.rfind('(', 0) == 0; });
  return kernels_only ? line_up_families(trace, order, measured) : line_up_named(trace, order, measured);
}

}  // namespace modelmeter
