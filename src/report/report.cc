#include "report/report.h"

namespace modelmeter {

Count Figures::io_bytes() const { return bytes_read.plus(bytes_written, "the number of bytes moved"); }

double Figures::arithmetic_intensity() const {
  const Count moved = io_bytes();
  return moved == 0 ? 0.0 : static_cast<double>(flops_full) / static_cast<double>(moved);
}

}  // namespace modelmeter
