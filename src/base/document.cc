#include "base/document.h"

namespace modelmeter {

void DocumentWriter::value(const FieldValue& value) {
  std::visit([this](const auto& v) { this->value(v); }, value);
}

void DocumentWriter::value(const Fields& fields) {
  map([&] {
    for (const auto& [name, item] : fields) field(name, item);
  });
}

}  // namespace modelmeter
