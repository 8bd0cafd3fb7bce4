#include "config/mark.h"

namespace modelmeter::config {

SourceSpan Mark::span() const {
  if (!source) return {};
  SourceSpan span{source->file, line, column, ""};
  if (line <= 0) return span;
  size_t begin = 0;
  for (int i = 1; i < line && begin != std::string::npos; ++i) {
    begin = source->text.find('\n', begin);
    if (begin != std::string::npos) ++begin;
  }
  if (begin == std::string::npos) return span;
  size_t end = source->text.find('\n', begin);
  if (end == std::string::npos) end = source->text.size();
  if (end > begin && source->text[end - 1] == '\r') --end;
  span.text = source->text.substr(begin, end - begin);
  return span;
}

Mark command_line_mark(const std::shared_ptr<const Source>& source, size_t offset) {
  // Continuation bytes of UTF-8 are no columns.
  int column = 1;
  for (size_t i = 0; i < offset && i < source->text.size(); ++i) {
    if ((static_cast<unsigned char>(source->text[i]) & 0xC0) != 0x80) ++column;
  }
  return {source, 1, column};
}

}  // namespace modelmeter::config
