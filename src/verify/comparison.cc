#include "verify/comparison.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <set>

#include "recording/expansion.h"
#include "timing/run_time.h"

namespace modelmeter {
namespace {

constexpr size_t most_shown = 10;
constexpr int64_t most_unfolded = 200'000;  // kernels

// --- our side --------------------------------------------------------------------------------------------------------

void collect(const BaseLayer& layer, std::set<const BaseLayer*>& layers, std::set<const BaseLayer*>& tied) {
  layers.insert(&layer);
  if (layer.tied_to() != nullptr) tied.insert(layer.tied_to());
  for (const BaseLayer::Child& child : layer.children()) collect(*child.layer, layers, tied);
}

// A module by itself, as torch counts it: tied parameters are its own where their owner is not part of it.
RecordedModule module_of(const BaseLayer& layer) {
  RecordedModule m;
  m.klass = layer.class_name();
  m.params = layer.parameter_count();
  m.param_bytes = layer.parameter_bytes();
  std::set<const BaseLayer*> layers, tied;
  collect(layer, layers, tied);
  for (const BaseLayer* owner : tied) {
    if (layers.count(owner) != 0) continue;
    m.params += owner->parameter_count();
    m.param_bytes += owner->parameter_bytes();
  }
  return m;
}

// Parameters and module classes by path, from the tree of layers; a ModuleList stands as a module without calls.
void add_modules(const BaseLayer& layer, const std::string& path, std::map<std::string, RecordedModule>& out) {
  RecordedModule& m = out[path];
  m = module_of(layer);
  m.name = path;
  for (const BaseLayer::Child& child : layer.children()) {
    const std::string at = path.empty() ? child.name : path + "." + child.name;
    // A list is a module itself, whether it is registered as one or by its members ("net.0").
    const size_t dot = at.rfind('.');
    const bool member = !child.list && child.name.find('.') != std::string::npos;
    if (child.list || member) {
      RecordedModule& list = out[member ? at.substr(0, dot) : at];
      list.name = member ? at.substr(0, dot) : at;
      list.klass = child.list_class;
      list.params += child.layer->parameter_count() * child.count;
      list.param_bytes += child.layer->parameter_bytes() * child.count;
    }
    if (!child.list) {
      add_modules(*child.layer, at, out);
    } else {
      for (int64_t i = 0; i < child.count; ++i) {
        add_modules(*child.layer, fmt::format("{}.{}", at, child.first + i), out);
      }
    }
  }
}

// Every module that the op ran in, from the root down; not the parents that a module was called past.
template <class Visit>
void for_each_module_of(const RecordedOp& op, Visit visit) {
  const std::string& path = op.scope;
  visit(std::string());
  const size_t parents = path.size() - op.own_scope;
  for (size_t at = path.find('.'); at <= parents; at = path.find('.', at + 1)) visit(path.substr(0, at));
  if (!path.empty()) visit(path);
}

// As for_each_parameter(): what is on the device and no checkpoint holds.
void add_buffers(const BaseLayer& layer, const std::string& prefix, std::vector<RecordedParameter>& out) {
  for (const BaseLayer::Parameter& p : layer.parameters()) {
    if (!p.persistent) out.push_back({prefix + p.name, {p.spec.sizes, std::string(short_name(p.spec.dtype))}});
  }
  for (const BaseLayer::Child& child : layer.children()) {
    for (int64_t i = 0; i < child.count; ++i) {
      const std::string name = child.list ? fmt::format("{}.{}", child.name, child.first + i) : child.name;
      add_buffers(*child.layer, prefix + name + ".", out);
    }
  }
}

// One forward with no repetition folded.
Evaluation unfolded_forward(const StageCostMixin& run) {
  auto tracer = std::make_unique<Tracer>();
  tracer->folds = false;
  run.trace_forward(*tracer);
  return Evaluation(std::move(tracer));
}

Recording recording_of(const Evaluation& forward, const BaseLayer& layer) {
  const Trace& trace = forward.trace();
  const Rollup& rollup = forward.rollup();

  Recording out;
  out.ops = recorded_ops(trace);
  std::map<std::string, RecordedModule> modules;
  add_modules(layer, "", modules);
  for (const auto& [path, calls] : module_calls(trace)) {
    const auto found = modules.find(path);
    if (found != modules.end()) found->second.calls = calls;
  }
  for (const RecordedOp& op : out.ops) {
    for_each_module_of(op, [&](const std::string& path) {
      const auto found = modules.find(path);
      if (found == modules.end() || found->second.calls == 0) return;  // lists are not called
      RecordedModule& m = found->second;
      m.flops += op.flops;
      m.read += op.read;
      m.write += op.write;
      m.kernels += op.counted ? 1 : 0;
    });
  }
  for (auto& [path, module] : modules) {
    if (!module.klass.empty()) out.modules.push_back(std::move(module));  // what only stands for a parent has no class
  }
  layer.for_each_parameter([&](const std::string& name, const TensorSpec& spec) {
    out.parameters.push_back({name, {spec.sizes, std::string(short_name(spec.dtype))}});
  });
  const Cost& cost = rollup.total();
  out.totals = {layer.parameter_count(), layer.parameter_bytes(), cost.kernels,      cost.flops_torch(),
                cost.bytes_read,         cost.bytes_written,      trace.given_bytes, rollup.peak_live_bytes(trace)};
  return out;
}

// --- comparison ------------------------------------------------------------------------------------------------------

std::string shown(const std::vector<RecordedTensor>& tensors) {
  std::string out;
  for (const RecordedTensor& t : tensors) out += (out.empty() ? "" : " ") + t.dtype + t.sizes.to_string();
  return out;
}

std::string shown(const RecordedOp& op) {
  return fmt::format("{} @{}: {} -> {}; flops {} read {} write {} live {}", op.kernel, op.scope, shown(op.inputs),
                     shown(op.outputs), op.flops, op.read, op.write, op.live);
}

bool equal(const RecordedOp& a, const RecordedOp& b) {
  return a.kernel == b.kernel && a.scope == b.scope && a.inputs == b.inputs && a.outputs == b.outputs &&
         a.flops == b.flops && a.read == b.read && a.write == b.write && a.live == b.live;
}

void compare_kernels(const Recording& ours, const Recording& reference, Comparison& out) {
  const size_t most = std::max(ours.ops.size(), reference.ops.size());
  out.kernels_compared = static_cast<int64_t>(most);
  for (size_t i = 0; i < most; ++i) {
    const bool both = i < ours.ops.size() && i < reference.ops.size();
    if (both && equal(ours.ops[i], reference.ops[i])) continue;
    ++out.kernels_different;
    if (out.first_kernels.size() == most_shown) continue;
    out.first_kernels.push_back(
        {i, i < ours.ops.size() ? shown(ours.ops[i]) : "", i < reference.ops.size() ? shown(reference.ops[i]) : ""});
  }
}

// Sums of the sections of one name: a module may run more than once.
std::map<std::string, RecordedSection> sums_by_name(const std::vector<RecordedSection>& sections) {
  std::map<std::string, RecordedSection> out;
  for (const RecordedSection& section : sections) {
    RecordedSection& sums = out[section.name];
    sums.flops += section.flops;
    sums.read += section.read;
    sums.write += section.write;
    sums.kernels += section.kernels;
  }
  return out;
}

void compare_sections(const Recording& ours, const Recording& reference, Comparison& out) {
  out.kernels_given = false;
  const auto repeats = [](const RecordedSection& section) { return section.name.find('#') != std::string::npos; };
  if (std::any_of(reference.sections.begin(), reference.sections.end(), repeats)) return;  // cut in another way
  const std::map<std::string, RecordedSection> mine =
      sums_by_name(ours.sections.empty() ? sections_of_kernels(ours.ops) : ours.sections);
  for (const auto& [name, theirs] : sums_by_name(reference.sections)) {
    ++out.sections_compared;
    const auto found = mine.find(name);
    const RecordedSection own = found == mine.end() ? RecordedSection() : found->second;
    const ComparedFigure figures[] = {{"flops", own.flops, theirs.flops},
                                      {"read", own.read, theirs.read},
                                      {"write", own.write, theirs.write},
                                      {"kernels", own.kernels, theirs.kernels}};
    for (const ComparedFigure& f : figures) {
      if (f.equal()) continue;
      out.section_differences.push_back(fmt::format("section {}: {} {}, reference {}",
                                                    name.empty() ? "(outside)" : name, f.name, to_string(f.ours),
                                                    to_string(f.reference)));
    }
  }
}

// Lists of layers that the original iterates by hand: it makes no difference to the run which one it took.
bool is_container(const std::string& klass) { return klass == "ModuleList" || klass == "Sequential"; }

bool same_class(const ComparedModule& m) {
  return m.klass == m.reference_klass || (is_container(m.klass) && is_container(m.reference_klass));
}

bool all_equal(const std::vector<ComparedFigure>& figures) {
  return std::all_of(figures.begin(), figures.end(), [](const ComparedFigure& f) { return f.equal(); });
}

void compare_modules(const Recording& ours, const Recording& reference, Comparison& out) {
  std::map<std::string, const RecordedModule*> by_name;
  for (const RecordedModule& m : ours.modules) by_name[m.name] = &m;
  for (const RecordedModule& theirs : reference.modules) {
    const auto found = by_name.find(theirs.name);
    const RecordedModule mine = found == by_name.end() ? RecordedModule() : *found->second;
    out.modules.push_back({theirs.name,
                           mine.klass,
                           theirs.klass,
                           {{"calls", mine.calls, theirs.calls},
                            {"params", mine.params, theirs.params},
                            {"param_bytes", mine.param_bytes, theirs.param_bytes},
                            {"flops", mine.flops, theirs.flops},
                            {"read", mine.read, theirs.read},
                            {"write", mine.write, theirs.write},
                            {"kernels", mine.kernels, theirs.kernels}}});
    const ComparedModule& m = out.modules.back();
    if (found == by_name.end()) {
      out.module_differences.push_back(
          fmt::format("{}: a {} that {} does not have", theirs.name, theirs.klass, out.ours));
      continue;
    }
    if (!same_class(m)) {
      out.module_differences.push_back(
          fmt::format("{}: class {}, reference {}", theirs.name, mine.klass, theirs.klass));
    }
    for (const ComparedFigure& f : m.figures) {
      if (f.equal()) continue;
      out.module_differences.push_back(
          fmt::format("{}: {} {}, reference {}", m.name, f.name, to_string(f.ours), to_string(f.reference)));
    }
  }
}

std::string stages_text(const Recording& recording) {
  std::string out;
  for (const RecordedStage& s : recording.stages) {
    out += fmt::format("{}{} ({} kernels, {} times)", out.empty() ? "" : ", ", s.name, s.end - s.first, s.repeat);
  }
  return out;
}

void compare_stages(const Recording& ours, const Recording& reference, Comparison& out) {
  if (ours.stages.empty() || reference.stages.empty()) return;
  const std::string mine = stages_text(ours), theirs = stages_text(reference);
  if (mine != theirs) out.stage_differences.push_back(fmt::format("{}, reference {}", mine, theirs));
}

void compare_parameters(const Recording& ours, const Recording& reference, Comparison& out) {
  std::map<std::string, const RecordedTensor*> by_name;
  for (const RecordedParameter& p : ours.parameters) by_name[p.name] = &p.tensor;
  for (const RecordedParameter& theirs : reference.parameters) {
    ++out.parameters_compared;
    const auto found = by_name.find(theirs.name);
    if (found == by_name.end()) {
      out.parameter_differences.push_back(fmt::format("{}: {} does not have it", theirs.name, out.ours));
    } else if (!(*found->second == theirs.tensor)) {
      out.parameter_differences.push_back(
          fmt::format("{}: {}, reference {}", theirs.name, shown({*found->second}), shown({theirs.tensor})));
    }
  }
}

void show_list(std::string& out, const char* what, const std::vector<std::string>& differences) {
  if (differences.empty()) return;
  out += fmt::format("\n{} {} differ:\n", differences.size(), what);
  for (size_t i = 0; i < std::min(most_shown, differences.size()); ++i) out += "  " + differences[i] + "\n";
  if (differences.size() > most_shown) out += fmt::format("  … and {} more\n", differences.size() - most_shown);
}

}  // namespace

bool ComparedModule::equal() const { return same_class(*this) && all_equal(figures); }

bool Comparison::equal() const {
  return kernels_different == 0 && section_differences.empty() && stage_differences.empty() &&
         module_differences.empty() && parameter_differences.empty() && all_equal(totals);
}

Recording recording_of(const Stage& stage) { return recording_of(evaluate_forward(stage), stage.layer()); }

Recording full_recording_of(const Stage& stage) {
  const Evaluation folded = evaluate_forward(stage);
  if (folded.rollup().total().kernels > most_unfolded) return recording_of(folded, stage.layer());
  const Evaluation forward = unfolded_forward(stage);
  Recording out = recording_of(forward, stage.layer());
  add_buffers(stage.layer(), "", out.buffers);
  add_storages(forward.trace(), out);
  return out;
}

Recording full_recording_of(const AnalyticModel& model) {
  const Evaluation forward = unfolded_forward(model);
  const Trace& trace = forward.trace();
  Recording out = recording_of(forward, model.stages().front()->layer());
  if (!trace.residences.empty()) out.totals.live_at_start = trace.residences.front().given_bytes;
  for (const StageOps& ops : stage_ops(trace)) {
    const std::string id(trace.scopes[static_cast<size_t>(ops.residence.scope)].name);
    for (const auto& stage : model.stages()) {
      if (stage->id() == id) out.stages.push_back({id, ops.first, ops.end, stage->forwards()});
    }
  }
  add_buffers(model.stages().front()->layer(), "", out.buffers);
  add_storages(trace, out);
  return out;
}

Comparison compare(const Recording& ours, const Recording& reference, const std::string& name) {
  Comparison out;
  out.ours = name;
  const RecordedTotals& a = ours.totals;
  const RecordedTotals& b = reference.totals;
  out.totals = {{"parameters", a.params, b.params},
                {"weight bytes", a.param_bytes, b.param_bytes},
                {"kernels", a.kernels, b.kernels},
                {"FLOPs (torch)", a.flops, b.flops},
                {"bytes read", a.read, b.read},
                {"bytes written", a.write, b.write},
                {"live at start", a.live_at_start, b.live_at_start},
                {"peak live bytes", a.peak_live, b.peak_live}};
  if (reference.sections.empty()) {
    compare_kernels(ours, reference, out);
  } else {
    compare_sections(ours, reference, out);
  }
  compare_stages(ours, reference, out);
  compare_modules(ours, reference, out);
  compare_parameters(ours, reference, out);
  return out;
}

std::string table_of(const Comparison& comparison, const Recording& reference) {
  std::string out = fmt::format("reference: {}\n\n{:<18}{:>22}{:>22}{:>16}\n", reference.code, "", comparison.ours,
                                "reference", "difference");
  for (const ComparedFigure& f : comparison.totals) {
    out += fmt::format("{:<18}{:>22}{:>22}{:>16}\n", f.name, to_string(f.ours), to_string(f.reference),
                       to_string(f.ours - f.reference));
  }
  return out + differences_of(comparison);
}

std::string differences_of(const Comparison& c) {
  std::string out =
      c.kernels_given
          ? fmt::format(
                "\ncompared: {} kernels (name, scope, operands, FLOPs, bytes, live memory), {} modules, {} parameters\n",
                c.kernels_compared, c.modules.size(), c.parameters_compared)
          : fmt::format("\nthe reference has no kernels; compared: totals, {} sections, {} modules, {} parameters\n",
                        c.sections_compared, c.modules.size(), c.parameters_compared);
  if (c.kernels_different > 0) {
    out += fmt::format("\n{} kernels differ, first:\n", c.kernels_different);
    for (const KernelDifference& d : c.first_kernels) {
      out += fmt::format("  kernel {}\n    {:<10} {}\n    reference  {}\n", d.index, c.ours,
                         d.ours.empty() ? "-" : d.ours, d.reference.empty() ? "-" : d.reference);
    }
  }
  show_list(out, "sums of sections", c.section_differences);
  show_list(out, "lists of stages", c.stage_differences);
  show_list(out, "modules", c.module_differences);
  show_list(out, "parameters", c.parameter_differences);
  out += c.equal() ? "\nno difference\n" : "\nDIFFERENT\n";
  return out;
}

}  // namespace modelmeter
