// What validate prints: tables, or JSON.
#include <fmt/format.h>

#include <algorithm>
#include <cmath>
#include <map>

#include "base/json_writer.h"
#include "report/table.h"
#include "verify/validation.h"

namespace modelmeter {
namespace {

std::string percent(const std::optional<double>& error) { return error ? fmt::format("{:+.1f} %", *error * 100) : "-"; }

// Of memory, which is known to the byte.
std::string fine_percent(const std::optional<double>& error) {
  return error ? fmt::format("{:+.2f} %", *error * 100) : "-";
}

std::string shown_ms(const std::optional<double>& value) { return value ? fmt::format("{:.4g}", *value) : "-"; }

// A row that stands for a whole forward or run, not for a kernel.
bool is_forward(const ValidationRow& row) {
  return row.launches || row.predicted_wall_ms || row.predicted_peak_allocated;
}

// What a row is summed up by.
std::optional<double> error_of(const ValidationRow& row) {
  return row.wall_error() ? row.wall_error() : row.device_error();
}

struct Summary {
  size_t rows = 0, inside = 0, with_interval = 0;
  double mean = 0, median = 0, ninety = 0, bias = 0;
  double worst = 0;  // signed
  std::string worst_name;
};

Summary summary_of(const std::vector<const ValidationRow*>& rows) {
  Summary out;
  std::vector<double> sizes;
  for (const ValidationRow* row : rows) {
    if (!error_of(*row)) continue;  // of memory alone
    const double error = *error_of(*row);
    sizes.push_back(std::abs(error));
    out.bias += error;
    if (std::abs(error) >= std::abs(out.worst)) {
      out.worst = error;
      out.worst_name = row->name;
    }
    out.with_interval += row->inside ? 1 : 0;
    out.inside += row->inside.value_or(false) ? 1 : 0;
  }
  std::sort(sizes.begin(), sizes.end());
  out.rows = sizes.size();
  if (sizes.empty()) return out;
  for (const double size : sizes) out.mean += size;
  out.mean /= static_cast<double>(sizes.size());
  out.bias /= static_cast<double>(sizes.size());
  out.median = sizes[sizes.size() / 2];
  out.ninety = sizes[std::min(sizes.size() - 1, sizes.size() * 9 / 10)];
  return out;
}

using Groups = std::map<std::pair<std::string, std::string>, std::vector<const ValidationRow*>>;

Groups groups_of(const std::vector<ValidationRow>& rows) {
  Groups out;
  for (const ValidationRow& row : rows) out[{row.group, row.device}].push_back(&row);
  return out;
}

std::string forwards_table(const std::vector<ValidationRow>& rows) {
  Table table({"Device", "Forward", "Device ms", "measured", "", "Wall ms", "measured", "", "Joules", "Allocated",
               "Reserved", "In place", "A launch"},
              {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right, Align::right,
               Align::right, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (const ValidationRow& r : rows) {
    if (!is_forward(r)) continue;
    table.add({r.device, r.name, shown_ms(r.predicted_device_ms), shown_ms(r.measured_device_ms),
               percent(r.device_error()), shown_ms(r.predicted_wall_ms), shown_ms(r.measured_wall_ms),
               percent(r.wall_error()), percent(r.joules_error()), fine_percent(r.peak_allocated_error()),
               fine_percent(r.peak_reserved_error()),
               r.launches ? fmt::format("{} of {}", *r.launches_in_place, *r.launches) : "-",
               r.launch_error ? fmt::format("{:.1f} %", *r.launch_error * 100) : "-"});
  }
  return table.markdown();
}

// Of a file of launches by itself.
std::string op_table(const ValidationRow& row) {
  Table table({"Op", "Launches", "Device ms", "measured", "", "A launch"},
              {Align::left, Align::right, Align::right, Align::right, Align::right, Align::right});
  for (const OpTimes& op : row.by_op) {
    table.add({op.op, std::to_string(op.launches), shown_ms(op.predicted_ms), shown_ms(op.measured_ms),
               percent(relative_error(op.predicted_ms, op.measured_ms)),
               op.measured_ms > 0 ? fmt::format("{:.1f} %", op.absolute_ms / op.measured_ms * 100) : "-"});
  }
  return table.markdown();
}

// The ops of launches that nothing is predicted for, of all files together.
std::string not_predicted_table(const std::vector<ValidationRow>& rows) {
  std::map<std::pair<std::string, std::string>, OpTimes> ops;
  for (const ValidationRow& row : rows) {
    for (const OpTimes& op : row.not_predicted) {
      OpTimes& sum = ops[{row.name, op.op}];
      sum.launches += op.launches;
      sum.measured_ms += op.measured_ms;
    }
  }
  if (ops.empty()) return "";
  Table table({"Forward", "Op", "Launches", "Measured ms"}, {Align::left, Align::left, Align::right, Align::right});
  for (const auto& [key, op] : ops) {
    table.add({key.first, key.second, std::to_string(op.launches), shown_ms(op.measured_ms)});
  }
  return "## Launches without a prediction\n\n" + table.markdown() + "\n";
}

// By reason: how many rows, and which first.
std::string not_compared_table(const std::vector<NotCompared>& list) {
  if (list.empty()) return "";
  struct Reason {
    size_t rows = 0;
    std::string which;
  };
  constexpr size_t shown = 3;
  std::map<std::string, Reason> reasons;
  for (const NotCompared& row : list) {
    Reason& reason = reasons[row.why];
    if (++reason.rows <= shown) {
      reason.which +=
          fmt::format("{}{}{}", reason.which.empty() ? "" : ", ", row.device.empty() ? "" : row.device + " ",
                      row.name.empty() ? fmt::format("row {}", row.row) : row.name);
    }
  }
  Table table({"Why", "Rows", "Of them"}, {Align::left, Align::right, Align::left});
  for (const auto& [why, reason] : reasons) {
    table.add({why, std::to_string(reason.rows), reason.which + (reason.rows > shown ? ", …" : "")});
  }
  return fmt::format("## Not compared: {} rows\n\n{}\n", list.size(), table.markdown());
}

std::string summary_table(const std::vector<ValidationRow>& rows) {
  Table table({"Kind", "Device", "Rows", "Mean error", "Median", "90 %", "Bias", "Worst", "of", "In the interval"},
              {Align::left, Align::left, Align::right, Align::right, Align::right, Align::right, Align::right,
               Align::right, Align::left, Align::right});
  for (const auto& [key, members] : groups_of(rows)) {
    const Summary s = summary_of(members);
    if (s.rows == 0) continue;
    table.add({key.first, key.second, std::to_string(s.rows), fmt::format("{:.1f} %", s.mean * 100),
               fmt::format("{:.1f} %", s.median * 100), fmt::format("{:.1f} %", s.ninety * 100), percent(s.bias),
               percent(s.worst), s.worst_name,
               s.with_interval > 0 ? fmt::format("{} of {}", s.inside, s.with_interval) : "-"});
  }
  return table.markdown();
}

void write_ops(const char* name, const std::vector<OpTimes>& ops, bool predicted, DocumentWriter& out) {
  out.list(name, ops, [&](const OpTimes& op) {
    out.map([&] {
      out.field("op", op.op);
      out.field("launches", op.launches);
      if (predicted) out.field("predicted_ms", op.predicted_ms);
      out.field("measured_ms", op.measured_ms);
      if (predicted) out.field("absolute_error_ms", op.absolute_ms);
    });
  });
}

void write_row(const ValidationRow& r, DocumentWriter& out) {
  out.map([&] {
    out.field("file", r.file);
    out.field("device", r.device);
    out.field("name", r.name);
    out.field("kind", r.group);
    out.field("predicted_device_ms", r.predicted_device_ms);
    out.field("measured_device_ms", r.measured_device_ms);
    out.field("predicted_wall_ms", r.predicted_wall_ms);
    out.field("measured_wall_ms", r.measured_wall_ms);
    out.field("predicted_joules", r.predicted_joules);
    out.field("measured_joules", r.measured_joules);
    out.field("predicted_peak_allocated", r.predicted_peak_allocated);
    out.field("measured_peak_allocated", r.measured_peak_allocated);
    out.field("predicted_peak_reserved", r.predicted_peak_reserved);
    out.field("measured_peak_reserved", r.measured_peak_reserved);
    out.field("allocated_at_start", r.allocated_at_start);
    out.field("device_ms_error", r.device_error());
    out.field("wall_ms_error", r.wall_error());
    out.field("joules_error", r.joules_error());
    out.field("joules_resolution", r.joules_resolution);
    out.field("peak_allocated_error", r.peak_allocated_error());
    out.field("peak_reserved_error", r.peak_reserved_error());
    out.field("peak_above_start_error", r.peak_above_start_error());
    out.field("launch_error", r.launch_error);
    out.field("launches", r.launches);
    out.field("launches_in_place", r.launches_in_place);
    out.field("not_predicted_ms", r.not_predicted_ms);
    out.field("inside", r.inside);
    write_ops("by_op", r.by_op, true, out);
    write_ops("not_predicted", r.not_predicted, false, out);
  });
}

void write_summary(const std::vector<ValidationRow>& rows, DocumentWriter& out) {
  out.begin_list();
  for (const auto& [key, members] : groups_of(rows)) {
    const Summary s = summary_of(members);
    if (s.rows == 0) continue;
    out.map([&] {
      out.field("kind", key.first);
      out.field("device", key.second);
      out.field("rows", s.rows);
      out.field("mean_error", s.mean);
      out.field("median_error", s.median);
      out.field("ninetieth_error", s.ninety);
      out.field("bias", s.bias);
      out.field("worst_error", s.worst);
      out.field("worst", s.worst_name);
      out.field("inside", s.with_interval > 0 ? std::optional<double>(static_cast<double>(s.inside) /
                                                                      static_cast<double>(s.with_interval))
                                              : std::nullopt);
    });
  }
  out.end_list();
}

}  // namespace

std::string validation_text(const Validation& validation) {
  const std::vector<ValidationRow>& rows = validation.rows;
  std::string out;
  if (std::any_of(rows.begin(), rows.end(), is_forward))
    out += "## Forwards and runs\n\n" + forwards_table(rows) + "\n";
  if (rows.size() == 1 && !rows.front().by_op.empty()) out += "## By op\n\n" + op_table(rows.front()) + "\n";
  out += not_predicted_table(rows);
  if (std::any_of(rows.begin(), rows.end(), [](const ValidationRow& row) { return error_of(row).has_value(); }))
    out += "## By kind\n\n" + summary_table(rows) + "\n";
  out += not_compared_table(validation.not_compared);
  return out +
         "Errors are predicted over measured, less 1; of wall time where it is known, else of time on the device. `A launch`: the "
         "launches' mean\nabsolute error, weighted by their times. `Allocated`, `Reserved`: peaks, of which what was "
         "there before is the measurement's.\n`Joules`: of what was measured for 0.4 s and more; the meter counts every "
         "0.1 s.\n";
}

std::string validation_json(const Validation& validation) {
  const std::vector<ValidationRow>& rows = validation.rows;
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.list("rows", rows, [&](const ValidationRow& r) { write_row(r, out); });
      out.key("summary");
      write_summary(rows, out);
      out.list("not_compared", validation.not_compared, [&](const NotCompared& n) {
        out.map([&] {
          out.field("file", n.file);
          out.field("row", n.row == 0 ? std::nullopt : std::optional<int64_t>(static_cast<int64_t>(n.row)));
          out.field("device", n.device);
          out.field("name", n.name);
          out.field("why", n.why);
        });
      });
    });
  });
}

}  // namespace modelmeter
