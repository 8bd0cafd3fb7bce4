// A profile of another tool: chrome JSON, CSV of Nsight Systems or Compute, a database, gzipped or not.
#include "verify/profile.h"

#include "fuzz_target.h"

namespace modelmeter::fuzz {

void run(const std::string& text) { launch_file_text(read_profile(file_of(text, "profile")).launches); }

}  // namespace modelmeter::fuzz
