// JSON with integers of up to 128 bits. What is read and written reads as the same again.
#include "base/json.h"

#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const Json document = parse_json(text);
  if (document.is_discarded()) return;
  const std::string once = dump_json(document);
  const Json again = parse_json(once);
  require(!again.is_discarded() && dump_json(again) == once, "not the same: " + once);
}

}  // namespace modelmeter::fuzz
