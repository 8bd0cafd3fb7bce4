// The modules of a recording as layers: names, classes and parameters, those of sections that stand for others written
// out. Equal layers of a ModuleList are one, many times, as in native models.
#pragma once

#include <deque>
#include <memory>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "layer/base_layer.h"
#include "recording/recording.h"

namespace modelmeter::recordings {

class RecordedLayer final : public BaseLayer {
 public:
  explicit RecordedLayer(std::string_view class_name) : BaseLayer(class_name) {}

  using BaseLayer::register_buffer;
  using BaseLayer::register_module;
  using BaseLayer::register_module_list;
  using BaseLayer::register_parameter;
};

// A call on the way from the root to a module.
struct ModuleStep {
  const BaseLayer* layer;
  int64_t index;  // its number in a ModuleList; -1 outside of one
};

class RecordedLayers {
 public:
  // Error for a dtype that is not known.
  explicit RecordedLayers(const Recording& recording);
  ~RecordedLayers();
  RecordedLayers(const RecordedLayers&) = delete;
  RecordedLayers& operator=(const RecordedLayers&) = delete;

  const BaseLayer& root() const { return *root_; }
  // The modules from below the root to that one; empty for the root ("").
  const std::vector<ModuleStep>& steps_to(const std::string& module) const { return steps_.at(module); }
  // How often it was called; -1 where that is not recorded.
  int64_t calls_of(const std::string& module) const;

 private:
  struct Node;

  void add_rows(const Recording& recording);
  Node& node_at(const std::string& path);
  void add_parameters(const std::vector<RecordedParameter>& parameters, bool buffers);
  void copy(const Node& from, Node& to);
  void build(const Node& node, RecordedLayer& layer, const std::string& path, const std::vector<ModuleStep>& steps);
  void build_list(const Node& list, RecordedLayer& parent, const std::string& path,
                  const std::vector<ModuleStep>& steps);
  void follow(const Node& node, const std::string& path, const std::string& like);

  std::unique_ptr<Node> tree_;
  std::deque<RecordedLayer> layers_;
  RecordedLayer* root_ = nullptr;
  std::unordered_map<std::string, std::vector<ModuleStep>> steps_;
  std::unordered_map<std::string, int64_t> calls_;
};

}  // namespace modelmeter::recordings
