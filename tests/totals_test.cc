// What every entry file costs, under every implementation and variant of how it runs, in golden/totals.csv: `git diff`
// shows each figure that moved.
#include "entries.h"
#include "report/builder.h"
#include "table_file.h"

namespace modelmeter {
namespace {

std::string figures_of(const std::string& entry, const entries::Overrides& overrides) {
  const Figures f = build_report(*entries::model(entry, overrides), "totals").totals;
  std::string row;
  for (const Count figure : {f.kernels, f.flops_torch, f.flops_full, f.bytes_read, f.bytes_written, f.parameters,
                             f.weight_bytes, f.activation_peak_bytes, f.kv_cache_bytes, f.peak_live_bytes.value()}) {
    row += (row.empty() ? "" : ",") + to_string(figure);
  }
  return row;
}

TEST(Totals, OfEveryEntryAreAsPinned) {
  entries::expect_rows("totals.csv",
                       "kernels,flops_torch,flops_full,bytes_read,bytes_written,parameters,weight_bytes,"
                       "activation_peak_bytes,kv_cache_bytes,peak_live_bytes",
                       figures_of);
}

}  // namespace
}  // namespace modelmeter
