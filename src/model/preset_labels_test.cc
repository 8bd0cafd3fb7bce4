#include "model/preset_labels.h"

#include <gtest/gtest.h>

#include "config/yaml.h"

namespace modelmeter {
namespace {

// Two presets that differ in frames, height and steps, which decide nothing here.
constexpr char presets[] =
    "presets:\n"
    "  small: {description: a small one, num_frames: 5, height: 32, steps: 2, name: s}\n"
    "  large: {description: a large one, num_frames: 81, height: 64, steps: 50, name: s}\n";

PresetLabels labels(const std::string& values) {
  const config::Node node = config::parse_yaml(values + presets, "workload.yaml");
  return preset_labels(config::View(node, "workload"), {"steps"});
}

struct Known {
  const char* values;
  const char *profile_id, *description;
};

TEST(PresetLabels, NameWhatTheValuesAre) {
  const Known known[] = {
      // as the preset has them
      {"profile_id: small\ndescription: a small one\nnum_frames: 5\nheight: 32\nname: s\n", "small", "a small one"},
      // what is passed over may differ
      {"profile_id: small\ndescription: a small one\nnum_frames: 5\nheight: 32\nsteps: 9\n", "small", "a small one"},
      // changed after it was chosen
      {"profile_id: small\ndescription: a small one\nnum_frames: 9\nheight: 32\n", "small+num_frames=9", ""},
      {"profile_id: small\ndescription: a small one\nnum_frames: 9\nheight: 48\n", "small+num_frames=9+height=48", ""},
      {"profile_id: small\ndescription: a small one\nheight: 32\nname: other\n", "small+name=other", ""},
      // to what another preset is
      {"profile_id: small\ndescription: a small one\nnum_frames: 81\nheight: 64\n", "large", "a large one"},
      {"profile_id: small\ndescription: mine\nnum_frames: 81\nheight: 64\n", "large", "mine"},
      // described anew
      {"profile_id: small\ndescription: mine\nnum_frames: 9\nheight: 32\n", "small+num_frames=9", "mine"},
      // no preset's name
      {"profile_id: custom\ndescription: mine\nnum_frames: 9\n", "custom", "mine"},
      {"profile_id: custom\n", "custom", ""},
  };
  for (const Known& k : known) {
    const PresetLabels l = labels(k.values);
    EXPECT_EQ(l.profile_id, k.profile_id) << k.values;
    EXPECT_EQ(l.description, k.description) << k.values;
    EXPECT_EQ(std::string(k.values).find("profile_id: " + l.preset_id + "\n"), 0u) << l.preset_id;
  }
}

TEST(PresetLabels, WithoutPresetsAreWhatIsWritten) {
  const config::Node node = config::parse_yaml("profile_id: p\ndescription: d\nnum_frames: 3\n", "workload.yaml");
  const PresetLabels l = preset_labels(config::View(node), {});
  EXPECT_EQ(l.preset_id, "p");
  EXPECT_EQ(l.profile_id, "p");
  EXPECT_EQ(l.description, "d");
}

}  // namespace
}  // namespace modelmeter
