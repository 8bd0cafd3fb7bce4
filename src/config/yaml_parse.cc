#include <fmt/format.h>
#include <yaml.h>

#include <map>
#include <optional>

#include "config/interpolation.h"
#include "config/limits.h"
#include "config/scalar.h"
#include "config/yaml.h"

namespace modelmeter::config {
namespace {

constexpr std::string_view kTagPrefix = "tag:yaml.org,2002:";

struct Event {
  Event() = default;
  Event(const Event&) = delete;
  Event& operator=(const Event&) = delete;
  ~Event() { yaml_event_delete(&raw); }
  yaml_event_t raw = {};
};

std::string to_string(const yaml_char_t* text) { return text ? reinterpret_cast<const char*>(text) : ""; }

// "!!int" for messages.
std::string short_tag(const std::string& tag) {
  return tag.compare(0, kTagPrefix.size(), kTagPrefix) == 0 ? "!!" + tag.substr(kTagPrefix.size()) : tag;
}

class Reader {
 public:
  Reader(std::string text, std::string file_name, bool final)
      : source_(std::make_shared<Source>(Source{std::move(file_name), std::move(text)})), final_(final) {
    if (!yaml_parser_initialize(&parser_)) throw Error(ErrorCode::internal, "libyaml: out of memory");
    yaml_parser_set_input_string(&parser_, reinterpret_cast<const unsigned char*>(source_->text.data()),
                                 source_->text.size());
  }
  Reader(const Reader&) = delete;
  Reader& operator=(const Reader&) = delete;
  ~Reader() { yaml_parser_delete(&parser_); }

  Node document() {
    Event stream_start, start;
    next(stream_start);
    next(start);
    if (start.raw.type == YAML_STREAM_END_EVENT) return Node::map({}, Mark{source_, 1, 1});
    Node root = node();
    Event end, after;
    next(end);
    next(after);
    if (after.raw.type != YAML_STREAM_END_EVENT) {
      throw Error("expected a single document in the file, but found another", mark(after.raw.start_mark).span());
    }
    if (root.is(Kind::null)) return Node::map({}, root.mark());
    if (root.is(Kind::string) || root.is(Kind::missing)) {
      // OmegaConf reads `foo` as `{foo: null}`.
      const Mark& at = root.mark();
      Node out = Node::map({}, at);
      out.set(root.is(Kind::string) ? root.as_string() : "???", Node::null(at), at);
      return out;
    }
    if (!root.is_container()) {
      throw Error(fmt::format("a config file holds a map, not {}", with_article(root.kind())), root.span());
    }
    return root;
  }

 private:
  Mark mark(const yaml_mark_t& at) const {
    return {source_, static_cast<int>(at.line) + 1, static_cast<int>(at.column) + 1};
  }

  void next(Event& event) {
    if (yaml_parser_parse(&parser_, &event.raw)) return;
    std::string message = to_string(reinterpret_cast<const yaml_char_t*>(parser_.problem));
    if (parser_.context) message = fmt::format("{}, {}", parser_.context, message);
    Mark at = mark(parser_.problem_mark);
    if (parser_.error == YAML_READER_ERROR) {  // has an offset, no mark
      message = fmt::format("{} at byte {}", message, parser_.problem_offset);
      at = {source_, 0, 0};
    }
    throw Error("YAML: " + message, at.span(), where_it_begins());
  }

  // Of what has no end, the quote or bracket that opens it: the error itself stands where the end was missed.
  std::vector<std::string> where_it_begins() const {
    if (parser_.error == YAML_READER_ERROR || parser_.context == nullptr) return {};
    if (parser_.context_mark.line == parser_.problem_mark.line) return {};
    const SourceSpan begin = mark(parser_.context_mark).span();
    return {fmt::format("it begins at {}:{}:{}", begin.file, begin.line, begin.column)};
  }

  Node node() {
    Event event;
    next(event);
    return node(event);
  }

  Node node(Event& event) {
    if (++depth_ > max_depth) throw too_deep(event);
    count(1, event);
    Node out = node_of(event);
    --depth_;
    return out;
  }

  Node node_of(Event& event) {
    switch (event.raw.type) {
      case YAML_ALIAS_EVENT: return alias(event);
      case YAML_SCALAR_EVENT: return scalar(event);
      case YAML_SEQUENCE_START_EVENT: return sequence(event);
      case YAML_MAPPING_START_EVENT: return mapping(event);
      default: throw Error(ErrorCode::internal, "libyaml: unexpected event", mark(event.raw.start_mark).span());
    }
  }

  Node alias(const Event& event) {
    const std::string name = to_string(event.raw.data.alias.anchor);
    const auto found = anchors_.find(name);
    if (found == anchors_.end() || !found->second) {
      throw Error(found == anchors_.end() ? fmt::format("found undefined alias '{}'", name)
                                          : fmt::format("alias '{}' is inside what it stands for", name),
                  mark(event.raw.start_mark).span());
    }
    const NodeSize size = size_of(*found->second);
    count(size.nodes, event);
    if (depth_ + size.depth > max_depth) throw too_deep(event);
    return *found->second;
  }

  Error too_deep(const Event& event) const {
    return Error(fmt::format("maps and lists are nested more than {} deep", max_depth),
                 mark(event.raw.start_mark).span());
  }

  // What has an anchor is kept twice.
  void count(size_t nodes, const Event& event) {
    nodes_ += nodes;
    if (nodes_ <= max_nodes) return;
    throw Error(fmt::format("this document has more than {} values, counting anchors and aliases", max_nodes),
                mark(event.raw.start_mark).span());
  }

  Node scalar(const Event& event) {
    const auto& raw = event.raw.data.scalar;
    const Mark at = mark(event.raw.start_mark);
    std::string text(reinterpret_cast<const char*>(raw.value), raw.length);
    Node out;
    if (raw.tag && std::string_view(to_string(raw.tag)) != "!") {
      out = tagged(to_string(raw.tag), text, at);
    } else if (raw.style == YAML_PLAIN_SCALAR_STYLE && !raw.tag) {
      out = plain_scalar(text, at);
    } else {
      out = Node::string(std::move(text), at);
    }
    if (out.is_interpolation() && final_) out = Node::literal(out.as_string(), at);
    if (out.is_interpolation()) check_interpolation(out);
    return anchored(raw.anchor, std::move(out), event);
  }

  static Node tagged(const std::string& tag, const std::string& text, const Mark& at) {
    const auto wrong = [&] { return Error(fmt::format("'{}' is not a {}", text, short_tag(tag)), at.span()); };
    const std::string_view name =
        tag.compare(0, kTagPrefix.size(), kTagPrefix) == 0 ? std::string_view(tag).substr(kTagPrefix.size()) : "";
    if (name == "str") return Node::string(text, at);
    if (name == "null") return Node::null(at);
    Node typed = plain_scalar(text, at);
    if (name == "int") {
      if (!typed.is(Kind::integer)) throw wrong();
      return typed;
    }
    if (name == "float") {
      if (typed.is(Kind::integer)) return Node::floating(typed.as_double(), at);
      if (typed.is(Kind::floating)) return typed;
      if (const std::optional<double> value = python_float(text)) return Node::floating(*value, at);
      throw wrong();
    }
    if (name == "bool") {
      if (!typed.is(Kind::boolean)) throw wrong();
      return typed;
    }
    throw Error(fmt::format("could not determine a constructor for the tag '{}'", short_tag(tag)), at.span());
  }

  void check_collection_tag(const yaml_char_t* raw, std::string_view wanted, const Mark& at) const {
    if (!raw) return;
    const std::string tag = to_string(raw);
    if (tag == "!" || tag == std::string(kTagPrefix) + std::string(wanted)) return;
    throw Error(fmt::format("could not determine a constructor for the tag '{}'", short_tag(tag)), at.span());
  }

  Node sequence(const Event& event) {
    const Mark at = mark(event.raw.start_mark);
    check_collection_tag(event.raw.data.sequence_start.tag, "seq", at);
    open(event.raw.data.sequence_start.anchor);
    List items;
    for (;;) {
      Event item;
      next(item);
      if (item.raw.type == YAML_SEQUENCE_END_EVENT) break;
      items.push_back(node(item));
    }
    return anchored(event.raw.data.sequence_start.anchor, Node::list(std::move(items), at), event);
  }

  Node mapping(const Event& event) {
    const Mark at = mark(event.raw.start_mark);
    check_collection_tag(event.raw.data.mapping_start.tag, "map", at);
    open(event.raw.data.mapping_start.anchor);
    Node own = Node::map({}, at), merged = Node::map({}, at);
    for (;;) {
      Event key_event;
      next(key_event);
      if (key_event.raw.type == YAML_MAPPING_END_EVENT) break;
      const Mark key_mark = mark(key_event.raw.start_mark);
      const bool is_merge = key_event.raw.type == YAML_SCALAR_EVENT &&
                            key_event.raw.data.scalar.style == YAML_PLAIN_SCALAR_STYLE &&
                            to_string(key_event.raw.data.scalar.value) == "<<";
      Node key_node = node(key_event);
      if (is_merge) {
        merge(merged, node());
        continue;
      }
      Key key = to_key(key_node, key_mark);
      if (own.find_entry(key)) {
        throw Error(fmt::format("while constructing a mapping, found duplicate key {}", key.text), key_mark.span());
      }
      Node value = node();
      own.set(std::move(key), std::move(value), key_mark);
    }
    if (merged.entries().empty()) return anchored(event.raw.data.mapping_start.anchor, std::move(own), event);
    for (const Entry& entry : own.entries()) merged.set(entry.key, entry.value, entry.key_mark);
    return anchored(event.raw.data.mapping_start.anchor, std::move(merged), event);
  }

  // `<<: *a` and `<<: [*a, *b]`: the keys come before the map's own, and a wins over b.
  static void merge(Node& into, const Node& from) {
    if (from.is(Kind::list)) {
      for (auto item = from.items().rbegin(); item != from.items().rend(); ++item) {
        if (!item->is(Kind::map)) {
          throw Error(fmt::format("expected a map for merging, but found {}", with_article(item->kind())),
                      item->span());
        }
        merge(into, *item);
      }
      return;
    }
    if (!from.is(Kind::map)) {
      throw Error(fmt::format("expected a map or a list of maps for merging, but found {}", with_article(from.kind())),
                  from.span());
    }
    for (const Entry& entry : from.entries()) into.set(entry.key, entry.value, entry.key_mark);
  }

  static Key to_key(const Node& node, const Mark& at) {
    switch (node.kind()) {
      case Kind::string: return node.as_string();
      case Kind::missing: return "???";
      case Kind::boolean: return Key(node.as_bool() ? "true" : "false", KeyKind::boolean);
      case Kind::integer: return Key(std::to_string(node.as_int()), KeyKind::integer);
      case Kind::floating: return Key(python_repr(node.as_double()), KeyKind::floating);
      case Kind::null:
      case Kind::list:
      case Kind::map: break;
    }
    throw Error(fmt::format("{} cannot be a key", with_article(node.kind())), at.span(),
                {"quote the key if it is meant as text"});
  }

  void open(const yaml_char_t* anchor) {
    if (anchor) anchors_[to_string(anchor)] = std::nullopt;
  }

  Node anchored(const yaml_char_t* anchor, Node node, const Event& event) {
    if (anchor) {
      count(size_of(node).nodes, event);
      anchors_[to_string(anchor)] = node;
    }
    return node;
  }

  std::shared_ptr<const Source> source_;
  yaml_parser_t parser_ = {};
  std::map<std::string, std::optional<Node>> anchors_;
  bool final_;
  size_t nodes_ = 0, depth_ = 0;
};

}  // namespace

Node parse_yaml(std::string text, std::string file_name) {
  return Reader(std::move(text), std::move(file_name), false).document();
}

Node parse_data(std::string text, std::string file_name) {
  return Reader(std::move(text), std::move(file_name), true).document();
}

}  // namespace modelmeter::config
