// modelmeter verify: compares our trace with recordings of real PyTorch code.
#include <fmt/format.h>

#include <algorithm>

#include "base/error.h"
#include "base/json.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/session.h"
#include "verify/suite.h"

namespace modelmeter::cli {
namespace {

Json json(const std::vector<ComparedFigure>& figures) {
  Json out = Json::array();
  for (const ComparedFigure& f : figures) {
    out.push_back({{"name", f.name}, {"modelmeter", f.ours}, {"reference", f.reference}, {"equal", f.equal()}});
  }
  return out;
}

Json json(const std::vector<ComparedModule>& modules) {
  Json out = Json::array();
  for (const ComparedModule& m : modules) {
    out.push_back({{"name", m.name},
                   {"class", m.klass},
                   {"reference_class", m.reference_klass},
                   {"equal", m.equal()},
                   {"figures", json(m.figures)}});
  }
  return out;
}

Json json(const VerifiedReference& verified) {
  const Comparison& c = verified.comparison;
  Json kernels = Json::array();
  for (const KernelDifference& d : c.first_kernels) {
    kernels.push_back({{"index", d.index}, {"modelmeter", d.ours}, {"reference", d.reference}});
  }
  return {{"reference", verified.file},
          {"stage", verified.stage},
          {"equal", c.equal()},
          {"totals", json(c.totals)},
          {"kernels_compared", c.kernels_compared},
          {"kernels_different", c.kernels_different},
          {"kernels_left_out", c.left_out},
          {"first_different_kernels", kernels},
          {"modules_compared", c.modules.size()},
          {"module_differences", c.module_differences},
          {"parameters_compared", c.parameters_compared},
          {"parameter_differences", c.parameter_differences}};
}

bool all_equal(const std::vector<VerifiedReference>& references) {
  return std::all_of(references.begin(), references.end(),
                     [](const VerifiedReference& r) { return r.comparison.equal(); });
}

// verify --reference FILE: 0, or 1 where something differs.
int verify_files(const Arguments& arguments) {
  for (const char* flag : {"--workload", "--dir"}) {
    if (arguments.has(flag)) throw Error(ErrorCode::usage, fmt::format("{} does not go with --reference", flag));
  }
  std::vector<std::string> files = arguments.values("--reference");
  files.insert(files.end(), arguments.rest().begin(), arguments.rest().end());
  std::vector<VerifiedReference> references;
  for (const std::string& file : files) {
    references.push_back(verify_reference(file));
    if (arguments.has("--json")) continue;
    const VerifiedReference& r = references.back();
    fmt::print("{}{}\n{}", references.size() == 1 ? "" : "\n", file, table_of(r.comparison, r.reference));
  }
  if (arguments.has("--json")) {
    Json out = {{"equal", all_equal(references)}, {"references", Json::array()}};
    for (const VerifiedReference& r : references) out["references"].push_back(json(r));
    fmt::print("{}\n", dump_json(out, 2));
  }
  return all_equal(references) ? 0 : 1;
}

// verify layers|end2end|pipeline: the references of a folder.
int verify_folder(const Arguments& arguments) {
  if (arguments.rest().empty()) {
    throw Error(ErrorCode::usage, "--reference FILE is missing", {}, {"or one of: layers, end2end, pipeline"});
  }
  const std::string& mode = arguments.rest().front();
  const SuiteView view = parse_suite_view(mode);
  if (arguments.rest().size() > 1) {
    throw Error(ErrorCode::usage, fmt::format("verify {} takes no '{}'", mode, arguments.rest()[1]));
  }
  const std::string workload = arguments.value("--workload"), dir = arguments.value("--dir");
  if (workload.empty() && dir.empty()) throw Error(ErrorCode::usage, "--workload NAME or --dir DIR is missing");
  const std::string root = dir.empty() ? find_data_root() + "/tests/reference" : dir;
  const std::vector<VerifiedReference> references =
      verify_suite(workload.empty() ? root : suite_folder(root, workload), view);
  if (arguments.has("--json")) {
    Json out = {
        {"mode", mode}, {"workload", workload}, {"equal", all_equal(references)}, {"references", Json::array()}};
    for (const VerifiedReference& r : references) {
      out["references"].push_back(json(r));
      if (view == SuiteView::layers) out["references"].back()["modules"] = json(r.comparison.modules);
    }
    fmt::print("{}\n", dump_json(out, 2));
  } else {
    fmt::print("{}", suite_text(references, view));
  }
  return all_equal(references) ? 0 : 1;
}

}  // namespace

int verify(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({
      {"--reference", "-r", "FILE", "a recording; may be given more than once"},
      {"--workload", "-w", "NAME", "with a mode: whose references, e.g. wan2-1-ci-tiny"},
      {"--dir", "-d", "DIR",
       "with a mode: where the workloads' folders are, in place of tests/reference; or the references"},
  });
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) {
    fmt::print("{}", command_help("verify", flags));
    fmt::print(
        "\nmodes: run the references that stand in the source tree\n"
        "  layers                      every module of every reference, ours against the reference\n"
        "  end2end                     the totals of every reference of a whole model's forward (diffusion transformer,\n"
        "                              prefill, decode, infer), metric by metric\n"
        "  pipeline                    every reference of every stage, one a line\n"
        "\nThe exit code is 1 where anything differs.\n");
    return 0;
  }
  return arguments.has("--reference") ? verify_files(arguments) : verify_folder(arguments);
}

}  // namespace modelmeter::cli
