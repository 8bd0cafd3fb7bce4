// A report.json. What is read and written reads as the same again.
#include "fuzz_target.h"
#include "report/difference.h"
#include "report/json.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const Report report = report_from_json(text, "input");
  const std::string once = to_json(report);
  require(to_json(report_from_json(once, "written")) == once, "not the same:\n" + once);
  difference_json(difference(report, report));
}

}  // namespace modelmeter::fuzz
