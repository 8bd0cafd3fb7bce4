// Verification: a trace of ours against a recording, kernel by kernel, module by module and in total.
#pragma once

#include <string>
#include <vector>

#include "model/analytic_model.h"
#include "recording/recording.h"

namespace modelmeter {

// One row of the table: a figure of both sides.
struct ComparedFigure {
  std::string name;
  Count ours = 0, reference = 0;
  bool equal() const { return ours == reference; }
};

// The first difference of a run of kernels that differ, with its place.
struct KernelDifference {
  size_t index = 0;             // in the list of kernels
  std::string ours, reference;  // "" where one side has none
};

// A module of the reference with what ran inside it, on both sides.
struct ComparedModule {
  std::string name, klass, reference_klass;  // klass is "" where modelmeter has no such module
  std::vector<ComparedFigure> figures;       // calls, params, param_bytes, flops, read, write, kernels
  bool equal() const;
};

struct Comparison {
  std::string ours = "modelmeter";  // whose trace it is: modelmeter's, or another "recording"
  std::vector<ComparedFigure> totals;
  int64_t kernels_compared = 0, kernels_different = 0;
  // Of a recording without kernels: sections of numbered modules, by name; those that repeated calls make ("decoder#3")
  // have no counterpart.
  bool kernels_given = true;
  int64_t sections_compared = 0;
  std::vector<std::string> section_differences;
  std::vector<std::string> stage_differences;   // of recordings that both say them: names, kernels, how often each runs
  std::vector<KernelDifference> first_kernels;  // at most ten
  std::vector<ComparedModule> modules;          // every one, in the reference's order
  int64_t parameters_compared = 0;
  std::vector<std::string> module_differences, parameter_differences;

  bool equal() const;
};

// Our side of a comparison: the recording of one forward of the stage, its header empty (AnalyticModel::describe).
Recording recording_of(const Stage& stage);

// The same as a recording of its own, which says what each operand lies in: every repetition written out, by itself
// enough to make the run of. Of more than 200,000 kernels without what operands lie in. `model`: all stages of a
// recording one after another (its own stages).
Recording full_recording_of(const Stage& stage);
Recording full_recording_of(const AnalyticModel& model);

// Everything but `live_at_end`, which depends on what the caller keeps. `name`: Comparison::ours.
Comparison compare(const Recording& ours, const Recording& reference, const std::string& name = "modelmeter");

// A table of the totals, then what differs. Ends with a line that says whether anything does.
std::string table_of(const Comparison& comparison, const Recording& reference);

// The part of it below the totals: what was compared, and what differs.
std::string differences_of(const Comparison& comparison);

}  // namespace modelmeter
