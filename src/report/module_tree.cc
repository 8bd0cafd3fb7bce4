#include "report/module_tree.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <set>
#include <tuple>

#include "base/checked.h"
#include "base/format.h"

namespace modelmeter {
namespace {

using Node = ModuleTreeNode;

constexpr char parameters_overflow[] = "the number of parameters";

bool contains(const std::vector<std::string>& names, const std::string& name) {
  return std::find(names.begin(), names.end(), name) != names.end();
}

std::string looked_up(const std::vector<std::pair<std::string, std::string>>& table, const std::string& key,
                      const std::string& otherwise) {
  for (const auto& [from, to] : table) {
    if (from == key) return to;
  }
  return otherwise;
}

class TreeBuilder {
 public:
  TreeBuilder(const AnalyticModel& model, const Evaluation& run, const ModuleTreeOptions& options)
      : model_(model),
        trace_(run.trace()),
        rollup_(run.rollup()),
        options_(options),
        names_(model.names()),
        categories_(model.categories()) {
    root_ = std::make_unique<Node>();
    root_->id = root_->name = root_->raw_name = names_.root_id;
    root_->name = names_.root_id.substr(names_.root_id.rfind('/') + 1);
    root_->klass = model.class_name();
    root_->stage = names_.root_stage;
    root_->calls = 1;
    for (const auto& stage : model.stages()) stages_[stage->id()] = stage.get();
    walk(0, *root_, 1);
    count_caches(*root_);
    finish(*root_);
  }

  std::unique_ptr<Node> take() { return std::move(root_); }

 private:
  // --- scopes to nodes ---

  std::vector<int32_t> children_of(int32_t scope) const {
    std::vector<int32_t> out;
    for (int32_t child = trace_.scopes[static_cast<size_t>(scope)].first_child; child >= 0;
         child = trace_.scopes[static_cast<size_t>(child)].next_sibling) {
      out.push_back(child);
    }
    std::reverse(out.begin(), out.end());  // newest first in the trace
    return out;
  }

  // Adds the scope's own kernels, and its children as nodes. Costs are divided by `share`: the number of nodes that an
  // expanded repetition is spread over.
  void walk(int32_t scope, Node& node, int64_t share) {
    const Scope& here = trace_.scopes[static_cast<size_t>(scope)];
    const ScopeCost& cost = rollup_.scopes[static_cast<size_t>(scope)];
    add(own_[&node], cost.own, share);
    node.scopes.push_back({scope, share});
    node.peak_live = std::max(node.peak_live, cost.peak_live);
    for (int32_t child : children_of(scope)) {
      const Scope& s = trace_.scopes[static_cast<size_t>(child)];
      const int64_t calls = s.calls * rollup_.executions[static_cast<size_t>(child)] / share;
      if (s.kind == ScopeKind::repetition) {
        walk(child, node, share);
      } else if (s.kind == ScopeKind::function) {
        Node& made = function_node(node, std::string(s.name));
        const int64_t before = made.calls;
        walk(child, made, share);
        if (made.layer == nullptr || made.calls == before) made.calls += calls;  // else the stage's own module counts
      } else if (s.index >= 0 && here.kind == ScopeKind::repetition &&
                 (options_.expand_lists || layers_of_their_own(node, s, here.count))) {
        for (int64_t i = 0; i < here.count; ++i) {
          Node& made = module_node(node, s, s.index + i);
          made.calls += calls / here.count;
          walk(child, made, share * here.count);
        }
      } else {
        Node& made = module_node(node, s, s.index);
        made.calls += calls;
        walk(child, made, share);
      }
    }
  }

  // Whether a repetition over a ModuleList ran layers that were registered one by one, equal as they are: each is a
  // node of its own, with its parameters. Notes them as run.
  bool layers_of_their_own(const Node& node, const Scope& first, int64_t count) {
    const Node& calling = caller(node);
    if (count < 2 || calling.layer == nullptr) return false;
    std::vector<const BaseLayer*> layers;
    std::string list;
    for (const BaseLayer::Child& c : calling.layer->children()) {
      if (c.layer == first.module && c.first == first.index && c.count == 1) list = c.name;
    }
    for (const BaseLayer::Child& c : calling.layer->children()) {
      const bool ran =
          c.list && c.name == list && c.count == 1 && c.first > first.index && c.first < first.index + count;
      if (ran) layers.push_back(c.layer);
    }
    if (list.empty() || static_cast<int64_t>(layers.size()) != count - 1) return false;
    for (const BaseLayer* layer : layers) first_origin_.try_emplace(layer, node.origin);
    return true;
  }

  static void add(Cost& sum, const Cost& cost, int64_t share) { sum.add(share == 1 ? cost : cost.part(share)); }

  Node& function_node(Node& parent, const std::string& name) {
    const auto stage = stages_.find(name);
    if (stage == stages_.end()) {
      if (const PlacedNode* place = placed(parent, name)) return placed_node(*place, parent, name);
      return child(parent, name, name);
    }
    for (const auto& existing : parent.children) {
      if (existing->id == name) return *existing;
    }
    Node& made = new_child(parent, name);
    made.id = made.path = made.origin = name;
    made.stage = stage->second->stage();
    by_id_[name] = &made;
    return made;
  }

  Node& module_node(Node& parent, const Scope& scope, int64_t index) {
    const auto* layer = static_cast<const BaseLayer*>(scope.module);
    const std::string raw(scope.name);
    first_origin_.try_emplace(layer, parent.origin);
    ran_.insert({&caller(parent), layer, index});
    if (raw.empty()) {  // the root module of a stage is the stage's node
      parent.klass = scope.klass;
      parent.layer = layer;
      return parent;
    }
    const LayerList list = scope.index >= 0 && !options_.expand_lists ? list_of(caller(parent), layer) : LayerList();
    std::string name = report_name(raw, scope.index >= 0);
    if (scope.index >= 0) name += fmt::format("_{:02}", list.count > 1 ? list.first : index);
    Node* made = nullptr;
    if (const PlacedNode* place = placed(parent, raw)) {
      made = &placed_node(*place, parent, raw);
    } else {
      Node* at = &parent;
      for (size_t start = 0, slash; (slash = name.find('/', start)) != std::string::npos; start = slash + 1) {
        at = &child(*at, name.substr(start, slash - start), raw);
        at->calls = parent.calls;
      }
      made = &child(*at, name.substr(name.rfind('/') == std::string::npos ? 0 : name.rfind('/') + 1), raw);
    }
    made->klass = scope.klass;
    made->layer = layer;
    made->list_count = list.count;
    made->copies = parent.copies * std::max<int64_t>(made->list_count, 1);
    return *made;
  }

  std::string report_name(const std::string& raw, bool in_list) const {
    return looked_up(names_.modules, in_list ? raw + "[]" : raw, raw);
  }

  // --- nodes that stand elsewhere ---

  const PlacedNode* placed(const Node& parent, const std::string& raw) const {
    const std::string path = parent.path + "/" + raw;
    for (const PlacedNode& place : names_.placed) {
      if (place.path == path) return &place;
    }
    return nullptr;
  }

  Node& placed_node(const PlacedNode& place, const Node& runs_in, const std::string& raw) {
    Node& made = node_with_id(place.id);
    made.stage = place.stage;
    made.raw_name = raw;
    made.path = place.path;
    made.origin = runs_in.origin;
    made.runs_in = &runs_in;
    made.copies = runs_in.copies;
    return made;
  }

  // Below the group, stage or placed node that its id begins with, if there is one; else below the root.
  Node& node_with_id(const std::string& id) {
    if (const auto known = by_id_.find(id); known != by_id_.end()) return *known->second;
    Node* parent = root_.get();
    for (size_t slash = id.rfind('/'); slash != std::string::npos && slash > 0; slash = id.rfind('/', slash - 1)) {
      const std::string above = id.substr(0, slash);
      if (const NodeGroup* group = group_named(above)) {
        parent = &group_node(*group);
        break;
      }
      if (const auto known = by_id_.find(above); known != by_id_.end()) {
        parent = known->second;
        break;
      }
    }
    Node& made = new_child(*parent, id.substr(id.rfind('/') + 1));
    made.id = id;
    by_id_[id] = &made;
    return made;
  }

  const NodeGroup* group_named(const std::string& id) const {
    for (const NodeGroup& group : names_.groups) {
      if (group.id == id) return &group;
    }
    return nullptr;
  }

  Node& group_node(const NodeGroup& group) {
    Node& made = node_with_id(group.id);
    made.klass = group.klass;
    made.stage = group.stage;
    made.list_count = group.repetition_count;
    made.group_params = group.constructor_params;
    made.calls = std::max<int64_t>(made.calls, 1);
    return made;
  }

  // The node whose layer called what runs in `node`: itself, or above it where it is a function or a group.
  static const Node& caller(const Node& node) {
    const Node* at = &node;
    while (at->layer == nullptr && at->runs_in != nullptr) at = at->runs_in;
    return *at;
  }

  // How the caller registered this layer in a ModuleList, all runs of it together; no count where it did not.
  struct LayerList {
    int64_t first = 0, count = 0;
  };
  static LayerList list_of(const Node& calling, const BaseLayer* layer) {
    LayerList out;
    if (calling.layer == nullptr) return out;
    for (const BaseLayer::Child& c : calling.layer->children()) {
      if (c.layer != layer) continue;
      if (out.count == 0) out.first = c.first;
      out.count += c.count;
    }
    return out;
  }

  Node& child(Node& parent, const std::string& name, const std::string& raw) {
    for (const auto& existing : parent.children) {
      if (existing->name == name) return *existing;
    }
    Node& made = new_child(parent, name);
    made.raw_name = raw;
    made.path = parent.path + "/" + raw;
    return made;
  }

  static Node& new_child(Node& parent, const std::string& name) {
    Node& made = *parent.children.emplace_back(std::make_unique<Node>());
    made.parent = &parent;
    made.name = made.raw_name = name;
    made.id = parent.id + "/" + name;
    made.stage = parent.stage;
    made.copies = parent.copies;
    made.path = parent.path + "/" + name;
    made.origin = parent.origin;
    made.runs_in = &parent;
    return made;
  }

  // --- leaves, weights, categories, sums ---

  void finish(Node& node) {
    add_uncalled(node);
    const auto [used_parameters, used_bytes] = own_parameters(node);
    const int64_t parameters = counts_here(node) ? used_parameters : 0, bytes = counts_here(node) ? used_bytes : 0;
    const Cost own = own_[&node];
    if (!node.leaf() && (own.kernels > 0 || used_parameters > 0)) {
      Node& leaf = child(node, looked_up(names_.own, node.klass, "other"), "");
      leaf.raw_name = leaf.name;
      leaf.cost = own;
      leaf.scopes = node.scopes;
      leaf.calls = node.calls;
      leaf.peak_live = node.peak_live;
      leaf.parameters = parameters;
      leaf.weight_bytes = bytes;
      leaf.used_parameters = used_parameters;
      leaf.used_weight_bytes = used_bytes;
    } else {
      node.kv_cache_bytes = cache_bytes(node);
      node.cost = own;
      node.parameters = parameters;
      node.weight_bytes = bytes;
      node.used_parameters = used_parameters;
      node.used_weight_bytes = used_bytes;
    }
    for (const auto& c : node.children) {
      if (own_.count(c.get()) > 0 || c->layer != nullptr || !c->leaf()) finish(*c);
      if (c->leaf()) {
        c->category = category_of(*c);
        c->by_category[c->category] = c->cost;
      }
      node.cost.add(c->cost);
      node.parameters = checked_add(node.parameters, c->parameters, parameters_overflow);
      node.weight_bytes = checked_add(node.weight_bytes, c->weight_bytes, parameters_overflow);
      node.kv_cache_bytes = checked_add(node.kv_cache_bytes, c->kv_cache_bytes, "the size of the KV cache");
      node.peak_live = std::max(node.peak_live, c->peak_live);
      for (const auto& [category, cost] : c->by_category) node.by_category[category].add(cost);
    }
  }

  // Layers that hold parameters but do not run: resident all the same.
  void add_uncalled(Node& node) {
    if (node.layer == nullptr) return;
    for (const BaseLayer::Child& c : node.layer->children()) {
      if (c.layer->parameter_count() == 0) continue;
      const bool ran = first_origin_.count(c.layer) > 0;
      if (ran ? first_origin_[c.layer] != node.origin : !counts_here(node)) continue;
      if (c.list && options_.expand_lists) {
        for (int64_t i = c.first; i < c.first + c.count; ++i) {
          if (ran_.count({&node, c.layer, i}) == 0) add_uncalled(node, c, fmt::format("_{:02}", i));
        }
      } else if (!ran || (options_.expand_lists && node.calls == 0 && ran_.count({&node, c.layer, -1}) == 0)) {
        // Of a layer that ran itself, those that did not run in it did so past it: by their path.
        Node& made = add_uncalled(node, c, c.list ? fmt::format("_{:02}", c.first) : "");
        if (c.list) made.list_count = c.count;
        made.copies = node.copies * c.count;
      }
    }
  }

  Node& add_uncalled(Node& node, const BaseLayer::Child& c, const std::string& number) {
    Node& made = child(node, report_name(c.name, c.list) + number, c.name);
    made.klass = c.layer->class_name();
    made.layer = c.layer;
    return made;
  }

  // A layer that two stages share counts with the first.
  bool counts_here(const Node& node) const {
    const auto first = first_origin_.find(node.layer);
    return first == first_origin_.end() || first->second == node.origin;
  }

  // Number and bytes of the layer's own parameters, of all copies.
  static std::pair<int64_t, int64_t> own_parameters(const Node& node) {
    int64_t count = 0, bytes = 0;
    if (node.layer == nullptr) return {0, 0};
    for (const BaseLayer::Parameter& p : node.layer->parameters()) {
      if (!p.persistent) continue;
      count = checked_add(count, p.spec.sizes.numel(), parameters_overflow);
      bytes = checked_add(bytes, p.spec.bytes(), parameters_overflow);
    }
    return {checked_mul(count, node.copies, parameters_overflow), checked_mul(bytes, node.copies, parameters_overflow)};
  }

  // --- the KV cache: what each stage adds, spread evenly over its layers' caches ---

  static constexpr char cache_name[] = "kv_cache";  // of the function that appends to it

  void count_caches(const Node& node) {
    if (node.raw_name == cache_name) caches_[node.origin] += node.copies;
    for (const auto& c : node.children) count_caches(*c);
  }

  int64_t cache_bytes(const Node& node) const {
    const auto found = caches_.find(node.origin);
    if (node.raw_name != cache_name || found == caches_.end()) return 0;
    return model_.kv_cache_bytes_added(node.origin) / found->second * node.copies;
  }

  std::string category_of(const Node& leaf) const {
    for (const OperatorCategory& category : categories_) {
      const bool matches = category.match.empty() || (category.by_part ? has_part(nearest_class(leaf), category.match)
                                                                       : contains(category.match, leaf.klass) ||
                                                                             contains(category.match, leaf.raw_name));
      if (matches && (category.within.empty() || is_within(leaf, category.within))) return category.id;
    }
    return "other";
  }

  static std::string nearest_class(const Node& leaf) {
    const Node* at = &leaf;
    while (at->klass.empty() && at->parent != nullptr) at = at->parent;
    return at->klass;
  }

  static bool has_part(std::string klass, const std::vector<std::string>& parts) {
    std::transform(klass.begin(), klass.end(), klass.begin(), [](unsigned char c) { return std::tolower(c); });
    return std::any_of(parts.begin(), parts.end(),
                       [&](const std::string& p) { return klass.find(p) != std::string::npos; });
  }

  static bool is_within(const Node& leaf, const std::vector<std::string>& names) {
    for (const Node* at = leaf.parent; at != nullptr; at = at->parent) {
      if (contains(names, at->klass) || contains(names, at->raw_name)) return true;
    }
    return false;
  }

  const AnalyticModel& model_;
  const Trace& trace_;
  const Rollup& rollup_;
  const ModuleTreeOptions& options_;
  const ReportNames names_;
  const std::vector<OperatorCategory> categories_;
  std::map<std::string, const Stage*> stages_;
  std::map<std::string, Node*> by_id_;  // groups, stages and placed nodes
  std::map<const Node*, Cost> own_;
  std::map<const BaseLayer*, std::string> first_origin_;              // of the stages that run it
  std::set<std::tuple<const Node*, const BaseLayer*, int64_t>> ran_;  // caller, layer, index
  std::map<std::string, int64_t> caches_;                             // how many layers have one, by origin
  std::unique_ptr<Node> root_;
};

}  // namespace

Figures figures_of(const ModuleTreeNode& node) {
  Figures out = figures_of(node.cost);
  out.parameters = node.parameters;
  out.weight_bytes = node.weight_bytes;
  out.activation_peak_bytes = node.peak_live;
  out.kv_cache_bytes = node.kv_cache_bytes;
  return out;
}

std::string calls_text(const ModuleTreeNode& node) {
  if (node.calls % node.copies == 0) return grouped(node.calls / node.copies);
  return fmt::format("{:.1f}", static_cast<double>(node.calls) / static_cast<double>(node.copies));
}

int32_t representative_scope(const ModuleTreeNode& node, const Trace& trace, const Rollup& rollup) {
  int32_t best = -1;
  bool best_is_module = false;
  Count most = 0;
  for (const auto& [scope, share] : node.scopes) {
    const ScopeKind kind = trace.scopes[static_cast<size_t>(scope)].kind;
    const Count kernels = rollup.scopes[static_cast<size_t>(scope)].inclusive.kernels;
    if (kind == ScopeKind::repetition || kernels == 0) continue;
    const bool is_module = kind == ScopeKind::module;
    if (best >= 0 && (best_is_module != is_module ? best_is_module : kernels <= most)) continue;
    best = scope;
    best_is_module = is_module;
    most = kernels;
  }
  return best;
}

std::unique_ptr<ModuleTreeNode> module_tree(const AnalyticModel& model, const Evaluation& run,
                                            const ModuleTreeOptions& options) {
  return TreeBuilder(model, run, options).take();
}

}  // namespace modelmeter
