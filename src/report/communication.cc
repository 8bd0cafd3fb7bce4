#include "report/communication.h"

#include <fmt/format.h>

#include <algorithm>

#include "base/format.h"
#include "cost/collective_cost.h"
#include "cost/executions.h"
#include "report/table.h"
#include "report/timing_text.h"

namespace modelmeter {

std::vector<CommunicationFigures> communication_figures(const Trace& trace, const RunTime* time) {
  std::vector<CommunicationFigures> out;
  const std::vector<Communication> all = communication_of(trace);
  for (const Communication& c : all) {
    const std::string group(c.group.size > 0 ? name_of(c.group.axis) : "");
    out.push_back({c.name, group, c.group.size, c.calls, c.sent, c.received, {}});
  }
  if (time == nullptr || out.empty()) return out;
  for_each_execution(trace, [&](const Executions& e) {
    if (info(e.op.kernel).kind != OpKind::collective) return;
    std::optional<double>& seconds = out[index_of(all, trace, e.op)].seconds;
    seconds = seconds.value_or(0) + time->ops[static_cast<size_t>(e.index)] * static_cast<double>(e.times);
  });
  return out;
}

std::string communication_section(const Report& report) {
  Table table(
      {"Collective", "Group", "Ranks", "Calls", "Sent", "Received", "Time", "GB/s"},
      {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (const CommunicationFigures& c : report.communication) {
    const double bytes = static_cast<double>(std::max(c.sent, c.received));
    const bool timed = c.seconds && *c.seconds > 0;
    table.add({c.collective, c.group, c.ranks > 0 ? std::to_string(c.ranks) : "-", grouped(c.calls),
               decimal_scale(c.sent, "B").text(c.sent), decimal_scale(c.received, "B").text(c.received),
               timed ? seconds_text(*c.seconds) : "-", timed ? fmt::format("{:.1f}", bytes / *c.seconds / 1e9) : "-"});
  }
  return "## Communication\n\n" + table.markdown() +
         "\nBytes are those over this rank's links, one way; GB/s is the bus bandwidth of nccl-tests.\n\n";
}

}  // namespace modelmeter
