// The JSON form of a trace with its costs: "modelmeter.reference/1". The same form holds a recording of real PyTorch
// code, a trace of a model of ours, and what `modelmeter trace` writes; verification compares two of them.
//
// docs/trace_format.md describes the fields. Repeated sections are written once and referred to by `same_as`; in memory
// every kernel stands by itself, in order.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "base/count.h"
#include "trace/shape.h"

namespace modelmeter {

struct RecordedTensor {
  Shape sizes;
  std::string dtype;  // "bf16"; "cpu:i32" in host memory

  friend bool operator==(const RecordedTensor& a, const RecordedTensor& b) {
    return a.dtype == b.dtype && a.sizes == b.sizes;
  }
};

struct RecordedOp {
  std::string kernel;  // "aten.addmm"
  std::string scope;
  std::vector<RecordedTensor> inputs, outputs;
  int64_t flops = 0, read = 0, write = 0;
  int64_t live = 0;      // above the start, right after the kernel
  size_t own_scope = 0;  // how much of `scope`, from its end, names the module called: more than one name where it was
                         // called past its parents; 0 where that is not known
  bool counted = true;   // false for what launches nothing: empty and its kin, and what makes an empty result
};

struct RecordedModule {
  std::string name, klass;
  int64_t calls = 0;
  Count params = 0, param_bytes = 0;
  Count flops = 0, read = 0, write = 0, kernels = 0;
};

struct RecordedParameter {
  std::string name;
  RecordedTensor tensor;
};

struct RecordedTotals {
  Count params = 0, param_bytes = 0;
  Count kernels = 0, flops = 0, read = 0, write = 0;
  Count live_at_start = 0, peak_live = 0, live_at_end = -1;  // -1: not known
};

// What a section's kernels add up to, where a recording leaves them out.
struct RecordedSection {
  std::string name;
  Count flops = 0, read = 0, write = 0, kernels = 0;
};

struct Recording {
  std::string code, implementation, attention, variant;
  std::string precision;         // of models that are recorded in several; else ""
  std::string case_name;         // of models that are recorded stage by stage, which stage ("case"); else ""
  std::string weights;           // dtype that most parameters have ("bf16"); "" in older ones
  std::string generation;        // of Wan: "2.1", "2.2"; "" in older ones, which are of 2.1
  std::string config, workload;  // JSON texts: what ran, with which sizes
  RecordedTotals totals;
  std::vector<RecordedModule> modules;
  std::vector<RecordedParameter> parameters;
  std::vector<RecordedOp> ops;
  // Of a recording without `ops`, its sections in their place; else empty.
  std::vector<RecordedSection> sections;
};

// The sections that kernels are cut into: at numbered modules ("blocks.7").
std::vector<RecordedSection> sections_of_kernels(const std::vector<RecordedOp>& ops);

// Reads the JSON form. Errors name the file and what is missing or mistyped.
Recording read_recording(const std::string& text, const std::string& file);

// Writes it, ops cut into sections at repetitions.
std::string write_recording(const Recording& recording);

}  // namespace modelmeter
