// modelmeter verify: compares our trace with recordings of real PyTorch code.
#include <fmt/format.h>

#include "base/error.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "verify/json.h"

namespace modelmeter::cli {
namespace {

// verify --reference FILE: 0, or 1 where something differs.
int verify_files(const Arguments& arguments) {
  for (const char* flag : {"--workload", "--dir"}) {
    if (arguments.has(flag)) throw Error(ErrorCode::usage, fmt::format("{} does not go with --reference", flag));
  }
  std::vector<std::string> files = arguments.values("--reference");
  files.insert(files.end(), arguments.rest().begin(), arguments.rest().end());
  const std::string ours = arguments.value("--trace");
  std::vector<VerifiedReference> references;
  for (const std::string& file : files) {
    references.push_back(ours.empty() ? verify_reference(file) : verify_recording(ours, file));
    if (arguments.has("--json")) continue;
    const VerifiedReference& r = references.back();
    print(fmt::format("{}{}\n{}", references.size() == 1 ? "" : "\n", file, table_of(r.comparison, r.reference)));
    if (!r.note.empty()) note(arguments, "note: " + r.note);
  }
  if (arguments.has("--json")) print(references_json(references) + "\n");
  return all_equal(references) ? 0 : 1;
}

// verify layers|end2end|pipeline: the references of a folder.
int verify_folder(const Arguments& arguments) {
  if (arguments.rest().empty() || arguments.has("--trace")) {
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
  print(arguments.has("--json") ? suite_json(references, mode, workload) + "\n" : suite_text(references, view));
  return all_equal(references) ? 0 : 1;
}

}  // namespace

int verify(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({
      {"--reference", "-r", "FILE", "a recording; may be given more than once"},
      {"--trace", "-t", "FILE", "another recording to compare with, in place of modelmeter's own trace"},
      {"--workload", "-w", "NAME", "with a mode: whose references, e.g. wan2-1-ci-tiny"},
      {"--dir", "-d", "DIR",
       "with a mode: where the workloads' folders are, in place of tests/reference; or the references"},
  });
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) {
    print(command_help("verify", flags));
    print(
        "\nmodes: run the references that stand in the source tree\n"
        "  layers                      every module of every reference, ours against the reference\n"
        "  end2end                     the totals of every reference of a whole model's forward (diffusion transformer,\n"
        "                              prefill, decode, infer), metric by metric\n"
        "  pipeline                    every reference of every stage, one a line\n"
        "\nThe exit code is 1 where anything differs, 2 where something could not be compared.\n");
    return 0;
  }
  try {
    return arguments.has("--reference") ? verify_files(arguments) : verify_folder(arguments);
  } catch (const Error& error) {  // 1 says that something differs
    if (error.code() == ErrorCode::internal) throw;
    throw Error(ErrorCode::usage, error.message(), error.span(), error.notes());
  }
}

}  // namespace modelmeter::cli
