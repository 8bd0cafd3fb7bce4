#include "timing/run_timer.h"

#include <algorithm>
#include <array>

#include "cost/executions.h"
#include "trace/distributed.h"

namespace modelmeter {
namespace {

__extension__ using Wide = unsigned __int128;

constexpr uint64_t split_mix(uint64_t& state) {
  uint64_t z = (state += 0x9e3779b97f4a7c15);
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9;
  z = (z ^ (z >> 27)) * 0x94d049bb133111eb;
  return z ^ (z >> 31);
}

constexpr size_t key_count = 64;
constexpr std::array<uint64_t, key_count> make_keys() {
  std::array<uint64_t, key_count> out{};
  uint64_t state = 1;
  for (uint64_t& key : out) key = split_mix(state);
  return out;
}
constexpr std::array<uint64_t, key_count> keys = make_keys();

// A sum of products of pairs for each op (NH of UMAC: the products wait for nothing), folded into one number.
class Signature {
 public:
  void add(uint64_t a, uint64_t b) {
    sum_ += static_cast<Wide>(a + keys[at_]) * (b + keys[at_ + 1]);
    at_ = (at_ + 2) % key_count;
  }
  void fold() {
    const uint64_t low = static_cast<uint64_t>(sum_), high = static_cast<uint64_t>(sum_ >> 64);
    const Wide product = static_cast<Wide>(state_ ^ low ^ keys[0]) * (high ^ keys[1] ^ at_);
    state_ = static_cast<uint64_t>(product) ^ static_cast<uint64_t>(product >> 64);
    sum_ = 0;
    at_ = 0;
  }
  uint64_t value() const { return state_; }

 private:
  uint64_t state_ = keys[2];
  Wide sum_ = 0;
  size_t at_ = 0;
};

uint64_t word(int64_t n) { return static_cast<uint64_t>(n); }

void add_sizes(const Shape& sizes, Signature& out) {
  const int rank = sizes.rank();
  for (int d = 0; d + 1 < rank; d += 2) out.add(word(sizes[d]), word(sizes[d + 1]));
  if (rank % 2 != 0) out.add(word(sizes[rank - 1]), 0);
}

void add_operand(const TensorMeta& t, Signature& out) {
  const uint64_t place = static_cast<uint64_t>(t.storage->place);
  const char* const role = t.storage->role;
  const uint64_t cold = (t.storage->born < 0 ? 1 : 0) + (role == streamed_role ? 2 : 0) +
                        (role == pinned_role ? 4 : 0) + (role == pinned_anew_role ? 8 : 0);
  const uint64_t kind = static_cast<uint64_t>(t.dtype) | word(t.sizes.rank()) << 8 | cold << 16 | place << 24 |
                        (t.contiguous() ? 0 : uint64_t{1} << 32);
  out.add(kind, word(t.bytes));
  add_sizes(t.sizes, out);
  if (!t.contiguous()) add_sizes(*t.own_strides, out);
}

// What its time follows from, but for how often it runs.
void add_op(const Trace& trace, const Op& op, Signature& out) {
  const uint64_t flags = (op.causal ? 1 : 0) + (op.tf32 ? 2 : 0) + (op.stream == copy_stream ? 4 : 0) +
                         (op.stream == collective_stream ? 8 : 0);
  const uint64_t head =
      static_cast<uint64_t>(op.kernel) | uint64_t{op.inputs} << 8 | uint64_t{op.outputs} << 16 | flags << 24;
  out.add(head, word(op.input_bytes));  // an input that stands there twice is read once
  out.add(word(op.params[0]), word(op.params[1]));
  const TensorMeta* const* operand = trace.operands.data() + op.operands;
  for (int k = 0; k < op.inputs + op.outputs; ++k) add_operand(*operand[k], out);
  out.add(word(op.params[2]), 0);
  if (const RecordedKernel* kernel = trace.recorded_kernel(op)) {
    out.add(word(kernel->flops_tensor), word(kernel->flops_vector));
    out.add(word(kernel->read), word(kernel->written));
  }
}

// Of each scope, which of the residences it is in; -1: none.
void stages_of_scopes(const Trace& trace, const std::vector<Residence>& residences, std::vector<int32_t>& out) {
  out.assign(trace.scopes.size(), -1);
  for (size_t i = 0; i < residences.size(); ++i)
    out[static_cast<size_t>(residences[i].scope)] = static_cast<int32_t>(i);
  for (size_t i = 1; i < trace.scopes.size(); ++i) {
    if (out[i] < 0) out[i] = out[static_cast<size_t>(trace.scopes[i].parent)];
  }
}

void add_growing_op(const Trace& trace, const Op& op, Signature& out) {
  add_op(trace, op, out);
  if (op.last < 0) return;
  add_op(trace, trace.last_ops[static_cast<size_t>(op.last)], out);
  out.add(word(iterations_of(trace, op)), 1);
}

void add_residence(const Trace& trace, const Residence& residence, Signature& out) {
  out.add(static_cast<uint64_t>(trace.execution), (residence.on_device ? 1 : 0) + (residence.records_stream ? 2 : 0));
  out.add(word(residence.arriving_bytes), word(residence.leaving_bytes));
  out.fold();
}

}  // namespace

const std::vector<StageTime>& RunTimer::operator()(const Trace& trace, const std::vector<int64_t>& executions) {
  expect_every_kernel(trace);
  residences_ = trace.residences;
  std::sort(residences_.begin(), residences_.end(),
            [](const Residence& a, const Residence& b) { return a.scope < b.scope; });
  stages_of_scopes(trace, residences_, stage_of_);
  std::vector<Signature> signatures(residences_.size());
  for (const Op& op : trace.ops) {
    const int32_t stage = stage_of_[static_cast<size_t>(op.scope)];
    if (stage < 0) continue;
    Signature& signature = signatures[static_cast<size_t>(stage)];
    add_growing_op(trace, op, signature);
    signature.add(word(executions[static_cast<size_t>(op.scope)]), 0);
    signature.fold();
  }
  if (known_.size() > most_stages) known_.clear();
  stages_.clear();
  std::vector<StageOps> ops;
  for (size_t i = 0; i < residences_.size(); ++i) {
    add_residence(trace, residences_[i], signatures[i]);
    auto found = known_.find(signatures[i].value());
    if (found == known_.end()) {
      if (ops.empty()) ops = stage_ops(trace);
      std::vector<int64_t> times;
      executions_in(trace, ops[i], executions, times);
      found = known_.emplace(signatures[i].value(), TimedStage(trace, ops[i], machine_, &products_).time(times)).first;
      ++timed_;
    }
    stages_.push_back(found->second);
    stages_.back().stage = trace.scopes[static_cast<size_t>(residences_[i].scope)].name;
  }
  return stages_;
}

std::shared_ptr<TimedStage> RunTimer::stage(const Trace& trace, const StageOps& stage) {
  expect_every_kernel(trace);
  Signature signature;
  for (size_t i = stage.first; i < stage.end; ++i) {
    add_growing_op(trace, trace.ops[i], signature);
    signature.fold();
  }
  add_residence(trace, stage.residence, signature);
  if (const auto found = stages_known_.find(signature.value()); found != stages_known_.end()) return found->second;
  if (kept_kernels_ >= most_kernels) forget_kernels();
  ++timed_;
  auto timed = std::make_shared<TimedStage>(trace, stage, machine_, &products_);
  kept_kernels_ += timed->kernels();
  return stages_known_.emplace(signature.value(), std::move(timed)).first->second;
}

void RunTimer::forget_kernels() {
  stages_known_.clear();
  kept_kernels_ = 0;
}

}  // namespace modelmeter
