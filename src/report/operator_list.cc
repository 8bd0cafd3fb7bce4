#include "report/operator_list.h"

#include <fmt/format.h>

#include <algorithm>
#include <cctype>
#include <map>
#include <set>

#include "base/checked.h"
#include "base/format.h"
#include "base/json_writer.h"
#include "report/builder.h"
#include "report/module_tree.h"
#include "report/qualified_name.h"
#include "report/table.h"

namespace modelmeter {
namespace {

constexpr char overflow[] = "the number of layers";
// The files that readers of torchinfo look for.
constexpr char layers_json[] = "torchinfo-unique-layers.json";
constexpr char layers_md[] = "torchinfo-unique-layers.md";
constexpr char stages_json[] = "torchinfo-stages.json";

// Counts the classes below a layer, each as often as its holders are there.
class Census {
 public:
  explicit Census(const ReportNames& names) : names_(names) {}

  struct Entry {
    std::string klass;
    int64_t count = 0, parameters = 0;
    std::set<std::string> below;  // qualified
  };

  // Returns the qualified classes of the layer and of all below.
  std::set<std::string> add(const BaseLayer& layer, int64_t times, const std::string& stage_id) {
    std::set<std::string> below;
    std::map<std::string, List> lists;
    for (const BaseLayer::Child& c : layer.children()) {
      const std::set<std::string> classes = add(*c.layer, checked_mul(times, c.count, overflow), stage_id);
      below.insert(classes.begin(), classes.end());
      const size_t dot = c.name.rfind('.');
      if (!c.list && dot == std::string::npos) continue;
      // A list is a module itself, whether it is registered as one or by its members ("net.0").
      List& list = lists[c.list ? c.name : c.name.substr(0, dot)];
      list.klass = c.list_class;
      list.below.insert(classes.begin(), classes.end());
      list.parameters += c.layer->parameter_count() * c.count;
    }
    for (const auto& [name, list] : lists) {
      below.insert(enter(list.klass, times, list.parameters, list.below, stage_id));
    }
    const std::set<std::string> inside = below;
    below.insert(enter(std::string(layer.class_name()), times, layer.parameter_count(), inside, stage_id));
    return below;
  }

  const std::map<std::string, Entry>& entries() const { return entries_; }  // by qualified name

 private:
  struct List {
    std::string klass;
    std::set<std::string> below;
    int64_t parameters = 0;
  };

  std::string enter(const std::string& klass, int64_t times, int64_t parameters, const std::set<std::string>& below,
                    const std::string& stage_id) {
    const std::string name = qualified_class_name(names_, klass, stage_id, below.empty());
    Entry& entry = entries_[name];
    entry.klass = klass;
    entry.count = checked_add(entry.count, times, overflow);
    entry.parameters = checked_add(entry.parameters, checked_mul(parameters, times, overflow), overflow);
    entry.below.insert(below.begin(), below.end());
    entry.below.erase(name);
    return name;
  }

  const ReportNames& names_;
  std::map<std::string, Entry> entries_;
};

std::string stage_of(const AnalyticModel& model, const BaseLayer& root) {
  for (const auto& stage : model.stages()) {
    if (&stage->layer() == &root) return stage->id();
  }
  return "";
}

// The category that takes most of what the leaves of a class cost.
std::map<std::string, std::string> categories_by_class(const ModuleTreeNode& root) {
  std::map<std::string, std::map<std::string, std::pair<Count, Count>>> sums;  // class, category: FLOPs, bytes
  const auto walk = [&](const auto& self, const ModuleTreeNode& node) -> void {
    if (node.leaf() && !node.klass.empty()) {
      auto& [flops, bytes] = sums[node.klass][node.category];
      flops += node.cost.flops_full();
      bytes += node.cost.bytes();
    }
    for (const auto& child : node.children) self(self, *child);
  };
  walk(walk, root);
  std::map<std::string, std::string> out;
  for (const auto& [klass, categories] : sums) {
    out[klass] = std::max_element(categories.begin(), categories.end(), [](const auto& a, const auto& b) {
                   return a.second < b.second;
                 })->first;
  }
  return out;
}

// Of a class that only holds others: by its name, where the model's categories go by names.
std::string category_by_name(const std::vector<OperatorCategory>& categories, std::string klass) {
  std::transform(klass.begin(), klass.end(), klass.begin(), [](unsigned char c) { return std::tolower(c); });
  for (const OperatorCategory& category : categories) {
    for (const std::string& part : category.match) {
      if (category.by_part && klass.find(part) != std::string::npos) return category.id;
    }
  }
  return "other";
}

}  // namespace

TargetOperatorList target_operators(const AnalyticModel& model, const Evaluation& run, const std::string& snapshot_id) {
  const ReportNames names = model.names();
  Census census(names);
  for (const BaseLayer* layer : model.root_layers()) census.add(*layer, 1, stage_of(model, *layer));

  const auto tree = module_tree(model, run, {});
  const std::map<std::string, std::string> categories = categories_by_class(*tree);

  TargetOperatorList out;
  out.snapshot_id = snapshot_id;
  for (const auto& [name, entry] : census.entries()) {  // sorted by name
    OperatorSpec spec;
    spec.class_name = entry.klass;
    spec.class_name_qualified = name;
    spec.is_pytorch_builtin = name.compare(0, 6, "torch.") == 0;
    spec.children_classes.assign(entry.below.begin(), entry.below.end());
    const auto category = categories.find(entry.klass);
    spec.default_category_id =
        category == categories.end() ? category_by_name(model.categories(), entry.klass) : category->second;
    spec.count = entry.count;
    spec.parameters = entry.parameters;
    out.operators.push_back(std::move(spec));
  }
  return out;
}

std::string operators_json(const TargetOperatorList& list, const std::string& folder) {
  return json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("snapshot_id", list.snapshot_id);
      out.list("operators", list.operators, [&](const OperatorSpec& o) {
        out.map([&] {
          out.field("class_name", o.class_name);
          out.field("class_name_qualified", o.class_name_qualified);
          out.field("is_pytorch_builtin", o.is_pytorch_builtin);
          out.field("is_custom", !o.is_pytorch_builtin);
          out.field("children_classes", o.children_classes);
          out.field("default_category_id", o.default_category_id);
          out.field("count", o.count);
          out.field("parameters", o.parameters);
        });
      });
      if (folder.empty()) return;
      out.field("source_artifact_dir", folder);
      out.field("layers_md_path", folder + "/" + layers_md);
      out.field("layers_json_path", folder + "/" + layers_json);
      out.field("stages_json_path", folder + "/" + stages_json);
    });
  });
}

std::string operators_markdown(const TargetOperatorList& list) {
  Table table({"Class", "Count", "Parameters", "Category", "Children"},
              {Align::left, Align::right, Align::right, Align::left, Align::left});
  for (const OperatorSpec& o : list.operators) {
    std::string children;
    for (const std::string& child : o.children_classes) {
      children += (children.empty() ? "" : ", ") + child.substr(child.rfind('.') + 1);
    }
    table.add({o.class_name_qualified, grouped(o.count), grouped(o.parameters), o.default_category_id,
               children.empty() ? "-" : children});
  }
  return table.markdown();
}

std::vector<std::pair<std::string, std::string>> operator_files(const AnalyticModel& model,
                                                                const TargetOperatorList& list) {
  const std::string layers = json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("generated_at", list.snapshot_id);
      out.field("total_params", model.parameter_count());
      out.field("num_unique_layers", list.operators.size());
      out.list("layers", list.operators, [&](const OperatorSpec& o) {
        out.map([&] {
          out.field("class_name", o.class_name);
          out.field("class_name_qualified", o.class_name_qualified);
          out.field("is_torch_builtin", o.is_pytorch_builtin);
          out.field("count", o.count);
          out.field("parameters", o.parameters);
          out.field("default_category_id", o.default_category_id);
          out.field("children", o.children_classes);
        });
      });
    });
  });
  const std::string stages = json_text([&](DocumentWriter& out) {
    out.map([&] {
      out.field("generated_at", list.snapshot_id);
      out.map("stages", [&] {
        for (const auto& stage : model.stages()) {
          out.map(stage->id(), [&] {
            out.field("stage_name", stage->id());
            out.field("params", stage->parameter_count());
            out.field("macs", stage->get_forward_cost().cost.flops_tensor / 2);
          });
        }
      });
    });
  });
  return {{layers_json, layers + "\n"},
          {layers_md, "# Unique layers\n\n" + operators_markdown(list)},
          {stages_json, stages + "\n"}};
}

}  // namespace modelmeter
