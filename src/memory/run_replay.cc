#include "memory/run_replay.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>

#include "base/checked.h"
#include "memory/allocation_replay.h"

namespace modelmeter {
namespace {

// Loops as short as those over chunks of a video are traced in full; tokens are not.
constexpr int64_t unrolled = 256;

// Tensors of a module on the device.
std::vector<int64_t> tensors_of(const Resident& r) {
  std::vector<int64_t> out;
  if (r.layer != nullptr) out = resident_tensors(*r.layer, r.offload);
  const int64_t rest = std::accumulate(out.begin(), out.end(), r.bytes, std::minus<>());
  if (rest > 0) out.push_back(rest);
  return out;
}

// A model's tensors as module.to() goes through them, those of its children first: bytes in float32, and as they are.
struct Cast {
  int64_t from, to;
};
void add_casts(const BaseLayer& layer, std::vector<Cast>& out) {
  for (const BaseLayer::Child& child : layer.children()) {
    for (int64_t i = 0; i < child.count; ++i) add_casts(*child.layer, out);
  }
  for (const BaseLayer::Parameter& p : layer.parameters()) {
    const int64_t to = p.spec.bytes(), element = size_of(DType::float32);
    out.push_back({is_floating_point(p.spec.dtype) ? checked_mul(p.numel, element, "the weights in float32") : to, to});
  }
}

class Runner {
 public:
  Runner(const Trace& trace, const Stack& stack, const AllocatorSettings& settings)
      : trace_(trace), stack_(stack), allocator_(stack.allocator, settings) {}

  // Models come in float32 and are cast, tensor by tensor. False: no room.
  bool load(const std::vector<LoadedModel>& models) {
    for (const LoadedModel& model : models) {
      if (!model.cast_on_device) continue;
      begin_stage();
      const bool fits = load_and_cast(model);
      out_.loading = {{"loading " + model.what, allocator_.peak_allocated(), allocator_.peak_reserved()}};
      keep_peaks();
      if (!fits) return false;
    }
    return true;
  }

  // What `there` lists and is not there comes, what is there and it does not list goes. False: no room.
  bool move_weights(const Residents& there, const std::string& stage) {
    for (auto held = held_.begin(); held != held_.end();) {
      const bool stays =
          std::any_of(there.list.begin(), there.list.end(), [&](const Resident& r) { return r.what == held->first; });
      if (!stays) free(held->second);
      held = stays ? std::next(held) : held_.erase(held);
    }
    if (there.empties_cache) allocator_.empty_cache();
    for (const Resident& r : there.list) {
      if (held_.count(r.what) != 0) continue;
      Blocks& blocks = held_[r.what];
      for (const int64_t bytes : tensors_of(r)) {
        if (!allocate(bytes, blocks, stage)) return false;
      }
    }
    return true;
  }

  // Ops [first, end), so often; what they leave goes with the stage. False: no room.
  bool run(const std::string& stage, int32_t first, int32_t end, int64_t input_bytes) {
    Blocks inputs;
    if (input_bytes > 0 && !allocate(input_bytes, inputs, stage)) return false;
    const AllocationProgram program = allocation_program(trace_, first, end, stack_);
    if (!take_cublas_workspace(stage, first, end)) return false;
    out_.allocated_before = allocator_.allocated();
    AllocationReplay replay(program, allocator_);
    const bool fits = replay.run();
    if (!fits) {
      const Op& op = trace_.ops[static_cast<size_t>(replay.failed_op())];
      out_.failed = {{stage, replay.failed_bytes(), allocator_.allocated(), allocator_.reserved(),
                      "aten." + std::string(info(op.kernel).name), trace_.path(op.scope)}};
    }
    replay.free_rest();
    free(inputs);
    return fits;
  }

  void begin_stage() { allocator_.reset_peaks(); }
  void end_stage(const std::string& id) {
    out_.stages.push_back({id, allocator_.peak_allocated(), allocator_.peak_reserved()});
    keep_peaks();
  }
  RunReplay finish() {
    out_.retries = allocator_.retries();
    return std::move(out_);
  }

 private:
  using Blocks = std::vector<CachingAllocator::Block>;

  bool load_and_cast(const LoadedModel& model) {
    const std::string stage = "loading " + model.what;
    std::vector<Cast> casts;
    add_casts(*model.layer, casts);
    Blocks first, last;
    int64_t live = 0;
    bool fits = true;
    for (const Cast& cast : casts) {
      fits = fits && allocate(cast.from, first, stage);
      live = checked_add(live, cast.from, "the weights in float32");
    }
    size_t next = 0;
    for (const Cast& cast : casts) {
      if (!fits || cast.from == 0) continue;
      if (cast.from != cast.to) {
        out_.loading_live = std::max(out_.loading_live, live + cast.to);
        fits = allocate(cast.to, last, stage);
        allocator_.free(first[next]);
        live += cast.to - cast.from;
      } else {
        last.push_back(first[next]);
      }
      first[next++] = CachingAllocator::none;
    }
    first.erase(std::remove(first.begin(), first.end(), CachingAllocator::none), first.end());
    last.insert(last.end(), first.begin(), first.end());
    held_[model.what] = std::move(last);
    return fits;
  }

  void keep_peaks() {
    out_.peak_allocated = std::max(out_.peak_allocated, allocator_.peak_allocated());
    out_.peak_reserved = std::max(out_.peak_reserved, allocator_.peak_reserved());
  }

  bool allocate(int64_t bytes, Blocks& blocks, const std::string& stage) {
    if (bytes == 0) return true;
    const CachingAllocator::Block block = allocator_.allocate(bytes);
    if (block != CachingAllocator::none) return blocks.push_back(block), true;
    out_.failed = {{stage, bytes, allocator_.allocated(), allocator_.reserved(), "", ""}};
    return false;
  }
  void free(Blocks& blocks) {
    for (const CachingAllocator::Block block : blocks) allocator_.free(block);
    blocks.clear();
  }

  // The first matrix product makes a handle of cuBLAS, which keeps its workspace.
  bool take_cublas_workspace(const std::string& stage, int32_t first, int32_t end) {
    if (!cublas_.empty()) return true;
    const auto product = [&](const Op& op) { return info(op.kernel).kind == OpKind::matmul; };
    const auto* const ops = trace_.ops.data();
    if (std::none_of(ops + first, ops + end, product)) return true;
    out_.cublas_workspace = stack_.cublas_workspace.value;
    return allocate(out_.cublas_workspace, cublas_, stage);
  }

  const Trace& trace_;
  const Stack& stack_;
  CachingAllocator allocator_;
  std::map<std::string, Blocks> held_;  // weights, by whose
  Blocks cublas_;
  RunReplay out_;
};

struct OpRange {
  int32_t first = 0, end = 0;
};

OpRange ops_within(const Trace& trace, int32_t scope) {
  OpRange out;
  const auto within = [&](const Op& op) { return trace.is_within(op.scope, scope); };
  const Op* const first = std::find_if(trace.ops.begin(), trace.ops.end(), within);
  out.first = static_cast<int32_t>(first - trace.ops.begin());
  out.end = static_cast<int32_t>(std::find_if_not(first, trace.ops.end(), within) - trace.ops.begin());
  return out;
}

}  // namespace

Residents residents_of(const AnalyticModel& model, const std::string& id) {
  for (const auto& stage : model.stages()) {
    if (stage->id() == id) return model.residents(*stage);
  }
  return model.residents(*model.stages().front());
}

RunReplay replay_run(const AnalyticModel& model, const Stack& stack, const AllocatorSettings& settings,
                     const std::string& only) {
  Tracer tracer;
  tracer.unrolls = unrolled;
  model.trace(tracer);
  const Trace& trace = tracer.trace();
  std::vector<Residence> residences = trace.residences;
  std::sort(residences.begin(), residences.end(),
            [](const Residence& a, const Residence& b) { return a.scope < b.scope; });
  Runner runner(trace, stack, settings);
  if (only.empty() && !runner.load(model.loading())) return runner.finish();
  for (const Residence& residence : residences) {
    const std::string id(trace.scopes[static_cast<size_t>(residence.scope)].name);
    if (!only.empty() && id != only) continue;
    const Residents there = residents_of(model, id);
    runner.begin_stage();
    bool fits = runner.move_weights(there, id);
    if (fits && residence.on_device) {
      const OpRange ops = ops_within(trace, residence.scope);
      fits = runner.run(id, ops.first, ops.end, residence.given_bytes - there.bytes());
    }
    runner.end_stage(id);
    if (!fits) break;
  }
  return runner.finish();
}

RunReplay replay_forward(const Stage& stage, const Stack& stack, const AllocatorSettings& settings) {
  Tracer tracer;
  tracer.unrolls = unrolled;
  stage.trace_forward(tracer);
  const Trace& trace = tracer.trace();
  Runner runner(trace, stack, settings);
  const int64_t weights = stage.weight_and_buffer_bytes();
  Residents there;
  there.list = {{stage.id(), weights, &stage.layer(), {}}};
  bool fits = runner.move_weights(there, stage.id());
  for (int forward = 0; fits && forward < 2; ++forward) {
    runner.begin_stage();
    fits = runner.run(stage.id(), 0, static_cast<int32_t>(trace.ops.size()), trace.given_bytes - weights);
    if (forward == 1 || !fits) runner.end_stage(stage.id());
  }
  return runner.finish();
}

}  // namespace modelmeter
