// What goes into a call of a module or function and what comes out, as shapes, read off the trace.
//
// A trace has what kernels read and make, not arguments: the output shown is the last tensor that the call leaves, the
// input one from outside of the same shape, else the first input of the stage, else the largest. A Linear's are those
// of torch.nn.functional.linear, not of the matrix product that it runs.
#pragma once

#include <string>
#include <unordered_map>
#include <vector>

#include "trace/trace.h"

namespace modelmeter {

struct CallShapes {
  std::string input, output;  // "[1, 75600, 5120]"; "" where there is none
};

class CallShapeReader {
 public:
  explicit CallShapeReader(const Trace& trace);
  // Of the first call in the scope.
  CallShapes of(int32_t scope) const;

 private:
  struct Range {
    size_t first = 0, end = 0;  // ops of the first call
  };
  const TensorMeta& input_of(const Op& op, int i) const;  // before a matrix product made a matrix of it
  const TensorMeta& output_of(const Op& op, int i) const;
  const TensorMeta* input(const Range& range, const Scope& scope, const TensorMeta* out) const;
  const TensorMeta* output(const Range& range) const;

  const Trace& trace_;
  std::vector<Range> ranges_;  // as Trace::scopes
  // The metas of one storage, in the order in which they were made.
  std::unordered_map<const TensorMeta*, const TensorMeta*> before_, after_;
};

}  // namespace modelmeter
