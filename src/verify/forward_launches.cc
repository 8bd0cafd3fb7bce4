#include "verify/forward_launches.h"

#include <fmt/format.h>

#include <algorithm>
#include <array>
#include <cmath>

#include "config/compose.h"
#include "model/registry.h"

namespace modelmeter {
namespace {

bool starts_with(const std::string& text, const std::string& start) { return text.rfind(start, 0) == 0; }

// "480p33" is 33 frames of 480 x 832, "720p16" 16 of 720 x 1280, "512p" 16 of 512 x 512, "ci-tiny" 4 of 256 x 256.
std::vector<std::string> workload_overrides(const std::string& workload) {
  struct Size {
    const char *name, *height, *width, *frames;
  };
  static constexpr Size sizes[] = {{"ci-tiny", "256", "256", "4"}, {"512p", "512", "512", "16"}};
  for (const Size& s : sizes) {
    if (workload == s.name) {
      std::vector<std::string> out = {fmt::format("workload.height={}", s.height),
                                      fmt::format("workload.width={}", s.width),
                                      fmt::format("workload.num_frames={}", s.frames)};
      if (workload == "ci-tiny") out.emplace_back("workload.text_len=64");
      return out;
    }
  }
  const size_t p = workload.find('p');
  if (p == std::string::npos || p + 1 == workload.size()) return {};
  const std::string frames = workload.substr(p + 1);
  if (frames.find_first_not_of("0123456789") != std::string::npos) return {};
  const bool large = starts_with(workload, "720p");
  if (!large && !starts_with(workload, "480p")) return {};
  return {fmt::format("workload.height={}", large ? 720 : 480), fmt::format("workload.width={}", large ? 1280 : 832),
          "workload.num_frames=" + frames};
}

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

std::optional<KnownForward> known_forward(const std::string& name) {
  struct Start {
    const char *start, *config_name, *stage, *group;
  };
  static constexpr Start starts[] = {
      {"t2v-1.3b-official-", "wan2_1_t2v_1_3b", "diffusion/dit", "DiT"},
      {"t2v-14b-official-", "wan2_1_t2v_14b", "diffusion/dit", "DiT"},
      {"t2v-1.3b-diffusers-", "wan2_1_t2v_1_3b", "diffusion/dit", "DiT"},
      {"t2v-14b-diffusers-", "wan2_1_t2v_14b", "diffusion/dit", "DiT"},
      {"vae2.1-official-decode-", "wan2_1_t2v_14b_pipeline", "vae/decode", "VAE"},
      {"vae2.1-official-encode-", "wan2_1_i2v_14b_480p_pipeline", "vae/encode", "VAE"},
  };
  for (const Start& s : starts) {
    if (!starts_with(name, s.start)) continue;
    KnownForward out{s.config_name, s.stage, s.group, workload_overrides(name.substr(std::string(s.start).size()))};
    if (out.overrides.empty()) return std::nullopt;
    if (name.find("-diffusers-") != std::string::npos) out.overrides.emplace_back("runtime=diffusers");
    return out;
  }
  if (name == "umt5-official-512") return KnownForward{"wan2_1_t2v_14b_pipeline", "text_encoder/umt5", "encoder", {}};
  if (name == "clip-official") return KnownForward{"wan2_1_i2v_14b_480p_pipeline", "image_encoder/clip", "encoder", {}};
  return std::nullopt;
}

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
  return out;
}

int32_t scope_of_stage(const Trace& trace, const std::string& stage) {
  for (const Residence& r : trace.residences) {
    if (trace.scopes[static_cast<size_t>(r.scope)].name == stage) return r.scope;
  }
  return -1;
}

std::vector<size_t> execution_order(const Trace& trace, int32_t scope) { return ExecutionOrder(trace, scope).ops(); }

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
  const auto same = [&](size_t i, size_t j) {
    if (i >= order.size() || j >= measured.size()) return false;
    const Kernel kernel = trace.ops[order[i]].kernel;
    const std::string& op = measured[j].op;
    return op == (op.rfind('(', 0) == 0 ? family_of(kernel) : profiled_name(kernel));
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

// Kernels without ops, as many forwards of ours as fit best.
class Alignment {
 public:
  Alignment(const Trace& trace, const std::vector<size_t>& order, const std::vector<MeasuredLaunch>& measured)
      : order_(order), measured_(measured) {
    for (const size_t op : order) ours_.push_back(family_of(trace.ops[op].kernel));
    const auto anchors = [](const std::string& family) { return family != "(memory)" ? 1.0 : 0.0; };
    double own = 0, seen = 0;
    for (const std::string& family : ours_) own += anchors(family);
    for (const MeasuredLaunch& launch : measured) seen += anchors(launch.op);
    if (own == 0) own = static_cast<double>(ours_.size()), seen = static_cast<double>(measured.size());
    forwards_ = std::max<int64_t>(1, std::llround(seen / std::max(own, 1.0)));
  }

  LinedUp align() {
    LinedUp out;
    out.forwards = forwards_;
    out.ops.assign(measured_.size(), LinedUp::none);
    const size_t rows = measured_.size(), columns = order_.size() * static_cast<size_t>(forwards_);
    if (rows == 0 || columns == 0 || rows > most_cells / columns) {
      out.missing = order_;
      return out;
    }
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

  std::vector<uint8_t> fill(size_t rows, size_t columns) const {
    std::vector<uint8_t> steps(rows * columns);
    std::vector<int32_t> last(columns + 1, 0), now(columns + 1, 0);
    for (size_t i = 0; i < rows; ++i) {
      const std::string& family = measured_[i].op;
      const int32_t gain = family == "(memory)" ? memory_gain : family_gain;
      for (size_t j = 0; j < columns; ++j) {
        const bool same = ours_[j % ours_.size()] == family;
        const int32_t matched = same ? last[j] + gain : -1;
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
  const std::vector<MeasuredLaunch>& measured_;
  std::vector<std::string> ours_;
  int64_t forwards_ = 1;
};

}  // namespace

LinedUp line_up(const Trace& trace, const std::vector<size_t>& order, const std::vector<MeasuredLaunch>& measured) {
  const bool kernels_only =
      std::all_of(measured.begin(), measured.end(), [](const MeasuredLaunch& l) { return l.op.rfind('(', 0) == 0; });
  return kernels_only ? Alignment(trace, order, measured).align() : line_up_ops(trace, order, measured);
}

}  // namespace modelmeter
