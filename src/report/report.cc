#include "report/report.h"

#include "base/checked.h"

namespace modelmeter {

int64_t Figures::io_bytes() const { return checked_add(bytes_read, bytes_written, "the number of bytes moved"); }

double Figures::arithmetic_intensity() const {
  const int64_t moved = io_bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full) / static_cast<double>(moved);
}

}  // namespace modelmeter
