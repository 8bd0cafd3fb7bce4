#include "recording/recording.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "recording/form.h"

namespace modelmeter {
namespace {

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
  Json document = {{"schema", recording_schema},
                   {"code", r.code},
                   {"implementation", r.implementation},
                   {"attention", r.attention},
                   {"variant", r.variant}};
  if (!r.weights.empty()) document["weights"] = r.weights;
  if (!r.generation.empty()) document["generation"] = r.generation;
  document["config"] = Json::parse(r.config);
  document["workload"] = Json::parse(r.workload);
  if (!r.parallel.empty()) document["parallel"] = Json::parse(r.parallel);
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
