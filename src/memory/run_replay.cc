#include "memory/run_replay.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <optional>
#include <utility>

#include "base/checked.h"
#include "memory/allocation_replay.h"

namespace modelmeter {
namespace {

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
  Runner(const Stack& stack, const AllocatorSettings& settings, AllocationRecord* record = nullptr)
      : stack_(stack),
        allocator_(stack.allocator, settings),
        expandable_(settings.expandable_segments),
        record_(record) {
    if (record != nullptr) allocator_.log_to(&record->log);
  }

  // Models come in float32 and are cast, tensor by tensor. False: no room.
  bool load(const std::vector<LoadedModel>& models) {
    for (const LoadedModel& model : models) {
      if (!model.cast_on_device) continue;
      begin_stage();
      set_maker("weights: " + model.what);
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
      set_maker("weights: " + r.what);
      for (const int64_t bytes : tensors_of(r)) {
        if (!allocate(bytes, blocks, stage)) return false;
      }
    }
    return true;
  }

  // What the program leaves goes with the stage, but for what later ones have of it. False: no room. `number`:
  // AllocationMaker::of of its ops.
  bool run(const std::string& stage, const AllocationProgram& program, int64_t input_bytes, int32_t number = -1) {
    Blocks inputs;
    set_maker("inputs of " + stage);
    if (input_bytes > 0 && !allocate(input_bytes, inputs, stage)) return false;
    if (!take_cublas_workspace(stage, program)) return false;
    out_.allocated_before = allocator_.allocated();
    AllocationReplay replay(program, allocator_, number);
    if (!give(program, replay, stage)) return false;
    const bool fits = replay.run();
    if (!fits) {
      out_.failed = {{stage, replay.failed_bytes(), allocator_.allocated(), allocator_.reserved(), replay.failed_op()}};
    }
    keep(program, replay);
    replay.free_rest();
    free(inputs);
    return fits;
  }

  // The same of the last stage, which may be like one that is known.
  bool run_last(const std::string& stage, const AllocationProgram& program, int64_t input_bytes, KnownRuns& known) {
    const std::optional<uint64_t> shape = allocator_.shape();
    if (!shape || !program.found.empty() || !program.left.empty()) return run(stage, program, input_bytes);
    const KnownRuns::Key key{&program, *shape, input_bytes, cublas_.empty() && program.multiplies, expandable_};
    const int64_t room = allocator_.room(), allocated = allocator_.allocated(), reserved = allocator_.reserved();
    if (const std::optional<KnownRun> like = known.find(key, room)) {
      allocator_.raise_peaks(allocated + like->peak_allocated, reserved + like->peak_reserved);
      retries_ += like->retries;
      if (!like->fits) {
        out_.failed = {
            {stage, like->failed_bytes, allocated + like->allocated, reserved + like->reserved, like->failed_op}};
      }
      return like->fits;
    }
    // Its own peaks are asked for, not those of weights that came before it: they are there when it begins.
    KnownRun now{room};
    const int64_t retries = allocator_.retries(), most_allocated = allocator_.peak_allocated(),
                  most_reserved = allocator_.peak_reserved();
    allocator_.reset_peaks();
    now.fits = run(stage, program, input_bytes);
    now.peak_allocated = allocator_.peak_allocated() - allocated;
    now.peak_reserved = allocator_.peak_reserved() - reserved;
    now.retries = allocator_.retries() - retries;
    allocator_.raise_peaks(most_allocated, most_reserved);
    for (const OutOfMemory& o : out_.failed) {
      now.failed_bytes = o.requested;
      now.allocated = o.allocated - allocated;
      now.reserved = o.reserved - reserved;
      now.failed_op = o.op;
    }
    known.add(key, now);
    return now.fits;
  }

  void begin_stage() { allocator_.reset_peaks(); }
  void end_stage(const std::string& id) {
    out_.stages.push_back({id, allocator_.peak_allocated(), allocator_.peak_reserved()});
    keep_peaks();
  }
  RunReplay finish() {
    out_.retries = allocator_.retries() + retries_;
    out_.fullest = allocator_.fullest();
    return std::move(out_);
  }

 private:
  using Blocks = std::vector<CachingAllocator::Block>;

  // What stages before left; where they did not run, it comes here.
  bool give(const AllocationProgram& program, AllocationReplay& replay, const std::string& stage) {
    set_maker("left to " + stage);
    for (const AllocationBetweenStages& found : program.found) {
      const auto known = between_stages_.find(found.number);
      if (known != between_stages_.end()) {
        replay.give(found.id, known->second);
        between_stages_.erase(known);
        continue;
      }
      Blocks made;
      if (!allocate(found.bytes, made, stage)) return false;
      replay.give(found.id, made.front());
    }
    return true;
  }
  void keep(const AllocationProgram& program, AllocationReplay& replay) {
    for (const auto* list : {&program.found, &program.left}) {
      for (const AllocationBetweenStages& of : *list) {
        const CachingAllocator::Block block = replay.take(of.id);
        if (block == CachingAllocator::none) continue;
        const auto [at, is_new] = between_stages_.try_emplace(of.number, block);
        if (is_new) continue;
        allocator_.free(at->second);  // of the forward before
        at->second = block;
      }
    }
  }

  bool load_and_cast(const LoadedModel& model) {
    const std::string stage = "loading " + model.what;
    set_maker(stage);
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
    out_.failed = {{stage, bytes, allocator_.allocated(), allocator_.reserved()}};
    return false;
  }
  void free(Blocks& blocks) {
    for (const CachingAllocator::Block block : blocks) allocator_.free(block);
    blocks.clear();
  }
  void set_maker(std::string what) {
    if (record_ == nullptr) return;
    allocator_.set_maker({static_cast<int32_t>(record_->makers.size()), -1});
    record_->makers.push_back({std::move(what), "", -1});
  }

  // The first matrix product makes a handle of cuBLAS, which keeps its workspace.
  bool take_cublas_workspace(const std::string& stage, const AllocationProgram& program) {
    if (!cublas_.empty() || !program.multiplies) return true;
    out_.cublas_workspace = stack_.cublas_workspace.value;
    set_maker("workspace of cuBLAS");
    return allocate(out_.cublas_workspace, cublas_, stage);
  }

  const Stack& stack_;
  CachingAllocator allocator_;
  const bool expandable_;
  AllocationRecord* record_;
  int64_t retries_ = 0;                 // of what is known
  std::map<std::string, Blocks> held_;  // weights, by whose
  Blocks cublas_;
  std::map<int32_t, CachingAllocator::Block> between_stages_;  // by AllocationBetweenStages::number
  RunReplay out_;
};

// Ops of the stage number i are those of the maker (numbers[i], op).
RunReplay replay(const std::vector<StageRun>& run, const std::vector<int32_t>& numbers,
                 const std::vector<LoadedModel>& loading, const Stack& stack, const AllocatorSettings& settings,
                 AllocationRecord* record, KnownRuns* known = nullptr) {
  Runner runner(stack, settings, record);
  if (!runner.load(loading)) return runner.finish();
  for (size_t i = 0; i < run.size(); ++i) {
    const StageRun& stage = run[i];
    runner.begin_stage();
    bool fits = runner.move_weights(*stage.there, stage.id);
    if (fits && stage.program != nullptr) {
      fits = known != nullptr && i + 1 == run.size()
                 ? runner.run_last(stage.id, *stage.program, stage.beside_bytes, *known)
                 : runner.run(stage.id, *stage.program, stage.beside_bytes, numbers[i]);
    }
    runner.end_stage(stage.id);
    if (!fits) break;
  }
  return runner.finish();
}

RunReplay replay(const AnalyticModel& model, const Trace& trace, StagePrograms& programs,
                 const AllocatorSettings& settings, const std::string& only, AllocationRecord* record) {
  const std::vector<Residence> residences = residences_in_order(trace);
  const std::vector<const AllocationProgram*> stages = programs(model, trace);
  std::vector<Residents> there(residences.size());
  std::vector<StageRun> run;
  std::vector<int32_t> numbers;
  for (size_t i = 0; i < residences.size(); ++i) {
    const std::string id(trace.scopes[static_cast<size_t>(residences[i].scope)].name);
    if (!only.empty() && id != only) continue;
    there[i] = residents_of(model, id);
    run.push_back(
        {id, &there[i], residences[i].given_bytes - there[i].bytes(), residences[i].on_device ? stages[i] : nullptr});
    numbers.push_back(static_cast<int32_t>(i));
  }
  const std::vector<LoadedModel> loading = only.empty() ? model.loading() : std::vector<LoadedModel>();
  return replay(run, numbers, loading, programs.stack(), settings, record);
}

// Ops among the makers of a log become makers by their own number.
void name_ops(const AnalyticModel& model, AllocationRecord& record) {
  Tracer unrolled;
  trace_unrolled(model, unrolled);
  const Trace& t = unrolled.trace();
  const std::vector<Residence> residences = residences_in_order(t);
  std::vector<int32_t> first;
  for (const Residence& residence : residences) first.push_back(ops_within(t, residence.scope).first);
  std::map<std::pair<int32_t, int32_t>, int32_t> known;
  const auto name = [&](AllocationMaker& maker) {
    if (maker.op < 0) return;
    const auto [at, is_new] = known.try_emplace({maker.of, maker.op}, static_cast<int32_t>(record.makers.size()));
    if (is_new) {
      const auto at_op = static_cast<size_t>(first[static_cast<size_t>(maker.of)]) + static_cast<size_t>(maker.op);
      const Op& op = t.ops[at_op];
      record.makers.push_back({t.kernel_name(op), t.path(op.scope), maker.op});
    }
    maker = {at->second, -1};
  };
  for (AllocationLog::Event& event : record.log.events) name(event.maker);
  for (AllocatorSegment& segment : record.log.segments) {
    for (AllocatorBlock& block : segment.blocks) name(block.maker);
  }
}

}  // namespace

Residents residents_of(const AnalyticModel& model, const std::string& id) {
  for (const auto& stage : model.stages()) {
    if (stage->id() == id) return model.residents(*stage);
  }
  return model.residents(*model.stages().front());
}

RunReplay replay_stages(const std::vector<StageRun>& run, const std::vector<LoadedModel>& loading, const Stack& stack,
                        const AllocatorSettings& settings, KnownRuns* known) {
  return replay(run, std::vector<int32_t>(run.size(), -1), loading, stack, settings, nullptr, known);
}

void name_failure(const AnalyticModel& model, RunReplay& replay) {
  if (replay.failed.empty() || replay.failed.front().op < 0) return;
  OutOfMemory& failed = replay.failed.front();
  Tracer unrolled;
  trace_unrolled(model, unrolled);
  const Trace& t = unrolled.trace();
  for (const Residence& residence : residences_in_order(t)) {
    if (t.scopes[static_cast<size_t>(residence.scope)].name != failed.stage) continue;
    const int32_t number = ops_within(t, residence.scope).first + failed.op;
    const Op& op = t.ops[static_cast<size_t>(number)];
    failed.kernel = t.kernel_name(op);
    failed.scope = t.path(op.scope);
    return;
  }
}

RunReplay replay_run(const AnalyticModel& model, const Trace& trace, StagePrograms& programs,
                     const AllocatorSettings& settings, const std::string& only) {
  RunReplay out = replay(model, trace, programs, settings, only, nullptr);
  name_failure(model, out);
  return out;
}

RunReplay replay_run(const AnalyticModel& model, const Stack& stack, const AllocatorSettings& settings,
                     const std::string& only) {
  Tracer tracer;
  model.trace(tracer);
  StagePrograms programs(stack);
  return replay_run(model, tracer.trace(), programs, settings, only);
}

AllocationRecord record_run(const AnalyticModel& model, const Trace& trace, StagePrograms& programs,
                            const AllocatorSettings& settings, const RunReplay& result, const std::string& only) {
  AllocationRecord out;
  out.log.last = result.fullest;
  replay(model, trace, programs, settings, only, &out);
  name_ops(model, out);
  return out;
}

RunReplay replay_forward(const Stage& stage, const Stack& stack, const AllocatorSettings& settings) {
  Tracer tracer;
  tracer.unrolls = unrolled_loops;
  stage.trace_forward(tracer);
  const Trace& trace = tracer.trace();
  const AllocationProgram program = allocation_program(trace, 0, static_cast<int32_t>(trace.ops.size()), stack,
                                                       stage.offload(stage.run()).record_stream);
  Runner runner(stack, settings);
  const int64_t weights = stage.weight_and_buffer_bytes();
  Residents there;
  there.list = {{stage.id(), weights, &stage.layer(), {}}};
  bool fits = runner.move_weights(there, stage.id());
  for (int forward = 0; fits && forward < 2; ++forward) {
    runner.begin_stage();
    fits = runner.run(stage.id(), program, trace.given_bytes - weights);
    if (forward == 1 || !fits) runner.end_stage(stage.id());
  }
  return runner.finish();
}

}  // namespace modelmeter
