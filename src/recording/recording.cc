#include "recording/recording.h"

#include <fmt/format.h>

#include <algorithm>
#include <limits>
#include <map>

#include "base/checked.h"
#include "base/error.h"
#include "base/json.h"

namespace modelmeter {
namespace {

constexpr char schema[] = "modelmeter.reference/1";
// A few hundred megabytes in memory. The largest recording that is known has 5,000.
constexpr size_t most_recorded_ops = 500'000;

// --- reading ---------------------------------------------------------------------------------------------------------

class Reader {
 public:
  explicit Reader(const std::string& file) : file_(file) {}

  [[noreturn]] void fail(const std::string& message) const {
    throw Error(fmt::format("{}: {}", file_, message), {},
                {fmt::format("a reference has \"schema\": \"{}\"; docs/trace_format.md describes it", schema)});
  }

  Json parse(const std::string& text) const {
    try {
      return parse_json(text);
    } catch (const Error& error) {
      fail(error.message());
    }
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
    if (value.is_number_unsigned() && value.get<uint64_t>() > std::numeric_limits<int64_t>::max()) {
      fail(fmt::format("{} is not an integer of 64 bits", what));
    }
    return value.get<int64_t>();
  }
  // A size, or what is counted.
  int64_t amount(const Json& value, const char* what) const {
    const int64_t out = integer(value, what);
    if (out < 0) fail(fmt::format("{} is below 0", what));
    return out;
  }
  int64_t number(const Json& object, const char* key) const { return amount(field(object, key), key); }
  Count count(const Json& object, const char* key) const {
    const std::optional<Count> out = count_in(field(object, key));
    if (!out) fail(fmt::format("{} is not an integer", key));
    if (*out < 0) fail(fmt::format("{} is below 0", key));
    return *out;
  }
  int64_t number_or(const Json& object, const char* key, int64_t otherwise) const {
    return object.contains(key) ? integer(object[key], key) : otherwise;
  }

  RecordedTensor tensor(const Json& pair) const {
    if (!pair.is_array() || pair.size() != 2 || !pair[0].is_array() || !pair[1].is_string()) {
      fail("an operand is not a pair of shape and dtype");
    }
    if (pair[0].size() > Shape::max_rank) fail(fmt::format("an operand has more than {} dimensions", Shape::max_rank));
    RecordedTensor out;
    for (const Json& dim : pair[0]) out.sizes.push_back(amount(dim, "a size"));
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
    out.flops = amount(row[4], "flops");
    out.read = amount(row[5], "read");
    out.write = amount(row[6], "write");
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

// Whether a recording has sums of its sections alone.
bool has_sums_alone(const Json& sections) {
  return std::any_of(sections.begin(), sections.end(), [](const Json& section) {
    return section.is_object() && !section.contains("ops") && !section.contains("same_as");
  });
}

void read_sums(const Reader& reader, const Json& sections, std::vector<RecordedSection>& out) {
  for (const Json& section : sections) {
    RecordedSection sums;
    sums.name = reader.text(section, "section");
    if (section.contains("same_as")) {
      const std::string source = reader.text(section, "same_as");
      const auto found =
          std::find_if(out.rbegin(), out.rend(), [&](const RecordedSection& known) { return known.name == source; });
      if (found == out.rend())
        reader.fail(fmt::format("section \"{}\" is the same as unknown \"{}\"", sums.name, source));
      const std::string name = sums.name;
      sums = *found;
      sums.name = name;
    } else {
      sums.flops = reader.count(section, "flops");
      sums.read = reader.count(section, "read");
      sums.write = reader.count(section, "write");
      sums.kernels = reader.count(section, "kernels");
    }
    out.push_back(std::move(sums));
  }
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
      const int64_t shift = checked_add(reader.number_or(section, "peak_live", peak), -peak, "live memory");
      if (ops.size() + (found->second.last - found->second.first) > most_recorded_ops) {
        reader.fail(fmt::format("repeated sections make more than {} kernels", most_recorded_ops));
      }
      for (size_t i = found->second.first; i < found->second.last; ++i) {
        RecordedOp copy = ops[i];
        copy.scope = renamed(copy.scope, module_of(source), module_of(name));
        copy.live = checked_add(copy.live, shift, "live memory");
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
  std::map<std::string, std::string> latest;   // by name, the ops of its last section, which is what the name refers to
  for (size_t i = 0; i < ops.size();) {
    const std::string name = numbered_module(ops[i].scope);
    size_t end = i;
    Count flops = 0, read = 0, write = 0, kernels = 0;
    int64_t peak = 0;
    Json rows = Json::array(), anonymous = Json::array();
    for (; end < ops.size() && numbered_module(ops[end].scope) == name; ++end) {
      const RecordedOp& op = ops[end];
      flops += op.flops;
      read += op.read;
      write += op.write;
      kernels += op.counted ? 1 : 0;
      peak = std::max(peak, op.live);
      rows.push_back(json(op));
      RecordedOp plain = op;
      plain.scope = renamed(op.scope, name, "");
      plain.live -= ops[i].live;
      anonymous.push_back(json(plain));
    }
    Json section = {{"section", name}};
    const std::string content = anonymous.dump();
    const auto entry = written.find(content);
    if (!name.empty() && entry != written.end() && latest[entry->second] == content) {
      section["same_as"] = entry->second;
      section["peak_live"] = peak;
    } else {
      section.update({{"flops", flops}, {"read", read}, {"write", write}, {"kernels", kernels}, {"peak_live", peak}});
      section["ops"] = std::move(rows);
      if (!name.empty()) written[content] = name;
    }
    if (!name.empty()) latest[name] = content;
    sections.push_back(std::move(section));
    i = end;
  }
  return sections;
}

}  // namespace

Recording read_recording(const std::string& text, const std::string& file) {
  const Reader reader(file);
  const Json document = reader.parse(text);
  if (document.is_discarded()) reader.fail("not a JSON file");
  if (!document.is_object() || document.value("schema", Json()) != Json(schema)) reader.fail("not a reference");
  Recording out;
  out.code = reader.text(document, "code");
  out.implementation = reader.text(document, "implementation");
  out.attention = document.contains("attention") ? reader.text(document, "attention") : "flash";
  out.variant = document.contains("variant") ? reader.text(document, "variant") : "";
  out.precision = document.contains("precision") ? reader.text(document, "precision") : "";
  out.weights = document.contains("weights") ? reader.text(document, "weights") : "";
  out.generation = document.contains("generation") ? reader.text(document, "generation") : "";
  out.case_name = document.contains("case") ? reader.text(document, "case") : "";
  out.config = document.contains("config") ? document["config"].dump() : "{}";
  out.workload = document.contains("workload") ? document["workload"].dump() : "{}";
  const Json& totals = reader.field(document, "totals");
  out.totals = {reader.count(totals, "params"),
                reader.count(totals, "param_bytes"),
                reader.count(totals, "kernels"),
                reader.count(totals, "flops"),
                reader.count(totals, "read"),
                reader.count(totals, "write"),
                reader.count(totals, "live_at_start"),
                reader.count(totals, "peak_live"),
                totals.contains("live_at_end") ? reader.count(totals, "live_at_end") : -1};
  for (const Json& m : reader.list(document, "modules")) {
    out.modules.push_back({reader.text(m, "name"), reader.text(m, "class"), reader.number(m, "calls"),
                           reader.count(m, "params"), reader.count(m, "param_bytes"), reader.count(m, "flops"),
                           reader.count(m, "read"), reader.count(m, "write"), reader.count(m, "kernels")});
  }
  for (const Json& p : reader.list(document, "parameters")) {
    if (!p.is_array() || p.size() != 3 || !p[0].is_string()) reader.fail("a parameter is not [name, shape, dtype]");
    out.parameters.push_back({p[0].get<std::string>(), reader.tensor(Json::array({p[1], p[2]}))});
  }
  const Json& sections = reader.list(document, "sections");
  if (has_sums_alone(sections)) {
    read_sums(reader, sections, out.sections);
  } else {
    read_sections(reader, sections, out.ops);
  }
  return out;
}

std::vector<RecordedSection> sections_of_kernels(const std::vector<RecordedOp>& ops) {
  std::vector<RecordedSection> out;
  for (const RecordedOp& op : ops) {
    const std::string name = numbered_module(op.scope);
    if (out.empty() || out.back().name != name) out.push_back({name});
    RecordedSection& section = out.back();
    section.flops += op.flops;
    section.read += op.read;
    section.write += op.write;
    section.kernels += op.counted ? 1 : 0;
  }
  return out;
}

std::string write_recording(const Recording& r) {
  Json document = {{"schema", schema},
                   {"code", r.code},
                   {"implementation", r.implementation},
                   {"attention", r.attention},
                   {"variant", r.variant}};
  if (!r.weights.empty()) document["weights"] = r.weights;
  if (!r.generation.empty()) document["generation"] = r.generation;
  document["config"] = Json::parse(r.config);
  document["workload"] = Json::parse(r.workload);
  if (!r.precision.empty()) document["precision"] = r.precision;
  if (!r.case_name.empty()) document["case"] = r.case_name;
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
  return dump_json(document) + "\n";
}

}  // namespace modelmeter
