// modelmeter trace: writes the trace of one forward in the form of the reference recordings.
#include <fmt/format.h>

#include "base/edit_distance.h"
#include "base/error.h"
#include "base/files.h"
#include "base/json_writer.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"
#include "verify/comparison.h"

namespace modelmeter::cli {
namespace {

const Stage& chosen_stage(const AnalyticModel& model, const std::string& id) {
  std::vector<std::string> known;
  for (const auto& stage : model.stages()) known.push_back(stage->id());
  if (id.empty() && known.size() == 1) return *model.stages().front();
  for (const auto& stage : model.stages()) {
    if (stage->id() == id) return *stage;
  }
  if (id.empty()) {
    throw Error(ErrorCode::usage, "which stage? --stage ID is missing", {}, name_notes("", known, "stages"));
  }
  throw Error(fmt::format("there is no stage '{}'", id), {}, name_notes(id, known, "stages"));
}

std::string field(const Fields& fields, const std::string& name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return std::holds_alternative<std::string>(value) ? std::get<std::string>(value) : "";
  }
  return "";
}

}  // namespace

int trace(const CommandLine& line) {
  std::vector<Flag> flags = config_flags();
  flags.push_back({"--out", "-o", "FILE", "where to write the trace"});
  flags.push_back({"--stage", "", "ID", "of a model with several stages: which"});
  flags = with_common(std::move(flags));
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(config_help("trace", arguments, flags)), 0;
  const std::string out = arguments.value("--out");
  const Session session(arguments);
  if (!session.shown_config().empty()) return print(session.shown_config()), 0;
  if (out.empty()) throw Error(ErrorCode::usage, "--out FILE is missing");
  if (out == "-" && arguments.has("--json")) throw Error(ErrorCode::usage, "--json does not go with --out -");

  const std::unique_ptr<AnalyticModel> model = session.model();
  const std::string id = arguments.value("--stage");
  const bool whole = id.empty() && arguments.has("--trace");  // a recording's stages are one run
  const Stage& stage = whole ? *model->stages().front() : chosen_stage(*model, id);
  Recording recording = whole ? full_recording_of(*model) : full_recording_of(stage);
  model->describe(stage, recording);
  if (arguments.has("--trace")) {
    if (!whole) recording.stages = {{stage.id(), 0, recording.ops.size(), 1}};
  } else {
    recording.code = fmt::format("modelmeter {} {}", model->class_name(), stage.id());
    recording.variant = field(model->model_fields(), "model_variant");
  }
  write_file(out, write_recording(recording));
  if (arguments.has("--json")) {
    print(json_text([&](DocumentWriter& document) {
            document.map([&] {
              document.field("trace", out);
              document.field("kernels", recording.totals.kernels);
            });
          }) +
          "\n");
  }
  note(arguments, fmt::format("trace of {} kernels: {}", to_string(recording.totals.kernels), out));
  return 0;
}

}  // namespace modelmeter::cli
