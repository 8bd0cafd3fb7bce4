// Reading of a JSON document's fields: what is missing or of another type is an Error with the file and the place.
#pragma once

#include <string>
#include <vector>

#include "base/json.h"

namespace modelmeter {

class JsonReader {
 public:
  // `note`: of every error, what such a document is.
  JsonReader(std::string file, std::string note) : file_(std::move(file)), note_(std::move(note)) {}
  virtual ~JsonReader() = default;

  [[noreturn]] void fail(const std::string& message) const;

  // The document. Error where the text is not JSON.
  Json parse(const std::string& text) const;
  const Json& field(const Json& object, const char* key) const;
  const Json& list(const Json& object, const char* key) const;
  std::string text(const Json& object, const char* key) const;

 protected:
  JsonReader(const JsonReader&) = default;
  JsonReader& operator=(const JsonReader&) = default;

 private:
  // Where what is read stands: "sections[3]: "; "" for the document itself.
  virtual std::string place() const { return ""; }

  std::string file_, note_;
};

}  // namespace modelmeter
