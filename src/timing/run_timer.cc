#include "timing/run_timer.h"

#include <algorithm>

#include "cost/executions.h"
#include "timing/op_signature.h"

namespace modelmeter {
namespace {

uint64_t word(int64_t n) { return static_cast<uint64_t>(n); }

// Of each scope, which of the residences it is in; -1: none.
void stages_of_scopes(const Trace& trace, const std::vector<Residence>& residences, std::vector<int32_t>& out) {
  out.assign(trace.scopes.size(), -1);
  for (size_t i = 0; i < residences.size(); ++i)
    out[static_cast<size_t>(residences[i].scope)] = static_cast<int32_t>(i);
  for (size_t i = 1; i < trace.scopes.size(); ++i) {
    if (out[i] < 0) out[i] = out[static_cast<size_t>(trace.scopes[i].parent)];
  }
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
    add_op(trace, op, signature);
    if (op.last >= 0) {
      add_op(trace, trace.last_ops[static_cast<size_t>(op.last)], signature);
      signature.add(word(iterations_of(trace, op)), 1);
    }
    signature.add(word(executions[static_cast<size_t>(op.scope)]), 0);
    signature.fold();
  }
  for (size_t i = 0; i < residences_.size(); ++i) {
    signatures[i].add(static_cast<uint64_t>(trace.execution),
                      (residences_[i].on_device ? 1 : 0) + (residences_[i].records_stream ? 2 : 0));
    signatures[i].add(word(residences_[i].arriving_bytes), word(residences_[i].leaving_bytes));
    signatures[i].fold();
  }
  stages_.clear();
  for (size_t i = 0; i < residences_.size(); ++i) {
    const auto found = known_.find(signatures[i].value());
    if (found == known_.end()) break;
    stages_.push_back(found->second);
    stages_.back().stage = trace.scopes[static_cast<size_t>(residences_[i].scope)].name;
  }
  if (stages_.size() == residences_.size()) return stages_;
  stages_ = time_run(trace, executions, machine_, &kernels_).stages;
  if (known_.size() > most_stages) known_.clear();
  for (size_t i = 0; i < stages_.size(); ++i) {
    if (known_.emplace(signatures[i].value(), stages_[i]).second) ++timed_;
  }
  return stages_;
}

}  // namespace modelmeter
