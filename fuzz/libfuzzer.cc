// The entry point that libFuzzer calls.
#include "fuzz_target.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size) {  // NOLINT(readability-identifier-naming)
  modelmeter::fuzz::run_guarded(data, size);
  return 0;
}
