#include "report/sensitivity_text.h"

#include <fmt/format.h>

#include "base/json_writer.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter {

std::string sensitivity_json(double wall, const std::vector<Sensitivity>& resources) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("wall_s", wall);
      out.list("resources", resources, [&](const Sensitivity& s) {
        out.map([&] {
          out.field("resource", s.resource);
          out.field("wall_s", s.seconds);
          out.field("change", wall > 0 ? s.seconds / wall - 1 : 0.0);
        });
      });
    });
  });
}

std::string sensitivity_text(double wall, const std::vector<Sensitivity>& resources) {
  Table table({"A tenth more of", "Wall", "Change"}, {Align::left, Align::right, Align::right});
  table.add({"(as it is)", seconds_text(wall), ""});
  for (const Sensitivity& s : resources) {
    table.add(
        {s.resource, seconds_text(s.seconds), fmt::format("{:+.1f} %", wall > 0 ? (s.seconds / wall - 1) * 100 : 0)});
  }
  return table.markdown();
}

}  // namespace modelmeter
