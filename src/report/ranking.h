// By what people rank layers: one table for `top --by`, `analyze --by` and summaries.
#pragma once

#include <string>
#include <vector>

#include "cost/figures.h"
#include "report/report.h"

namespace modelmeter {

// A key ranks by its first figure, ties by the second; both are shown.
struct RankKey {
  const char* name;        // as it is typed
  const char* title;       // of what the most
  const char* figures[3];  // names in figure_rows, as the columns stand; null for none
  bool by_time = false;    // first by time on the device, of reports with one
};

// clang-format off
inline constexpr RankKey rank_keys[] = {
    {"flops", "FLOPs (torch)", {"flops_torch", "bytes_moved", nullptr}},
    {"bytes", "bytes moved", {"bytes_moved", "flops_torch", nullptr}},
    {"memory", "weights", {"weight_bytes", "activation_peak_bytes", "kv_cache_bytes"}},
    {"kernels", "kernels", {"kernels", "bytes_moved", nullptr}},
    {"time", "time on the device", {"flops_torch", "bytes_moved", nullptr}, true},
};
// clang-format on

const RankKey& rank_key(const std::string& name);  // Error (usage) with a did-you-mean
std::string rank_key_names();                      // "flops|bytes|memory|kernels|time"
const FigureRow& figure_row(const char* name);
// The figures of a key, in order.
std::vector<const FigureRow*> figures_of(const RankKey& key);

// Error where a report has no times.
void expect_times(const Report& report);

// Whether a stands before b: more of the key's first figure, or as much and more of its second.
bool ranks_before(const RankKey& key, const Figures& a, const Figures& b);
// The same of two that take so long, in any unit: by time, where the key is.
bool ranks_before(const RankKey& key, const Figures& a, double time_a, const Figures& b, double time_b);

// "32.5 %" of a sum; "-" where the sum is 0 or the figure does not add up (a peak).
std::string share_text(const FigureRow& row, const Figures& part, const Figures& whole);

// Ids with the number of equal layers in place of the first one's: "diffusion/dit/block x 40/attn/self_attn/q". As
// Report::modules.
std::vector<std::string> labels(const Report& report);
// "block x 40" of "block_00".
std::string label_of(const std::string& name, int64_t count);

}  // namespace modelmeter
