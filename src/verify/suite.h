// The references that stand in the tree, verified together: tests/reference/<workload>/*.json.
#pragma once

#include <string>
#include <vector>

#include "verify/comparison.h"

namespace modelmeter {

struct VerifiedReference {
  std::string file;   // the path
  std::string name;   // its stem: "official-t2v-14b"
  std::string stage;  // that it is a forward of: "diffusion/dit"
  Recording reference;
  Comparison comparison;
  std::string note;  // where an older header leaves open what ran: as what the recording was read; or ""
};

// Reads one recording and compares it with our trace of the same. Where they differ and the header leaves open what
// ran, all that it may mean is compared, and the first that agrees counts. Errors name the file.
VerifiedReference verify_reference(const std::string& file);

// One recording against another: of the same model by other code, another version of it, another machine.
VerifiedReference verify_recording(const std::string& file, const std::string& reference);

// What is compared and shown.
enum class SuiteView {
  layers,    // every module of every reference
  end2end,   // the totals of each reference of a whole model's forward: diffusion transformer, prefill, decode, infer
  pipeline,  // one line for each reference of each stage, in the order in which a pipeline runs them
};

// "layers", "end2end", "pipeline". Error (usage) with a did-you-mean for another name.
SuiteView parse_suite_view(const std::string& name);

// The folder of a workload's references below `root`. Error with a did-you-mean where there is none.
std::string suite_folder(const std::string& root, const std::string& workload);

// Every reference of the folder that the view shows, in the order of the pipeline, then by name. Error for none.
std::vector<VerifiedReference> verify_suite(const std::string& folder, SuiteView view);

// Whether none of them differs.
bool all_equal(const std::vector<VerifiedReference>& references);

// The tables of a view. Ends with a line that says which references differ.
std::string suite_text(const std::vector<VerifiedReference>& references, SuiteView view);

}  // namespace modelmeter
