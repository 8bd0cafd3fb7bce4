// modelmeter calibrate: a device's constants from measurements of kernels on it.
#include <fmt/chrono.h>
#include <fmt/format.h>

#include <ctime>

#include "api/measured_files.h"
#include "base/error.h"
#include "base/files.h"
#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "cli/session.h"

namespace modelmeter::cli {

int calibrate(const CommandLine& line) {
  const std::vector<Flag> flags = with_common({
      {"--device", "-d", "NAME", "the device that the files are of, whose constants are fitted"},
      {"--out", "-o", "FILE", "write a device file that takes it over with what was fitted"},
      {"--config-dir", "-cd", "DIR", "one more folder of configs"},
  });
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("calibrate", flags)), 0;
  if (arguments.rest().empty()) throw Error(ErrorCode::usage, "which files? calibrate FILE ... --device NAME");
  if (!arguments.has("--device")) throw Error(ErrorCode::usage, "which device? --device NAME is missing");
  const config::Repository repository(find_data_root() + "/configs", arguments.values("--config-dir"));
  const Calibration fitted =
      modelmeter::calibrate(arguments.rest(), context_of({arguments.value("--device"), "", {}}, repository));
  const std::string out = arguments.value("--out");
  const std::string date = fmt::format("{:%Y-%m}", fmt::gmtime(std::time(nullptr)));
  if (!out.empty()) write_file(out, calibration_yaml(fitted, date));
  print(arguments.has("--json") ? calibration_json(fitted) + "\n" : calibration_text(fitted));
  return 0;
}

}  // namespace modelmeter::cli
