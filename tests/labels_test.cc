// What a report calls a model is what its file says, or the pair is refused: every entry of configs/ with the
// config.json of every model in models/. The outcome of each pair is pinned in golden/labels.csv.
#include <gtest/gtest.h>

#include <algorithm>
#include <variant>

#include "config/yaml.h"
#include "table_file.h"

namespace modelmeter {
namespace {

// A published model: an option file of configs/hf, and the file that it names.
struct Published {
  std::string model_id, model_variant, path;
  config::Node content;
};

const std::vector<Published>& published() {
  static const std::vector<Published> all = [] {
    std::vector<Published> out;
    for (const auto& entry : std::filesystem::directory_iterator(entries::source + "/configs/hf")) {
      const config::Node option = config::parse_yaml(read_file(entry.path().string()), entry.path().string());
      const std::string path = entries::source + "/" + option.find("config_path")->as_string();
      out.push_back({option.find("model_id")->as_string(), option.find("model_variant")->as_string(), path,
                     config::parse_data(read_file(path), path)});
    }
    std::sort(out.begin(), out.end(), [](const Published& a, const Published& b) { return a.path < b.path; });
    return out;
  }();
  return all;
}

std::string field(const Fields& fields, const std::string& name) {
  for (const auto& [key, value] : fields) {
    if (key == name) return std::get<std::string>(value);
  }
  return "";
}

bool says(const std::vector<std::string>& notes, const std::string& text) {
  return std::any_of(notes.begin(), notes.end(),
                     [&](const std::string& n) { return n.find(text) != std::string::npos; });
}

// Whether a model of these labels is published with what the file says.
bool is_of(const std::string& id, const std::string& variant, const Published& file) {
  return std::any_of(published().begin(), published().end(), [&](const Published& p) {
    return p.model_id == id && p.model_variant == variant && config::equal(p.content, file.content);
  });
}

// The pair's labels; what was wrong with them.
std::string outcome(const std::string& entry, const Published& file) {
  const auto model = entries::model(entry, {"hf.config_path=" + file.path});
  const std::string id = field(model->model_fields(), "model_id");
  const std::string variant = field(model->model_fields(), "model_variant");
  const std::vector<std::string> notes = model->notes();
  if (is_of(id, variant, file)) {
    // Another model is published with the same file: that it is taken as this one is said.
    const bool own = field(entries::model(entry, {})->model_fields(), "config_path") == file.path;
    const bool alike = std::any_of(published().begin(), published().end(), [&](const Published& p) {
      const bool two_sizes = p.model_variant.find("i2v-14b") != std::string::npos;  // Wan2.1's, of one shape
      return p.model_id != id && !two_sizes && config::equal(p.content, file.content);
    });
    EXPECT_TRUE(own || !alike || says(notes, "sizes")) << entry << " " << file.path;
    return id + "," + variant;
  }
  // Of no published model that the entry's code is for: then by its sizes, and said so.
  EXPECT_EQ(variant.rfind("wan-", 0), 0u) << entry << " " << file.path << " is called " << variant;
  EXPECT_EQ(id, file.path);
  EXPECT_TRUE(says(notes, "it has the sizes of")) << entry << " " << file.path;
  return "the file," + variant;
}

std::string without_source(std::string text) {
  for (size_t at; (at = text.find(entries::source + "/")) != std::string::npos;)
    text.erase(at, entries::source.size() + 1);
  return text;
}

TEST(Labels, AreTheFilesOfEveryEntryAndFile) {
  std::string text = "entry,file,model_id,model_variant\n";
  for (const std::string& entry : entries::all()) {
    for (const Published& file : published()) {
      std::string labels;
      try {
        labels = outcome(entry, file);
      } catch (const Error& error) {
        EXPECT_EQ(error.exit_code(), 1) << entry << " " << file.path;
        labels = "refused," + without_source(error.message());
      }
      const std::string folder = std::filesystem::path(file.path).parent_path().filename().string();
      text += fmt::format("{},{},{}\n", entry, folder, labels);
    }
  }
  entries::expect_text("labels.csv", text);
}

// Values that a user sets are in the labels too: the preset's name, its description, and the model's.
TEST(Labels, FollowTheValues) {
  const auto at_512 =
      entries::model("wan2_1_t2v_14b", {"workload.height=480", "workload.width=832", "workload.num_frames=81"});
  EXPECT_EQ(at_512->profile_id(), "wan2-1-480p-81f");
  EXPECT_EQ(field(at_512->workload_fields(), "description"), "the default 5 seconds at 480 x 832");
  const auto other = entries::model("wan2_1_t2v_14b", {"workload.num_frames=33", "transformer.num_layers=2"});
  EXPECT_EQ(other->profile_id(), "wan2-1-720p+num_frames=33");
  EXPECT_EQ(field(other->workload_fields(), "description"), "33 frames of 720 x 1280");
  EXPECT_EQ(field(other->model_fields(), "model_variant"), "wan2.1-t2v-14b+num_layers=2");
}

}  // namespace
}  // namespace modelmeter
