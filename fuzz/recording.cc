// A recording of a forward. What is read and written reads as the same again.
#include "recording/recording.h"

#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) {
  const std::string once = write_recording(read_recording(text, "input"));
  require(write_recording(read_recording(once, "written")) == once, "not the same:\n" + once);
}

}  // namespace modelmeter::fuzz
