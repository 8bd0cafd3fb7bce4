#include "report/table.h"

#include <algorithm>
#include <numeric>

namespace modelmeter {
namespace {

constexpr size_t least_text = 16;  // columns of a text that was shortened
constexpr char ellipsis[] = "…";

bool continues(char c) { return (static_cast<unsigned char>(c) & 0xC0U) == 0x80U; }

// Where the character number `n` of a UTF-8 text begins; its end where it has no more than that.
size_t byte_of(std::string_view text, size_t n) {
  size_t at = 0;
  for (; at < text.size(); ++at) {
    if (continues(text[at])) continue;
    if (n-- == 0) break;
  }
  return at;
}

// "| a | b " takes three columns beside each text, and a last one.
size_t total(const std::vector<size_t>& widths, const std::vector<size_t>& columns) {
  size_t out = 1;
  for (const size_t c : columns) out += widths[c] + 3;
  return out;
}

// --- lines of a text ---

std::vector<std::string> cells_of(const std::string& line) {
  std::vector<std::string> out;
  size_t start = 2;
  for (size_t end; (end = line.find(" |", start)) != std::string::npos; start = end + 3) {
    std::string cell = line.substr(start, end - start);
    cell.erase(0, std::min(cell.find_first_not_of(' '), cell.size()));
    cell.erase(cell.find_last_not_of(' ') + 1);
    out.push_back(std::move(cell));
    if (end + 2 >= line.size()) break;
  }
  return out;
}

bool is_row(const std::string& line) {
  return line.size() > 3 && line.compare(0, 2, "| ") == 0 && line.compare(line.size() - 2, 2, " |") == 0;
}

// The table that begins at lines[at], if there is one; `at` goes past it.
std::string table_at(const std::vector<std::string>& lines, size_t& at, int width) {
  const std::vector<std::string> header = cells_of(lines[at]);
  const size_t end = static_cast<size_t>(
      std::find_if_not(lines.begin() + static_cast<std::ptrdiff_t>(at), lines.end(), is_row) - lines.begin());
  const std::vector<std::string> rule = at + 1 < end ? cells_of(lines[at + 1]) : std::vector<std::string>();
  bool whole = rule.size() == header.size();
  std::vector<Align> align;
  for (const std::string& cell : rule) {
    whole = whole && cell.size() >= 3 && cell.find_first_not_of("-:") == std::string::npos;
    align.push_back(!cell.empty() && cell.back() == ':' ? Align::right : Align::left);
  }
  Table table(header, align);
  for (size_t i = at + 2; whole && i < end; ++i) {
    table.add(cells_of(lines[i]));
    whole = cells_of(lines[i]).size() == header.size();
  }
  if (!whole) return lines[at++] + "\n";
  at = end;
  return table.markdown(width);
}

std::string wrapped(const std::string& line, size_t width) {
  const size_t start = line.find_first_not_of(' ');
  if (shown_width(line) <= width || start == std::string::npos || line[start] == '#') return line + "\n";
  const std::string indent(start + (line.compare(start, 2, "- ") == 0 ? 2 : 0), ' ');
  std::string out, rest = line;
  while (shown_width(rest) > width) {
    const size_t limit = byte_of(rest, width + 1);
    size_t space = rest.rfind(' ', limit - 1);
    if (space == std::string::npos || space <= indent.size()) space = rest.find(' ', indent.size() + 1);
    if (space == std::string::npos) break;
    out += rest.substr(0, space) + "\n";
    rest = rest.substr(space + 1).insert(0, indent);
  }
  return out + rest + "\n";
}

}  // namespace

size_t shown_width(std::string_view text) {
  return static_cast<size_t>(std::count_if(text.begin(), text.end(), [](char c) { return !continues(c); }));
}

std::string cut_to(const std::string& text, size_t width) {
  const size_t size = shown_width(text);
  if (size <= width || width == 0) return text;
  if (text.find('/') != std::string::npos) {
    const std::string end = text.substr(byte_of(text, size - (width - 1)));
    const size_t slash = end.find('/');  // whole names, where that does not cost much
    return ellipsis + (slash != std::string::npos && slash <= end.size() / 3 ? end.substr(slash) : end);
  }
  return text.substr(0, byte_of(text, width - 1)) + ellipsis;
}

Table::Widths Table::natural() const {
  Widths out(align_.size(), 3);
  for (const auto& row : rows_) {
    for (size_t i = 0; i < row.size(); ++i) out[i] = std::max(out[i], shown_width(row[i]));
  }
  return out;
}

std::string Table::lines(const Widths& widths, const std::vector<size_t>& columns) const {
  std::string out;
  const auto line = [&](const std::vector<std::string>& row) {
    for (const size_t i : columns) {
      const std::string cell = cut_to(row[i], widths[i]);
      const std::string space(widths[i] - shown_width(cell), ' ');
      out += "| " + (align_[i] == Align::right ? space + cell : cell + space) + " ";
    }
    out += "|\n";
  };
  line(rows_.front());
  for (const size_t i : columns) {
    out += align_[i] == Align::right ? "| " + std::string(widths[i] - 1, '-') + ": "
                                     : "| " + std::string(widths[i], '-') + " ";
  }
  out += "|\n";
  for (size_t r = 1; r < rows_.size(); ++r) line(rows_[r]);
  return out;
}

std::string Table::markdown() const { return markdown(0); }

std::string Table::markdown(int width) const {
  Widths widths = natural();
  std::vector<size_t> columns(widths.size());
  std::iota(columns.begin(), columns.end(), size_t{0});
  const auto limit = static_cast<size_t>(std::max(width, 0));
  while (limit > 0 && total(widths, columns) > limit) {
    size_t widest = columns.size();
    for (const size_t c : columns) {
      const bool text = align_[c] == Align::left && widths[c] > std::max(least_text, shown_width(rows_.front()[c]));
      if (text && (widest == columns.size() || widths[c] > widths[widest])) widest = c;
    }
    if (widest == columns.size()) break;
    --widths[widest];
  }
  std::string out;
  for (size_t next = 1; next < columns.size() || out.empty();) {
    std::vector<size_t> part = {0};
    while (next < columns.size() && (part.size() == 1 || limit == 0 || total(widths, part) + widths[next] + 3 <= limit))
      part.push_back(next++);
    out += (out.empty() ? "" : "\n") + lines(widths, part);
  }
  return out;
}

std::string fitted(const std::string& text, int width) {
  if (width <= 0) return text;
  std::vector<std::string> lines;
  for (size_t start = 0, end; start < text.size(); start = end + 1) {
    end = std::min(text.find('\n', start), text.size());
    lines.push_back(text.substr(start, end - start));
  }
  std::string out;
  for (size_t at = 0; at < lines.size();) {
    out += is_row(lines[at]) ? table_at(lines, at, width) : wrapped(lines[at++], static_cast<size_t>(width));
  }
  if (!text.empty() && text.back() != '\n') out.pop_back();
  return out;
}

}  // namespace modelmeter
