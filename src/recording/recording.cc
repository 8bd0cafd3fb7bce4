#include "recording/recording.h"

#include <algorithm>
#include <map>

#include "base/json.h"
#include "recording/form.h"

namespace modelmeter {
namespace {

// Storages by their place in the list of a section; or none.
using Places = std::map<int32_t, size_t>;

Json list_of(const Shape& shape) { return Json(std::vector<int64_t>(shape.begin(), shape.end())); }

Json json(const RecordedTensor& tensor, const Places& places) {
  Json out = Json::array({list_of(tensor.sizes), tensor.dtype});
  const auto place = places.find(tensor.storage);
  const bool placed = tensor.storage >= 0 && place != places.end();
  if (placed || tensor.strided || tensor.offset != 0) out.push_back(placed ? Json(place->second) : Json());
  if (tensor.strided || tensor.offset != 0) out.push_back(tensor.strided ? list_of(tensor.strides) : Json());
  if (tensor.offset != 0) out.push_back(tensor.offset);
  return out;
}

Json json(const RecordedDetail& detail) {
  Json out = Json::object();
  if (detail.causal) out["causal"] = true;
  if (detail.tf32) out["tf32"] = true;
  if (detail.stream != 0) out["stream"] = detail.stream;
  if (detail.attention) out["params"] = *detail.attention;
  if (detail.convolution) {
    const char* names[] = {"stride", "padding", "dilation"};
    for (size_t i = 0; i < 3; ++i) out[names[i]] = list_of((*detail.convolution)[i]);
  }
  return out;
}

Json json(const RecordedOp& op, const Places& places) {
  Json inputs = Json::array(), outputs = Json::array();
  for (const RecordedTensor& t : op.inputs) inputs.push_back(json(t, places));
  for (const RecordedTensor& t : op.outputs) outputs.push_back(json(t, places));
  Json out = Json::array({op.kernel, op.scope, inputs, outputs, op.flops, op.read, op.write, op.live});
  if (Json detail = json(op.detail); !detail.empty()) out.push_back(std::move(detail));
  return out;
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

// The storages of ops in the order in which operands name them.
std::vector<int32_t> storages_in(const std::vector<RecordedOp>& ops, size_t first, size_t end, Places& places) {
  std::vector<int32_t> out;
  for (size_t i = first; i < end; ++i) {
    for (const auto* list : {&ops[i].inputs, &ops[i].outputs}) {
      for (const RecordedTensor& t : *list) {
        if (t.storage >= 0 && places.try_emplace(t.storage, out.size()).second) out.push_back(t.storage);
      }
    }
  }
  return out;
}

// The op behind the section that begins with `first`: where the numbered module or the stage is another one.
size_t section_end(const Recording& r, size_t first) {
  size_t end = first;
  const std::string name = numbered_module(r.ops[first].scope);
  const auto begins_stage = [&](size_t op) {
    return std::any_of(r.stages.begin(), r.stages.end(), [&](const RecordedStage& s) { return s.first == op; });
  };
  while (end < r.ops.size() && numbered_module(r.ops[end].scope) == name && (end == first || !begins_stage(end))) ++end;
  return end;
}

Json sections_of(const Recording& recording) {
  const std::vector<RecordedOp>& ops = recording.ops;
  Json sections = Json::array();
  std::map<std::string, std::string> written;  // the ops of a section, without its name, to that name
  std::map<std::string, std::string> latest;   // by name, the ops of its last section, which is what the name refers to
  for (size_t i = 0; i < ops.size();) {
    const std::string name = numbered_module(ops[i].scope);
    const size_t first = i, last = section_end(recording, i);
    Places places;
    const std::vector<int32_t> storages = storages_in(ops, first, last, places);
    size_t end = i;
    Count flops = 0, read = 0, write = 0, kernels = 0;
    int64_t peak = 0;
    Json rows = Json::array(), anonymous = Json::array();
    for (; end < last; ++end) {
      const RecordedOp& op = ops[end];
      flops += op.flops;
      read += op.read;
      write += op.write;
      kernels += op.counted ? 1 : 0;
      peak = std::max(peak, op.live);
      rows.push_back(json(op, places));
      RecordedOp plain = op;
      plain.scope = renamed(op.scope, name, "");
      plain.live -= ops[i].live;
      anonymous.push_back(json(plain, places));
    }
    Json section = {{"section", name}};
    if (!storages.empty()) section["storages"] = storages;
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

Json stages_of(const Recording& r) {
  Json out = Json::array();
  for (const RecordedStage& stage : r.stages) {
    int64_t sections = 0;
    for (size_t i = stage.first; i < stage.end; i = section_end(r, i)) ++sections;
    out.push_back({{"name", stage.name}, {"sections", sections}, {"repeat", stage.repeat}});
  }
  return out;
}

Json row_of(const RecordedParameter& p) { return Json::array({p.name, list_of(p.tensor.sizes), p.tensor.dtype}); }

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
    document["parameters"].push_back(row_of(p));
  }
  if (!r.buffers.empty()) {
    document["buffers"] = Json::array();
    for (const RecordedParameter& b : r.buffers) document["buffers"].push_back(row_of(b));
  }
  if (!r.storages.empty()) {
    document["storages"] = Json::array();
    for (const RecordedStorage& s : r.storages) {
      Json row = Json::array({s.bytes, s.born, s.died});
      if (!s.role.empty()) row.push_back(s.role);
      document["storages"].push_back(std::move(row));
    }
  }
  document["sections"] = sections_of(r);
  if (!r.stages.empty()) document["stages"] = stages_of(r);
  return dump_json(document) + "\n";
}

}  // namespace modelmeter
