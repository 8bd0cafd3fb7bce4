#include "hardware/cluster.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "config/repository.h"
#include "config/yaml.h"
#include "hardware/catalog.h"

namespace modelmeter {
namespace {

using testing::HasSubstr;

constexpr char cluster_file[] =
    "name: two nodes\n"
    "sources: {sheet: {title: a sheet, date: 2026-11, kind: specification}}\n"
    "devices: [h100_sxm]\n"
    "gpus_per_node: 8\n"
    "nodes: 2\n"
    "link: nvswitch\n"
    "link_bandwidth: {value: 450, unit: GB/s, source: sheet}\n"
    "network_bandwidth: {value: 50, unit: GB/s, source: sheet}\n"
    "network_latency: {value: 14, unit: us, source: sheet}\n"
    "collectives: {all_gather: {source: sheet, ranks: [2, 8], latency_us: [5, 10], rate_gb_s: [200, 300]}}\n";

Cluster cluster_with(const std::string& from, const std::string& to) {
  std::string text = cluster_file;
  if (!from.empty()) text.replace(text.find(from), from.size(), to);
  const config::Node node = config::parse_yaml(text, "mine.yaml");
  return read_cluster(config::View(node), "mine");
}

std::string cluster_error(const std::string& from, const std::string& to) {
  try {
    cluster_with(from, to);
    return "no error";
  } catch (const Error& error) {
    return error.message();
  }
}

TEST(Clusters, AreReadInBaseUnits) {
  const Cluster cluster = cluster_with("", "");
  EXPECT_EQ(cluster.gpus(), 16);
  EXPECT_DOUBLE_EQ(cluster.link_bandwidth.value, 450e9);
  EXPECT_DOUBLE_EQ(cluster.network_latency.value, 14e-6);
  ASSERT_NE(cluster.curve("all_gather"), nullptr);
  EXPECT_EQ(cluster.curve("all_to_all"), nullptr);
  const CollectivePoint& eight = cluster.curve("all_gather")->points[1];
  EXPECT_EQ(eight.ranks, 8);
  EXPECT_DOUBLE_EQ(eight.latency, 10e-6);
  EXPECT_DOUBLE_EQ(eight.rate, 300e9);
  EXPECT_EQ(eight.ramp, 0);
}

TEST(Clusters, WithMistakesAreErrors) {
  EXPECT_THAT(cluster_error("nodes: 2", "node: 2"), HasSubstr("node"));
  EXPECT_THAT(cluster_error("gpus_per_node: 8", "gpus_per_node: 0"), HasSubstr("gpus_per_node"));
  EXPECT_THAT(cluster_error("nodes: 2", "nodes: 60000"), HasSubstr("are more than 65536"));
  EXPECT_THAT(cluster_error("link: nvswitch", "link: string"), HasSubstr("link"));
  EXPECT_THAT(cluster_error("unit: GB/s", "unit: W"), HasSubstr("no unit of"));
  EXPECT_THAT(cluster_error("network_latency: {value: 14, unit: us, source: sheet}\n", ""), HasSubstr("several nodes"));
  EXPECT_THAT(cluster_error("all_gather", "all_gater"), HasSubstr("all_gater"));
  EXPECT_THAT(cluster_error("ranks: [2, 8]", "ranks: [8, 2]"), HasSubstr("in order"));
  EXPECT_THAT(cluster_error("latency_us: [5, 10]", "latency_us: [5]"), HasSubstr("2 numbers"));
  EXPECT_THAT(cluster_error("rate_gb_s: [200, 300]", "rate_gb_s: [200, 0]"), HasSubstr("above 0"));
  EXPECT_THAT(cluster_error("{source: sheet, ranks", "{source: nobody, ranks"), HasSubstr("source"));
}

TEST(Clusters, ThatComeAlongAreOfDevicesThatDoAndGrowFaster) {
  const config::Repository repository(std::string(MODELMETER_SOURCE_DIR) + "/configs", {});
  EXPECT_THAT(clusters_of(repository, "h100_sxm"), testing::ElementsAre("dgx_h100"));
  EXPECT_TRUE(clusters_of(repository, "potato").empty());
  for (const std::string& name : repository.options("cluster")) {
    const Cluster cluster = load_cluster(repository, name);
    EXPECT_FALSE(cluster.devices.empty()) << name;
    EXPECT_TRUE(cluster.curves.empty() || cluster.curves.size() == 4) << name;
    for (const CollectiveCurve& curve : cluster.curves) {
      for (const CollectivePoint& point : curve.points) {
        EXPECT_LT(point.rate, 1.05 * cluster.link_bandwidth.value) << name << " " << curve.collective;
      }
    }
  }
}

}  // namespace
}  // namespace modelmeter
