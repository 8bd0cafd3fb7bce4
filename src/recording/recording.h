// The JSON form of a trace with its costs: "modelmeter.reference/1". The same form holds a recording of real PyTorch
// code, a trace of a model of ours, and what `modelmeter trace` writes; verification compares two of them.
//
// docs/trace_format.md describes the fields, docs/recordings.md those that any model's recordings may have beside.
// Repeated sections are written once and referred to by `same_as`; in memory every kernel stands by itself, in order.
#pragma once

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "base/count.h"
#include "trace/shape.h"

namespace modelmeter {

struct RecordedTensor {
  Shape sizes;
  std::string dtype;  // "bf16"; "cpu:i32" in host memory
  // What follows is not compared. The number of its memory in Recording::storages, -1 where it is not said; of that the
  // elements; strides where it is not contiguous.
  int32_t storage = -1;
  bool strided = false;
  Shape strides = {};
  int64_t offset = 0;

  friend bool operator==(const RecordedTensor& a, const RecordedTensor& b) {
    return a.dtype == b.dtype && a.sizes == b.sizes;
  }
};

// What an op's operands do not say.
struct RecordedDetail {
  bool causal = false, tf32 = false;
  uint8_t stream = 0;
  std::optional<std::array<int64_t, 3>> attention;  // sequences, longest query, longest key
  std::optional<std::array<Shape, 3>> convolution;  // stride, padding, dilation
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
  RecordedDetail detail = {};
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

// A piece of memory.
struct RecordedStorage {
  int64_t bytes = 0;
  int32_t born = -1, died = -1;  // as Storage has them (trace/tensor.h), in numbers of Recording::ops
  std::string role;              // what it is kept for; may be ""
};

// Several forwards in a row, or the parts of a training step.
struct RecordedStage {
  std::string name;
  size_t first = 0, end = 0;  // ops
  int64_t repeat = 1;
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
  std::string parallel;          // JSON text of one rank of several: {"ulysses": 4, "rank": 3}; else ""
  RecordedTotals totals;
  std::vector<RecordedModule> modules;
  std::vector<RecordedParameter> parameters;
  std::vector<RecordedOp> ops;
  // Of a recording without `ops`, its sections in their place; else empty.
  std::vector<RecordedSection> sections;
  std::vector<RecordedStorage> storages;   // empty where a recording does not say them
  std::vector<RecordedStage> stages;       // empty: all is one
  std::vector<RecordedParameter> buffers;  // where it says them
  // Numbered modules that stand for others, with no rows and no parameters of their own: "blocks.2", "blocks.1".
  std::vector<std::pair<std::string, std::string>> same_as;
};

// The sections that kernels are cut into: at numbered modules ("blocks.7").
std::vector<RecordedSection> sections_of_kernels(const std::vector<RecordedOp>& ops);

// Reads the JSON form. Errors name the file, the place in it ("sections[3].ops[17]") and what is missing or mistyped.
Recording read_recording(const std::string& text, const std::string& file);

// The same of a file, gzipped or not.
Recording read_recording_file(const std::string& file);

// Writes it, ops cut into sections at repetitions.
std::string write_recording(const Recording& recording);

}  // namespace modelmeter
