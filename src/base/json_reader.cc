#include "base/json_reader.h"

#include <fmt/format.h>

#include "base/error.h"

namespace modelmeter {

void JsonReader::fail(const std::string& message) const {
  throw Error(fmt::format("{}: {}{}", file_, place(), message), {}, {note_});
}

Json JsonReader::parse(const std::string& text) const {
  Json document;
  try {
    document = parse_json(text);
  } catch (const Error& error) {
    fail(error.message());
  }
  if (document.is_discarded()) fail("not a JSON file");
  return document;
}

const Json& JsonReader::field(const Json& object, const char* key) const {
  if (!object.is_object() || !object.contains(key)) fail(fmt::format("no field \"{}\"", key));
  return object[key];
}

const Json& JsonReader::list(const Json& object, const char* key) const {
  const Json& value = field(object, key);
  if (!value.is_array()) fail(fmt::format("\"{}\" is not a list", key));
  return value;
}

std::string JsonReader::text(const Json& object, const char* key) const {
  const Json& value = field(object, key);
  if (!value.is_string()) fail(fmt::format("\"{}\" is not a string", key));
  return value.get<std::string>();
}

}  // namespace modelmeter
