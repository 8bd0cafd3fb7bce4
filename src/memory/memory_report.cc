#include "memory/memory_report.h"

#include <fmt/format.h>

#include <algorithm>
#include <map>

#include "base/checked.h"
#include "base/edit_distance.h"
#include "base/error.h"
#include "cost/live_memory.h"
#include "memory/workspace.h"

namespace modelmeter {
namespace {

constexpr char live_memory[] = "live memory";

class MemoryBuilder {
 public:
  MemoryBuilder(const AnalyticModel& model, const Evaluation& run, const std::string& only, const Stack& stack,
                const AllocatorSettings& settings, bool records)
      : model_(model), stack_(stack), run_(run) {
    rises_ = rises(trace());
    streamed_ = streamed_weights(trace());
    out_.model = model.class_name();
    out_.workload = model.profile_id();
    out_.runtime = model.runtime_fields();
    out_.notes = model.notes();
    std::vector<Residence> residences = trace().residences;
    std::sort(residences.begin(), residences.end(),
              [](const Residence& a, const Residence& b) { return a.scope < b.scope; });
    check_stage(only, residences);
    for (const Residence& residence : residences) {
      if (only.empty() || only == name_of(residence)) add(residence);
    }
    replay(settings, only, records);
  }

  MemoryReport finish() {
    for (size_t i = 1; i < out_.stages.size(); ++i) {
      if (out_.stages[i].live_bytes() > out_.peak().live_bytes()) out_.peak_stage = i;
    }
    list_alive();
    return std::move(out_);
  }

 private:
  const Trace& trace() const { return run_.trace(); }

  std::string name_of(const Residence& residence) const {
    return std::string(trace().scopes[static_cast<size_t>(residence.scope)].name);
  }

  void check_stage(const std::string& id, const std::vector<Residence>& residences) const {
    std::vector<std::string> known;
    for (const Residence& residence : residences) known.push_back(name_of(residence));
    if (id.empty() || std::find(known.begin(), known.end(), id) != known.end()) return;
    throw Error(fmt::format("there is no stage '{}'", id), {}, name_notes(id, known, "stages"));
  }

  // How often what runs in it is run: the repetitions directly in its scope.
  int64_t forwards(int32_t scope) const {
    int64_t times = 0;
    for (int32_t child = trace().scopes[static_cast<size_t>(scope)].first_child; child >= 0;
         child = trace().scopes[static_cast<size_t>(child)].next_sibling) {
      const Scope& s = trace().scopes[static_cast<size_t>(child)];
      if (s.kind == ScopeKind::repetition) times += s.count;
    }
    return checked_mul(trace().executions(scope), std::max<int64_t>(times, 1), "the number of repetitions");
  }

  MemoryOp memory_op(int32_t index) const {
    if (index < 0) return {};
    const Op& op = trace().ops[static_cast<size_t>(index)];
    return {index, trace().kernel_name(op), trace().path(op.scope)};
  }

  void add(const Residence& residence) {
    StageMemory s;
    s.id = name_of(residence);
    s.forwards = forwards(residence.scope);
    s.residents = residents_of(model_, s.id);
    s.transfers = weight_transfers(trace(), residence);
    s.input_bytes = residence.given_bytes - s.residents.bytes();
    const auto& ops = trace().ops;
    while (next_op_ < ops.size() && !trace().is_within(ops[next_op_].scope, residence.scope)) ++next_op_;
    s.first_op = static_cast<int32_t>(next_op_);
    int32_t peak = -1;
    int64_t highest = -1;
    for (; next_op_ < ops.size() && trace().is_within(ops[next_op_].scope, residence.scope); ++next_op_) {
      const Op& op = ops[next_op_];
      const auto scope = static_cast<size_t>(op.scope);
      const int64_t streamed = residence.on_device ? streamed_[next_op_] : 0;
      const int64_t held = checked_add(residence.given_bytes, streamed, live_memory);
      const int64_t activations = residence.on_device ? highest_live(trace(), op, rises_[scope]) - streamed : 0;
      s.held.push_back(held);
      s.live.push_back(checked_add(held, activations, live_memory));
      out_.ops_run = checked_add(out_.ops_run, run_.rollup().executions[scope], "the number of kernels");
      if (residence.on_device) raise_workspace(s, static_cast<int32_t>(next_op_), s.live.back());
      if (s.live.back() <= highest) continue;
      highest = s.live.back();
      peak = static_cast<int32_t>(next_op_);
      s.activation_bytes = activations;
      s.streamed_bytes = streamed;
    }
    out_.ops_recorded += static_cast<int64_t>(s.live.size());
    if (residence.on_device && peak >= 0) {
      s.peak = memory_op(peak);
      s.workspace_peak = memory_op(s.workspace_peak.index);
      add_roles(s, alive_at(trace(), peak));
    }
    out_.stages.push_back(std::move(s));
  }

  void raise_workspace(StageMemory& s, int32_t index, int64_t live) const {
    const int64_t workspace = workspace_bytes(trace(), trace().ops[static_cast<size_t>(index)], stack_);
    const int64_t sum = checked_add(live, workspace, live_memory);
    if (sum <= s.with_workspace_bytes) return;
    s.with_workspace_bytes = sum;
    s.workspace_peak.index = index;
  }

  void replay(const AllocatorSettings& settings, const std::string& only, bool records) {
    StagePrograms programs(stack_);
    replay_ = replay_run(model_, trace(), programs, settings, only);
    out_.host = host_memory(model_);
    for (const ReplayedStage& r : replay_.loading) {
      out_.loading = {r.id, replay_.loading_live, r.peak_allocated, r.peak_reserved};
    }
    if (records) out_.record = record_run(model_, trace(), programs, settings, replay_, only);
    for (StageMemory& s : out_.stages) {
      for (const ReplayedStage& r : replay_.stages) {
        if (r.id != s.id || !s.residents.on_device) continue;
        s.allocated_bytes = r.peak_allocated;
        s.reserved_bytes = r.peak_reserved;
      }
    }
  }

  static void add_roles(StageMemory& s, const Alive& alive) {
    std::map<std::string, int64_t> roles;
    for (const AliveTensor& t : alive.tensors) {
      if (t.tensor->storage->role != nullptr && t.tensor->storage->role != streamed_role)
        roles[t.tensor->storage->role] += t.bytes;
    }
    for (const auto& [name, bytes] : roles) s.roles.push_back({name, bytes});
  }

  void list_alive() {
    const StageMemory& s = out_.peak();
    const auto add_plain = [&](AliveRow::Kind kind, const std::string& what, int64_t bytes) {
      if (bytes > 0) out_.alive.push_back({kind, what, bytes, {}, {}, {}, false, {}});
    };
    for (const Resident& r : s.residents.list) add_plain(AliveRow::Kind::weights, r.what, r.bytes);
    add_plain(AliveRow::Kind::weights, "of the running modules", s.streamed_bytes);
    Alive alive;
    if (s.peak.index >= 0) alive = alive_at(trace(), s.peak.index);
    // Where inputs have gone by then, less is there than was made since.
    add_plain(AliveRow::Kind::inputs, "inputs, what is held", s.input_bytes + std::min<int64_t>(alive.other, 0));
    if (s.peak.index >= 0) {
      for (const AliveTensor& t : alive.tensors) {
        if (t.tensor->storage->role != streamed_role) out_.alive.push_back(tensor_row(t));
      }
      add_plain(AliveRow::Kind::other, "grown with repetitions", alive.other);
    }
    int64_t with_workspace = 0, live = 0;
    for (const StageMemory& stage : out_.stages) with_workspace = std::max(with_workspace, stage.with_workspace_bytes);
    for (const AliveRow& row : out_.alive) live = checked_add(live, row.bytes, live_memory);
    if (live != s.live_bytes()) {
      throw Error(ErrorCode::internal,
                  fmt::format("what is alive at the peak adds up to {} bytes, not to its {}", live, s.live_bytes()));
    }
    RunReplay replay = replay_;
    if (out_.peaks_while_loading()) {  // before a kernel of a library ran
      live = with_workspace = out_.loading.live_bytes;
      replay.cublas_workspace = 0;
    }
    out_.device = device_memory(live, with_workspace, replay, stack_);
  }

  AliveRow tensor_row(const AliveTensor& t) const {
    const TensorMeta& meta = *t.tensor;
    AliveRow row;
    row.bytes = t.bytes;
    row.dtype = short_name(meta.dtype);
    row.shape = meta.sizes.to_string();
    row.role = meta.storage->role == nullptr ? "" : meta.storage->role;
    row.grown = t.bytes != meta.storage->bytes;
    row.made_by = memory_op(t.made_by);
    return row;
  }

  const AnalyticModel& model_;
  const Stack& stack_;
  const Evaluation& run_;
  std::vector<Rise> rises_;
  std::vector<int64_t> streamed_;  // by op
  size_t next_op_ = 0;
  RunReplay replay_;
  MemoryReport out_;
};

}  // namespace

int64_t StageMemory::weight_bytes() const { return checked_add(residents.bytes(), streamed_bytes, live_memory); }

int64_t StageMemory::live_bytes() const {
  return checked_add(checked_add(weight_bytes(), input_bytes, live_memory), activation_bytes, live_memory);
}

MemoryReport build_memory_report(const AnalyticModel& model, const Evaluation& run, const std::string& stage,
                                 const Stack& stack, const AllocatorSettings& settings, bool records) {
  return MemoryBuilder(model, run, stage, stack, settings, records).finish();
}

}  // namespace modelmeter
