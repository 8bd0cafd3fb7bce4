#include "report/memory_json.h"

#include "base/json.h"
#include "memory/segment_map.h"

namespace modelmeter {
namespace {

Json json(const MemoryOp& op) {
  if (op.index < 0) return nullptr;
  return {{"index", op.index}, {"kernel", op.kernel}, {"scope", op.scope}};
}

Json json(const StageMemory& s) {
  Json weights = Json::array(), roles = Json::object();
  for (const Resident& r : s.residents.list) weights.push_back({{"what", r.what}, {"bytes", r.bytes}});
  for (const MemoryRole& r : s.roles) roles[r.name] = r.bytes;
  return {{"stage", s.id},
          {"forwards", s.forwards},
          {"first_op", s.first_op},
          {"on_device", s.residents.on_device},
          {"weights", weights},
          {"weight_bytes", s.weight_bytes()},
          {"streamed_weight_bytes", s.streamed_bytes},
          {"weights_to_device_bytes", json_of(s.transfers.to_device)},
          {"weights_to_host_bytes", json_of(s.transfers.to_host)},
          {"input_bytes", s.input_bytes},
          {"activation_peak_bytes", s.activation_bytes},
          {"kept_bytes", roles},
          {"peak_live_bytes", s.live_bytes()},
          {"peak_op", json(s.peak)},
          {"peak_with_workspace_bytes", s.with_workspace_bytes},
          {"workspace_peak_op", json(s.workspace_peak)},
          {"max_memory_allocated_bytes", s.allocated_bytes},
          {"max_memory_reserved_bytes", s.reserved_bytes},
          {"live_bytes", s.live}};
}

Json json(const AliveRow& row) {
  static const char* const kinds[] = {"weights", "inputs", "tensor", "other"};
  Json out = {{"kind", kinds[static_cast<int>(row.kind)]}, {"bytes", row.bytes}};
  if (!row.what.empty()) out["what"] = row.what;
  if (row.kind != AliveRow::Kind::tensor) return out;
  out["dtype"] = row.dtype;
  out["shape"] = Json::parse(row.shape);
  out["grows"] = row.grown;
  out["role"] = row.role.empty() ? Json(nullptr) : Json(row.role);
  out["made_by"] = json(row.made_by);
  return out;
}

Json json(const std::vector<DevicePart>& parts) {
  Json out = Json::array();
  for (const DevicePart& p : parts) out.push_back({{"name", p.name}, {"bytes", p.bytes}, {"source", p.source}});
  return out;
}

Json json(const LoadingMemory& l) {
  if (l.what.empty()) return nullptr;
  return {{"what", l.what},
          {"live_bytes", l.live_bytes},
          {"max_memory_allocated_bytes", l.allocated_bytes},
          {"max_memory_reserved_bytes", l.reserved_bytes}};
}

Json json(const HostMemory& h) {
  if (!h.known) return nullptr;
  return {{"loading_weight_bytes", h.loading},
          {"loading_what", h.loading_what},
          {"running_weight_bytes", h.running},
          {"pinned_weight_bytes", h.pinned}};
}

Json json_of_maker(const AllocationRecord& record, const AllocatorBlock& block) {
  if (block.maker.of < 0) return nullptr;
  const Allocated& made = record.makers[static_cast<size_t>(block.maker.of)];
  Json out = {{"what", made.what}};
  if (!made.scope.empty()) out["scope"] = made.scope;
  return out;
}

// What the allocator holds where it is fullest.
Json json(const AllocationRecord& record) {
  const SegmentSums sums = sums_of(record.log.segments);
  Json segments = Json::array();
  for (const AllocatorSegment& segment : record.log.segments) {
    Json blocks = Json::array();
    for (const AllocatorBlock& block : segment.blocks) {
      blocks.push_back({{"size", block.size},
                        {"requested_size", block.requested},
                        {"state", state_of(block)},
                        {"made_by", json_of_maker(record, block)}});
    }
    segments.push_back({{"total_size", segment.size},
                        {"segment_type", segment.small ? "small" : "large"},
                        {"is_expandable", segment.expandable},
                        {"stream", segment.stream},
                        {"blocks", blocks}});
  }
  return {{"reserved_bytes", sums.reserved},
          {"allocated_bytes", sums.allocated},
          {"rounding_bytes", sums.rounding},
          {"waiting_bytes", sums.waiting},
          {"free_beside_allocated_bytes", sums.free_beside},
          {"free_segment_bytes", sums.free_segments},
          {"segments", segments}};
}

}  // namespace

std::string memory_json(const MemoryReport& r) {
  Json stages = Json::array(), alive = Json::array(), runtime = Json::object();
  for (const StageMemory& s : r.stages) stages.push_back(json(s));
  for (const AliveRow& row : r.alive) alive.push_back(json(row));
  for (const auto& [name, value] : r.runtime) {
    std::visit([&, &key = name](const auto& v) { runtime[key] = v; }, value);
  }
  Json out = {
      {"model", r.model},
      {"workload", r.workload},
      {"runtime", runtime},
      {"ops_recorded", r.ops_recorded},
      {"ops_run", r.ops_run},
      {"stages", stages},
      {"peak",
       {{"stage", r.peak().id}, {"live_bytes", r.peak().live_bytes()}, {"op", json(r.peak().peak)}, {"alive", alive}}},
      {"device",
       {{"modelled_live_bytes", r.device.live},
        {"in_the_allocator", json(r.device.allocated)},
        {"max_memory_allocated_bytes", r.device.max_memory_allocated()},
        {"kept_by_the_allocator", json(r.device.reserved)},
        {"max_memory_reserved_bytes", r.device.max_memory_reserved()},
        {"outside_the_allocator", json(r.device.driver)},
        {"nvidia_smi_bytes", r.device.nvidia_smi()}}},
      {"loading", json(r.loading)},
      {"host", json(r.host)},
      {"notes", r.notes}};
  if (r.record) out["reserved_at_peak"] = json(*r.record);
  return out.dump(2);
}

}  // namespace modelmeter
