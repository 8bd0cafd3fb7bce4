#include "model/recordings/replay.h"

#include <fmt/format.h>

#include <algorithm>
#include <optional>

#include "base/checked.h"
#include "base/error.h"
#include "cost/op_cost.h"
#include "model/recordings/kernel_kinds.h"
#include "model/recordings/storages.h"

namespace modelmeter::recordings {
namespace {

constexpr size_t most_operands = 120;  // of each side of an op: what is past them is in no list
constexpr char host_prefix[] = "cpu:";
constexpr int64_t softmax_of_score = 6;  // cost/op_factors.h

// --- operands --------------------------------------------------------------------------------------------------------

bool is_on_host(const RecordedTensor& tensor) { return tensor.dtype.rfind(host_prefix, 0) == 0; }

int64_t distinct_bytes(const TensorMeta& meta, int64_t element) {
  if (meta.contiguous()) return checked_mul(meta.numel, element, "the size of a tensor in bytes");
  int64_t distinct = meta.numel == 0 ? 0 : 1;
  for (int d = 0; d < meta.sizes.rank(); ++d) {
    if ((*meta.own_strides)[d] != 0) distinct = checked_mul(distinct, meta.sizes[d], "the size of a tensor");
  }
  return checked_mul(distinct, element, "the size of a tensor in bytes");
}

class Operands {
 public:
  Operands(Trace& trace, RecordedStorages& storages) : trace_(trace), storages_(storages) {}

  const TensorMeta* make(const RecordedTensor& tensor, bool output, size_t op) {
    TensorMeta* meta = trace_.metas.add();
    const bool host = is_on_host(tensor);
    meta->dtype = dtype_of(host ? tensor.dtype.substr(sizeof host_prefix - 1) : tensor.dtype);
    meta->sizes = tensor.sizes;
    meta->numel = tensor.sizes.numel();
    meta->offset = tensor.offset;
    meta->own_strides = nullptr;
    if (tensor.strided && !is_contiguous(tensor.sizes, tensor.strides)) {
      Shape* own = trace_.strides.add();
      *own = tensor.strides;
      meta->own_strides = own;
    }
    meta->bytes = distinct_bytes(*meta, size_of(meta->dtype));
    meta->storage = storages_.of(tensor, host, output, op);
    if (tensor.storage >= 0 && !host) expect_room(*meta);
    return meta;
  }

 private:
  static void expect_room(const TensorMeta& meta) {
    if (meta.numel == 0) return;
    const Shape strides = meta.strides();
    int64_t last = meta.offset;
    for (int d = 0; d < meta.sizes.rank(); ++d) {
      last = checked_add(last, checked_mul(meta.sizes[d] - 1, strides[d], "a place in memory"), "a place in memory");
    }
    const int64_t end = checked_mul(last + 1, size_of(meta.dtype), "a place in memory");
    if (end <= meta.storage->bytes) return;
    throw Error(fmt::format("an operand {} of {} ends at byte {} of a storage of {}", meta.sizes.to_string(),
                            short_name(meta.dtype), end, meta.storage->bytes));
  }

  DType dtype_of(const std::string& name) {
    if (name != name_) {
      dtype_ = parse_dtype(name);
      name_ = name;
    }
    return dtype_;
  }

  Trace& trace_;
  RecordedStorages& storages_;
  std::string name_;
  DType dtype_ = DType::float32;
};

// --- kernels ---------------------------------------------------------------------------------------------------------

bool product_fits(const Launch& op) {
  if (op.inputs < 2) return false;
  const Shape &a = op.input(op.inputs - 2).sizes, &b = op.input(op.inputs - 1).sizes, &out = op.output(0).sizes;
  if (op.kernel == Kernel::grouped_mm) return op.input(0).sizes.rank() == 2 && op.input(1).sizes.rank() == 3;
  return (a.rank() == 2 || a.rank() == 3) && b.rank() >= 1 && out.rank() >= 1;
}

bool convolution_fits(const Launch& op) {
  if (op.inputs < 2) return false;
  const TensorMeta &x = op.input(0), &weight = op.input(1), &out = op.output(0);
  const int rank = out.sizes.rank();
  return rank >= 3 && rank <= 5 && x.sizes.rank() == rank && weight.sizes.rank() == rank && x.numel > 0 &&
         weight.numel > 0;
}

bool attention_fits(const Launch& op) {
  if (op.inputs < 3) return false;
  const int rank = op.input(0).sizes.rank();
  return (rank == 3 || rank == 4) && op.input(1).sizes.rank() == rank && op.input(2).sizes.rank() == rank;
}

// Whether the kernel's own rules can be asked about these operands.
bool fits(const Launch& op) {
  const KernelInfo& kernel = info(op.kernel);
  if (kernel.kind == OpKind::allocate) return true;
  if (op.outputs == 0 || (kernel.reads != Reads::none && op.inputs == 0)) return false;
  if (kernel.basis == Basis::input && op.inputs == 0) return false;
  switch (kernel.kind) {
    case OpKind::matmul: return product_fits(op);
    case OpKind::conv: return convolution_fits(op);
    case OpKind::attention: return attention_fits(op);
    default: return true;
  }
}

// Sequences, longest query, longest key, as far as the operands say: of packed sequences that are equally long.
std::array<int64_t, 3> attention_params(const Launch& op) {
  const Shape &q = op.input(0).sizes, &k = op.input(1).sizes;
  if (op.kernel != Kernel::flash_attention_forward) return {q[0], q[q.rank() - 2], k[k.rank() - 2]};
  if (q.rank() == 4) return {q[0], q[1], k[1]};
  const int64_t sequences = op.inputs > 3 ? std::max<int64_t>(op.input(3).numel - 1, 1) : 1;
  return {sequences, q[0] / sequences, k[0] / sequences};
}

// --- the replay ------------------------------------------------------------------------------------------------------

class Replay {
 public:
  // `start`: what the live memory of the trace is above, in that of the recording; `before`: live memory of the
  // recording before the first op.
  Replay(const Recording& recording, const RecordedStage& stage, int64_t start, int64_t before, Tracer& tracer)
      : recording_(recording),
        stage_(stage),
        start_(start),
        tracer_(tracer),
        trace_(tracer.trace()),
        storages_(recording, stage, tracer, before),
        operands_(trace_, storages_) {}

  void run(const RecordedLayers& layers) {
    tracer_.enter_module("", layers.root().class_name(), &layers.root());
    for (size_t i = stage_.first; i < stage_.end; ++i) {
      const RecordedOp& op = recording_.ops[i];
      enter(layers, op.scope);
      try {
        add(op, i);
      } catch (const Error& error) {
        throw Error(fmt::format("op {} of the recording, {} in \"{}\": {}", i, op.kernel, op.scope, error.message()),
                    {}, error.notes());
      }
    }
    enter(layers, "");
    tracer_.leave();
    storages_.end_stage();
  }

  // Calls as they were recorded, where one scope is all there is of a module.
  void set_calls(const RecordedLayers& layers) {
    std::unordered_map<std::string, std::vector<int32_t>> scopes;
    for (const auto& [scope, module] : entered_) scopes[module].push_back(scope);
    for (const auto& [module, of] : scopes) {
      const int64_t calls = layers.calls_of(module);
      if (of.size() == 1 && calls > 0) trace_.scopes[static_cast<size_t>(of.front())].calls = calls;
    }
  }

 private:
  // From the module that was entered last: out of what is not above the next, and into that.
  void enter(const RecordedLayers& layers, const std::string& module) {
    if (module == module_) return;
    const std::vector<ModuleStep>& steps = layers.steps_to(module);
    size_t common = 0;
    const auto same = [&](size_t i) { return open_[i].layer == steps[i].layer && open_[i].index == steps[i].index; };
    while (common < std::min(open_.size(), steps.size()) && same(common)) ++common;
    for (; open_.size() > common; open_.pop_back()) leave();
    for (size_t i = common; i < steps.size(); ++i) {
      const BaseLayer& layer = *steps[i].layer;
      if (is_block(i, steps)) tracer_.enter_repetition(1);
      const int32_t scope = tracer_.enter_module(layer.name(), layer.class_name(), &layer, steps[i].index);
      open_.push_back(steps[i]);
      entered_.try_emplace(scope, trace_.path(scope));
    }
    module_ = module;
  }

  // The outermost that is a member of a list: as native models have their blocks, each a region of what is compiled
  // (trace/region.h).
  static bool is_block(size_t step, const std::vector<ModuleStep>& steps) {
    const auto in_list = [](const ModuleStep& s) { return s.index >= 0; };
    const auto at = steps.begin() + static_cast<std::ptrdiff_t>(step);
    return in_list(*at) && std::none_of(steps.begin(), at, in_list);
  }
  void leave() {
    tracer_.leave();
    if (is_block(open_.size() - 1, open_)) tracer_.leave();
  }

  void add(const RecordedOp& recorded, size_t index) {
    storages_.begin(index);
    Op& op = *trace_.ops.add();
    op = {};
    op.scope = tracer_.scope();
    op.causal = recorded.detail.causal;
    op.tf32 = recorded.detail.tf32;
    op.stream = recorded.detail.stream;
    op.last = -1;
    op.live = checked_add(recorded.live, -start_, "live memory");
    add_operands(recorded, op, index);
    choose_kernel(recorded, op);
    storages_.end(index);
  }

  void add_operands(const RecordedOp& recorded, Op& op, size_t index) {
    op.operands = static_cast<int32_t>(trace_.operands.size());
    op.inputs = static_cast<uint8_t>(std::min(recorded.inputs.size(), most_operands));
    op.outputs = static_cast<uint8_t>(std::min(recorded.outputs.size(), most_operands));
    for (size_t i = 0; i < op.inputs; ++i) {
      const TensorMeta* meta = operands_.make(recorded.inputs[i], false, index);
      bool seen = false;
      for (size_t k = 0; k < i && !seen; ++k) seen = trace_.input(op, static_cast<int>(k)).same_as(*meta);
      if (!seen) op.input_bytes = checked_add(op.input_bytes, meta->bytes, "the number of bytes moved");
      trace_.operands.push_back(meta);
    }
    for (size_t i = 0; i < op.outputs; ++i) {
      const TensorMeta* meta = operands_.make(recorded.outputs[i], true, index);
      op.output_bytes = checked_add(op.output_bytes, meta->bytes, "the number of bytes moved");
      trace_.operands.push_back(meta);
    }
    op.in_place = op.inputs > 0 && op.outputs > 0 && trace_.input(op, 0).storage == trace_.output(op, 0).storage;
  }

  void choose_kernel(const RecordedOp& recorded, Op& op) {
    std::optional<int64_t> vector;
    if (const std::optional<Kernel> own = kernel_named(recorded.kernel)) {
      op.kernel = *own;
      if (fits(launch_of(trace_, op))) {
        set_params(recorded, op);
        const OpCost cost = cost_of(trace_, op);
        if (cost.flops_torch() == recorded.flops && cost.bytes_read == recorded.read &&
            cost.bytes_written == recorded.write) {
          return;
        }
        vector = cost.flops_vector;
      }
    }
    OpKind kind = kind_of_name(recorded.kernel);
    const bool does_nothing = recorded.flops == 0 && recorded.read == 0 && recorded.write == 0;
    op.params = {};
    if (does_nothing && (kind == OpKind::allocate || op.output_bytes == 0)) {
      op.kernel = Kernel::empty;
      return;
    }
    if (recorded.flops > 0 && kind != OpKind::conv && kind != OpKind::attention) kind = OpKind::matmul;
    op.kernel = recorded_kernel_of(kind);
    op.params[0] = static_cast<int64_t>(trace_.recorded.size());
    trace_.recorded.push_back({recorded.kernel, recorded.flops, vector ? *vector : vector_flops(recorded, op, kind),
                               recorded.read, recorded.write});
  }

  void set_params(const RecordedOp& recorded, Op& op) const {
    const OpKind kind = info(op.kernel).kind;
    if (kind == OpKind::attention) {
      op.params = recorded.detail.attention ? *recorded.detail.attention : attention_params(launch_of(trace_, op));
    } else if (kind == OpKind::conv) {
      const int dims = trace_.output(op, 0).sizes.rank() - 2;
      Shape ones, zeros;
      for (int d = 0; d < dims; ++d) ones.push_back(1), zeros.push_back(0);
      const auto& given = recorded.detail.convolution;
      op.params = given ? conv_params({(*given)[0], (*given)[1], (*given)[2]}) : conv_params({ones, zeros, ones});
    }
  }

  int64_t vector_flops(const RecordedOp& recorded, const Op& op, OpKind kind) const {
    if (kind == OpKind::attention && op.inputs > 0) {  // of each score, two products of the width of a head
      const Shape& q = trace_.input(op, 0).sizes;
      const int64_t width = q.rank() == 0 ? 1 : std::max<int64_t>(q[q.rank() - 1], 1);
      return checked_mul(recorded.flops / (4 * width), softmax_of_score, "the number of FLOPs");
    }
    if (kind == OpKind::matmul || kind == OpKind::conv) return 0;
    const Arithmetic arithmetic = arithmetic_of_name(recorded.kernel);
    int64_t elements = 0;
    if (arithmetic.of_input && op.inputs > 0) {
      elements = trace_.input(op, 0).numel;
    } else {
      for (const RecordedTensor& t : recorded.outputs) {
        elements = checked_add(elements, t.sizes.numel(), "the number of elements");
      }
    }
    return checked_mul(elements, arithmetic.per_element, "the number of FLOPs");
  }

  const Recording& recording_;
  const RecordedStage& stage_;
  const int64_t start_;
  Tracer& tracer_;
  Trace& trace_;
  RecordedStorages storages_;
  Operands operands_;
  std::vector<ModuleStep> open_;
  std::string module_;
  std::unordered_map<int32_t, std::string> entered_;
};

// Right before the stage's first op, above the start of the recording.
int64_t live_before(const Recording& recording, const RecordedStage& stage) {
  const auto first = static_cast<int64_t>(stage.first);
  if (first == 0) return 0;
  if (recording.storages.empty()) return recording.ops[stage.first - 1].live;
  int64_t live = 0;
  for (const RecordedStorage& s : recording.storages) {
    const bool came = s.born >= 0 && s.born < first, went = s.died >= 0 && s.died <= first;
    if (came && !went) live = checked_add(live, s.bytes, "live memory");
    if (s.born < 0 && went) live = checked_add(live, -s.bytes, "live memory");
  }
  return live;
}

}  // namespace

void replay(const Recording& recording, const RecordedStage& stage, const RecordedLayers& layers, bool after_others,
            Tracer& tracer) {
  const int64_t before = live_before(recording, stage);
  int64_t& given = tracer.trace().given_bytes;
  if (!after_others) given = checked_add(given, before, "live memory");
  Replay run(recording, stage, after_others ? 0 : before, before, tracer);
  run.run(layers);
  if (recording.stages.size() < 2) run.set_calls(layers);
}

}  // namespace modelmeter::recordings
