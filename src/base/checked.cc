#include "base/checked.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter {

void throw_overflow(const char* what) {
  throw Error(fmt::format("{} overflows 64 bits", what), {},
              {"counts are exact integers up to 9.2e18; make the workload smaller"});
}

}  // namespace modelmeter
