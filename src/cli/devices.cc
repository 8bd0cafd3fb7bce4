// modelmeter devices: the devices and clusters that there are files of, and some devices side by side with the sources
// of each figure.
#include "api/devices.h"

#include "cli/commands.h"
#include "cli/help.h"
#include "cli/output.h"
#include "report/device_list.h"

namespace modelmeter::cli {

int devices(const CommandLine& line) {
  const std::vector<Flag> flags =
      with_common({{"--config-dir", "-cd", "DIR", "one more folder of configs, with a folder device in it"}});
  const Arguments arguments(line, flags);
  if (arguments.has("--help")) return print(command_help("devices", flags)), 0;
  const std::vector<Device> found = devices_named(arguments.rest(), arguments.values("--config-dir"));
  if (arguments.has("--json")) {
    print(devices_json(found) + "\n");
  } else {
    print(arguments.rest().empty()
              ? devices_text(found) + "\n" + clusters_text(all_clusters(arguments.values("--config-dir")))
              : device_comparison_text(found));
  }
  return 0;
}

}  // namespace modelmeter::cli
