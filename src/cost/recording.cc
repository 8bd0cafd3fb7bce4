#include "cost/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>
#include <nlohmann/json.hpp>

#include "base/checked.h"
#include "base/error.h"

namespace modelmeter {
namespace {

using Json = nlohmann::ordered_json;

constexpr char schema[] = "modelmeter.reference/1";
constexpr int64_t most_ops = 10'000'000;

std::string kernel_name(Kernel kernel) {
  const std::string_view name = info(kernel).name;
  return name.find('.') == std::string_view::npos ? "aten." + std::string(name) : std::string(name);
}

RecordedTensor recorded(const TensorMeta& meta) {
  return {meta.sizes, (meta.storage->place == Place::host ? "cpu:" : "") + std::string(short_name(meta.dtype))};
}

// Writes out the repetitions of a trace.
class Expansion {
 public:
  explicit Expansion(const Trace& trace) : trace_(trace), iteration_(trace.scopes.size(), -1) {
    emit(0, trace.ops.size());
  }
  std::vector<RecordedOp> take() { return std::move(out_); }

 private:
  void emit(size_t first, size_t last) {
    for (size_t i = first; i < last;) {
      const int32_t repetition = outermost(trace_.ops[i].scope);
      if (repetition < 0) {
        add(trace_.ops[i++]);
        continue;
      }
      size_t end = i;
      while (end < last && outermost(trace_.ops[end].scope) == repetition) ++end;
      const auto at = static_cast<size_t>(repetition);
      for (int64_t k = 0; k < trace_.scopes[at].count; ++k) {
        iteration_[at] = k;
        emit(i, end);
      }
      iteration_[at] = -1;
      i = end;
    }
  }

  // The outermost repeated scope above that is not being written out already; -1 without one.
  int32_t outermost(int32_t scope) const {
    int32_t found = -1;
    for (; scope >= 0; scope = trace_.scopes[static_cast<size_t>(scope)].parent) {
      const auto at = static_cast<size_t>(scope);
      if (trace_.scopes[at].count > 1 && iteration_[at] < 0) found = scope;
    }
    return found;
  }

  std::string path(int32_t scope) const {
    const Scope& s = trace_.scopes[static_cast<size_t>(scope)];
    if (s.parent < 0) return std::string(s.name);
    std::string out = path(s.parent);
    if (s.kind != ScopeKind::module || s.name.empty()) return out;
    if (!out.empty()) out += '.';
    out += s.name;
    if (s.index >= 0) {
      const int64_t k = iteration_[static_cast<size_t>(s.parent)];
      out += '.' + std::to_string(s.index + std::max<int64_t>(k, 0));
    }
    return out;
  }

  // The length of what path() appends for the innermost module.
  size_t own_scope(int32_t scope, const std::string& path_of_scope) const {
    while (scope > 0 && trace_.scopes[static_cast<size_t>(scope)].kind != ScopeKind::module) {
      scope = trace_.scopes[static_cast<size_t>(scope)].parent;
    }
    if (scope <= 0) return 0;  // the root
    const std::string parent = path(trace_.scopes[static_cast<size_t>(scope)].parent);
    return path_of_scope.size() - parent.size();
  }

  void add(const Op& op) {
    if (static_cast<int64_t>(out_.size()) >= most_ops) {
      throw Error(fmt::format("the trace has more than {} kernels written out", most_ops), {},
                  {"write out a single forward or fewer steps"});
    }
    RecordedOp& r = out_.emplace_back(written_out(op));
    r.scope = path(op.scope);
    r.own_scope = own_scope(op.scope, r.scope);
    if (op.last >= 0) move_towards(r, written_out(trace_.last_ops[static_cast<size_t>(op.last)]), op.scope);
    r.live += live_above_first(op);
  }

  RecordedOp written_out(const Op& op) const {
    RecordedOp r;
    r.kernel = kernel_name(op.kernel);
    for (int i = 0; i < op.inputs; ++i) r.inputs.push_back(recorded(trace_.input(op, i)));
    for (int i = 0; i < op.outputs; ++i) {
      // A tensor without elements has no storage of its own; the random generator's state is not listed.
      const TensorMeta& output = trace_.output(op, i);
      if (output.numel > 0 && output.dtype != DType::uint64) r.outputs.push_back(recorded(output));
    }
    const OpCost cost = cost_of(trace_, op);
    r.flops = cost.flops_torch();
    r.read = cost.bytes_read;
    r.write = cost.bytes_written;
    r.live = op.live;
    r.counted = launches(trace_, op);
    return r;
  }

  // From the first execution of an op in a growing repetition to the one being written out, given the last.
  void move_towards(RecordedOp& r, const RecordedOp& last, int32_t scope) const {
    auto at = static_cast<size_t>(scope);
    while (!trace_.scopes[at].growing) at = static_cast<size_t>(trace_.scopes[at].parent);
    const int64_t k = std::max<int64_t>(iteration_[at], 0), steps = trace_.scopes[at].count - 1;
    const auto move = [&](int64_t& from, int64_t to) { from += (to - from) / steps * k; };
    const auto move_sizes = [&](std::vector<RecordedTensor>& from, const std::vector<RecordedTensor>& to) {
      for (size_t i = 0; i < from.size(); ++i) {
        for (int d = 0; d < from[i].sizes.rank(); ++d) move(from[i].sizes[d], to[i].sizes[d]);
      }
    };
    move_sizes(r.inputs, last.inputs);
    move_sizes(r.outputs, last.outputs);
    move(r.flops, last.flops);
    move(r.read, last.read);
    move(r.write, last.write);
    move(r.live, last.live);
  }

  // By how much live memory is above that of the op's first execution, for what the op does not tell itself.
  int64_t live_above_first(const Op& op) const {
    int64_t above = 0;
    bool knows = op.last >= 0;
    for (int32_t scope = op.scope; scope >= 0; scope = trace_.scopes[static_cast<size_t>(scope)].parent) {
      const Scope& s = trace_.scopes[static_cast<size_t>(scope)];
      if (s.growing && std::exchange(knows, false)) continue;
      above += s.live_step * std::max<int64_t>(iteration_[static_cast<size_t>(scope)], 0);
    }
    return above;
  }

  const Trace& trace_;
  std::vector<int64_t> iteration_;  // by scope; -1: not being written out
  std::vector<RecordedOp> out_;
};

// Adds the calls of the modules below a scope that itself runs `times` times as `path`; modules of a list that are
// directly in a repetition count on from the index of the first.
void add_calls(const Trace& trace, int32_t scope, const std::string& path, int64_t times,
               std::map<std::string, int64_t>& out) {
  const Scope& parent = trace.scopes[static_cast<size_t>(scope)];
  for (int32_t child = parent.first_child; child >= 0; child = trace.scopes[static_cast<size_t>(child)].next_sibling) {
    const Scope& s = trace.scopes[static_cast<size_t>(child)];
    if (s.kind != ScopeKind::module) {
      add_calls(trace, child, path, times * s.count, out);
      continue;
    }
    std::string at = path;
    if (!s.name.empty()) at += (at.empty() ? "" : ".") + std::string(s.name);
    if (s.index < 0 || parent.kind != ScopeKind::repetition) {
      if (s.index >= 0) at += '.' + std::to_string(s.index);
      out[at] += times * s.calls;
      add_calls(trace, child, at, times, out);
      continue;
    }
    for (int64_t i = 0; i < parent.count; ++i) {
      const std::string numbered = at + '.' + std::to_string(s.index + i);
      out[numbered] += times / parent.count * s.calls;
      add_calls(trace, child, numbered, times / parent.count, out);
    }
  }
}

// --- reading ---------------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const std::string& message) const {
    throw Error(fmt::format("{}: {}", file_, message), {},
                {fmt::format("a reference has \"schema\": \"{}\"; docs/trace_format.md describes it", schema)});
  }

  const Json& field(const Json& object, const char* key) const {
    if (!object.is_object() || !object.contains(key)) fail(fmt::format("no field \"{}\"", key));
    return object[key];
  }
  const Json& list(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_array()) fail(fmt::format("\"{}\" is not a list", key));
    return value;
  }
  std::string text(const Json& object, const char* key) const {
    const Json& value = field(object, key);
    if (!value.is_string()) fail(fmt::format("\"{}\" is not a string", key));
    return value.get<std::string>();
  }
  int64_t integer(const Json& value, const char* what) const {
    if (!value.is_number_integer()) fail(fmt::format("{} is not an integer", what));
    return value.get<int64_t>();
  }
  int64_t number(const Json& object, const char* key) const { return integer(field(object, key), key); }
  int64_t number_or(const Json& object, const char* key, int64_t otherwise) const {
    return object.contains(key) ? integer(object[key], key) : otherwise;
  }

  RecordedTensor tensor(const Json& pair) const {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_array() || !pair[1].is_string()) {
      fail("an operand is not a pair of shape and dtype");
    }
    if (pair[0].size() > Shape::max_rank) fail(fmt::format("an operand has more than {} dimensions", Shape::max_rank));
    RecordedTensor out;
    for (const Json& dim : pair[0]) out.sizes.push_back(integer(dim, "a size"));
    out.dtype = pair[1].get<std::string>();
    return out;
  }

  RecordedOp op(const Json& row) const {
    if (!row.is_array() || row.size() != 8 || !row[0].is_string() || !row[1].is_string() || !row[2].is_array() ||
        !row[3].is_array()) {
      fail("an op is not [kernel, scope, inputs, outputs, flops, read, write, live]");
    }
    RecordedOp out;
    out.kernel = row[0].get<std::string>();
    out.scope = row[1].get<std::string>();
    for (const Json& t : row[2]) out.inputs.push_back(tensor(t));
    for (const Json& t : row[3]) out.outputs.push_back(tensor(t));
    out.flops = integer(row[4], "flops");
    out.read = integer(row[5], "read");
    out.write = integer(row[6], "write");
    out.live = integer(row[7], "live");
    out.counted = out.kernel.find("empty") == std::string::npos && !out.outputs.empty();
    return out;
  }

 private:
  std::string file_;
};

// "decoder#3" names the fourth call of decoder.
std::string module_of(const std::string& section) { return section.substr(0, section.find('#')); }

// `scope` with `from` at its start replaced by `to`.
std::string renamed(const std::string& scope, const std::string& from, const std::string& to) {
  if (scope.compare(0, from.size(), from) != 0) return scope;
  return to + scope.substr(from.size());
}

void read_sections(const Reader& reader, const Json& sections, std::vector<RecordedOp>& ops) {
  struct Section {
    size_t first, last;
  };
  std::map<std::string, Section> known;
  for (const Json& section : sections) {
    const std::string name = reader.text(section, "section");
    const size_t first = ops.size();
    if (section.contains("same_as")) {
      const std::string source = reader.text(section, "same_as");
      const auto found = known.find(source);
      if (found == known.end()) reader.fail(fmt::format("section \"{}\" is the same as unknown \"{}\"", name, source));
      // Live memory of a repeated section differs from its model's by what is live around it; peaks tell by how much.
      int64_t peak = 0;
      for (size_t i = found->second.first; i < found->second.last; ++i) peak = std::max(peak, ops[i].live);
      const int64_t shift = reader.number_or(section, "peak_live", peak) - peak;
      for (size_t i = found->second.first; i < found->second.last; ++i) {
        RecordedOp copy = ops[i];
        copy.scope = renamed(copy.scope, module_of(source), module_of(name));
        copy.live += shift;
        ops.push_back(std::move(copy));
      }
    } else {
      for (const Json& row : reader.list(section, "ops")) ops.push_back(reader.op(row));
    }
    if (!name.empty()) known[name] = {first, ops.size()};
  }
}

// --- writing ---------------------------------------------------------------------------------------------------------

Json json(const RecordedTensor& tensor) {
  return Json::array({Json(std::vector<int64_t>(tensor.sizes.begin(), tensor.sizes.end())), tensor.dtype});
}

Json json(const RecordedOp& op) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const RecordedTensor& t : op.inputs) inputs.push_back(json(t));
  for (const RecordedTensor& t : op.outputs) outputs.push_back(json(t));
  return Json::array({op.kernel, op.scope, inputs, outputs, op.flops, op.read, op.write, op.live});
}

// The numbered module that a scope is in ("blocks.7" of "blocks.7.ffn.0"); "" outside of one.
std::string numbered_module(const std::string& scope) {
  for (size_t start = 0; start < scope.size();) {
    size_t end = scope.find('.', start);
    if (end == std::string::npos) end = scope.size();
    if (scope.find_first_not_of("0123456789", start) >= end) return scope.substr(0, end);
    start = end + 1;
  }
  return "";
}

Json sections_of(const std::vector<RecordedOp>& ops) {
  Json sections = Json::array();
  std::map<std::string, std::string> written;  // the ops of a section, without its name, to that name
  for (size_t i = 0; i < ops.size();) {
    const std::string name = numbered_module(ops[i].scope);
    size_t end = i;
    int64_t flops = 0, read = 0, write = 0, kernels = 0, peak = 0;
    Json rows = Json::array(), anonymous = Json::array();
    for (; end < ops.size() && numbered_module(ops[end].scope) == name; ++end) {
      const RecordedOp& op = ops[end];
      flops += op.flops;
      read += op.read;
      write += op.write;
      kernels += op.counted;
      peak = std::max(peak, op.live);
      rows.push_back(json(op));
      RecordedOp plain = op;
      plain.scope = renamed(op.scope, name, "");
      plain.live -= ops[i].live;
      anonymous.push_back(json(plain));
    }
    Json section = {{"section", name}};
    auto [entry, fresh] = written.try_emplace(anonymous.dump(), name);
    if (!fresh && !name.empty() && !entry->second.empty()) {
      section["same_as"] = entry->second;
      section["peak_live"] = peak;
    } else {
      section.update({{"flops", flops}, {"read", read}, {"write", write}, {"kernels", kernels}, {"peak_live", peak}});
      section["ops"] = std::move(rows);
    }
    sections.push_back(std::move(section));
    i = end;
  }
  return sections;
}

}  // namespace

std::vector<RecordedOp> recorded_ops(const Trace& trace) { return Expansion(trace).take(); }

std::map<std::string, int64_t> module_calls(const Trace& trace) {
  std::map<std::string, int64_t> out;
  add_calls(trace, 0, "", 1, out);
  return out;
}

Recording read_recording(const std::string& text, const std::string& file) {
  const Reader reader(file);
  const Json document = Json::parse(text, nullptr, false);
  if (document.is_discarded()) reader.fail("not a JSON file");
  if (!document.is_object() || document.value("schema", Json()) != Json(schema)) reader.fail("not a reference");
  Recording out;
  out.code = reader.text(document, "code");
  out.implementation = reader.text(document, "implementation");
  out.attention = document.contains("attention") ? reader.text(document, "attention") : "flash";
  out.variant = document.contains("variant") ? reader.text(document, "variant") : "";
  out.precision = document.contains("precision") ? reader.text(document, "precision") : "";
  out.part = document.contains("case") ? reader.text(document, "case") : "";
  out.config = document.contains("config") ? document["config"].dump() : "{}";
  out.workload = document.contains("workload") ? document["workload"].dump() : "{}";
  const Json& totals = reader.field(document, "totals");
  out.totals = {reader.number(totals, "params"),
                reader.number(totals, "param_bytes"),
                reader.number(totals, "kernels"),
                reader.number(totals, "flops"),
                reader.number(totals, "read"),
                reader.number(totals, "write"),
                reader.number(totals, "live_at_start"),
                reader.number(totals, "peak_live"),
                reader.number_or(totals, "live_at_end", -1)};
  for (const Json& m : reader.list(document, "modules")) {
    out.modules.push_back({reader.text(m, "name"), reader.text(m, "class"), reader.number(m, "calls"),
                           reader.number(m, "params"), reader.number(m, "param_bytes"), reader.number(m, "flops"),
                           reader.number(m, "read"), reader.number(m, "write"), reader.number(m, "kernels")});
  }
  for (const Json& p : reader.list(document, "parameters")) {
    if (!p.is_array() || p.size() != 3 || !p[0].is_string()) reader.fail("a parameter is not [name, shape, dtype]");
    out.parameters.push_back({p[0].get<std::string>(), reader.tensor(Json::array({p[1], p[2]}))});
  }
  read_sections(reader, reader.list(document, "sections"), out.ops);
  return out;
}

std::string write_recording(const Recording& r) {
  Json document = {{"schema", schema},
                   {"code", r.code},
                   {"implementation", r.implementation},
                   {"attention", r.attention},
                   {"variant", r.variant},
                   {"config", Json::parse(r.config)},
                   {"workload", Json::parse(r.workload)}};
  if (!r.precision.empty()) document["precision"] = r.precision;
  if (!r.part.empty()) document["case"] = r.part;
  Json totals = {{"params", r.totals.params},
                 {"param_bytes", r.totals.param_bytes},
                 {"kernels", r.totals.kernels},
                 {"flops", r.totals.flops},
                 {"read", r.totals.read},
                 {"write", r.totals.write},
                 {"live_at_start", r.totals.live_at_start},
                 {"peak_live", r.totals.peak_live}};
  if (r.totals.live_at_end >= 0) totals["live_at_end"] = r.totals.live_at_end;
  document["totals"] = totals;
  document["modules"] = Json::array();
  for (const RecordedModule& m : r.modules) {
    document["modules"].push_back({{"name", m.name},
                                   {"class", m.klass},
                                   {"calls", m.calls},
                                   {"params", m.params},
                                   {"param_bytes", m.param_bytes},
                                   {"flops", m.flops},
                                   {"read", m.read},
                                   {"write", m.write},
                                   {"kernels", m.kernels}});
  }
  document["parameters"] = Json::array();
  for (const RecordedParameter& p : r.parameters) {
    const Json tensor = json(p.tensor);
    document["parameters"].push_back(Json::array({p.name, tensor[0], tensor[1]}));
  }
  document["sections"] = sections_of(r.ops);
  return document.dump() + "\n";
}

}  // namespace modelmeter
