#include "base/json.h"

#include <fmt/format.h>

#include <algorithm>
#include <utility>
#include <vector>

#include "base/error.h"

namespace modelmeter {
namespace {

Json wide(Count count) {
  const std::string digits = to_string(count);
  return Json::binary(Json::binary_t::container_type(digits.begin(), digits.end()));
}

std::string digits_of(const Json& value) {
  const auto& bytes = value.get_binary();
  return {bytes.begin(), bytes.end()};
}

bool has_wide(const Json& value) {
  if (value.is_binary()) return true;
  return value.is_structured() && std::any_of(value.begin(), value.end(), has_wide);
}

// As nlohmann's serializer writes it, but for wide integers.
class Writer {
 public:
  explicit Writer(int indent) : indent_(indent) {}

  void write(const Json& value, int depth) {
    if (value.is_binary()) {
      out_ += digits_of(value);
    } else if (!value.is_structured() || value.empty()) {
      out_ += value.dump();
    } else {
      out_ += value.is_object() ? '{' : '[';
      for (auto it = value.begin(); it != value.end(); ++it) {
        if (it != value.begin()) out_ += ',';
        new_line(depth + 1);
        if (value.is_object()) out_ += Json(it.key()).dump() + (indent_ < 0 ? ":" : ": ");
        write(*it, depth + 1);
      }
      new_line(depth);
      out_ += value.is_object() ? '}' : ']';
    }
  }

  std::string take() { return std::move(out_); }

 private:
  void new_line(int depth) {
    if (indent_ < 0) return;
    out_ += '\n';
    out_.append(static_cast<size_t>(depth) * static_cast<size_t>(indent_), ' ');
  }

  int indent_;
  std::string out_;
};

// Builds the document as nlohmann's parser does, which makes a float of an integer beyond 64 bits but hands over its
// text.
class Builder : public nlohmann::json_sax<Json> {
 public:
  bool null() override { return add(nullptr); }
  bool boolean(bool value) override { return add(value); }
  bool number_integer(int64_t value) override { return add(value); }
  bool number_unsigned(uint64_t value) override { return add(value); }
  bool number_float(double value, const std::string& text) override {
    const std::optional<Count> count = count_from(text);
    return count ? add(wide(*count)) : add(value);
  }
  bool string(std::string& value) override { return add(std::move(value)); }
  bool binary(Json::binary_t&) override { return false; }  // JSON text has none
  bool start_object(size_t) override { return open(Json::object()); }
  bool key(std::string& name) override { return key_ = std::move(name), true; }
  bool end_object() override { return open_.pop_back(), true; }
  bool start_array(size_t) override { return open(Json::array()); }
  bool end_array() override { return open_.pop_back(), true; }
  bool parse_error(size_t, const std::string&, const Json::exception&) override { return false; }

  Json take() { return std::move(root_); }

 private:
  static constexpr size_t max_depth = 64, max_keys = 1000, max_values = 4'000'000;

  bool add(Json value) { return place(std::move(value)), true; }
  bool open(Json value) {
    if (open_.size() == max_depth) throw Error(fmt::format("the JSON is nested more than {} deep", max_depth));
    return open_.push_back(place(std::move(value))), true;
  }

  // A container's address holds while it is open: its parent gets no other value before it is closed.
  Json* place(Json value) {
    if (++values_ > max_values) throw Error(fmt::format("the JSON has more than {} values", max_values));
    if (open_.empty()) return &(root_ = std::move(value));
    Json& parent = *open_.back();
    if (parent.is_object()) {
      // A map finds its keys one by one.
      if (parent.size() == max_keys) throw Error(fmt::format("a map of the JSON has more than {} keys", max_keys));
      return &(parent[std::move(key_)] = std::move(value));
    }
    parent.push_back(std::move(value));
    return &parent.back();
  }

  Json root_;
  std::vector<Json*> open_;
  std::string key_;
  size_t values_ = 0;
};

}  // namespace

Json json_of(Count count) {
  if (!count.fits_64()) return wide(count);
  return static_cast<int64_t>(count.value());
}

std::optional<Count> count_in(const Json& value) {
  if (value.is_number_unsigned()) return Count(value.get<uint64_t>());
  if (value.is_number_integer()) return Count(value.get<int64_t>());
  if (value.is_binary()) return count_from(digits_of(value));
  return std::nullopt;
}

std::string dump_json(const Json& document, int indent) {
  if (!has_wide(document)) return document.dump(indent, ' ', false, Json::error_handler_t::replace);
  Writer writer(indent);
  writer.write(document, 0);
  return writer.take();
}

Json parse_json(const std::string& text) {
  Builder builder;
  return Json::sax_parse(text, &builder) ? builder.take() : Json(Json::value_t::discarded);
}

}  // namespace modelmeter
