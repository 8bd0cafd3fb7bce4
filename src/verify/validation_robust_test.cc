// What files may have that ours do not: other names, ops, dtypes and columns. A row that nothing is predicted for is
// named and counted; none of it ends the command, and none is predicted wrongly.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <nlohmann/json.hpp>

#include "base/error.h"
#include "hardware/catalog.h"
#include "verify/forward_launches.h"
#include "verify/launch_time.h"
#include "verify/validation.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

const config::Repository& shipped_configs() {
  static const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  return repository;
}

std::string robust_file(const std::string& name, const std::string& content) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-robust-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path) << content;
  return path;
}

Validation validation_of(const std::string& name, const std::string& content) {
  return validate_file(robust_file(name, content), {shipped_configs(), {MODELMETER_SOURCE_DIR}, "", "", {}});
}

std::string refusal_by(const std::string& name, const std::string& content) {
  try {
    validation_of(name, content);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> reasons(const Validation& validation) {
  std::vector<std::string> out;
  for (const NotCompared& row : validation.not_compared) out.push_back(std::to_string(row.row) + " " + row.why);
  return out;
}

// Public traces of recommendation models ended the command: lists without sizes, scalars where tensors are expected.
TEST(LaunchesOfAnyShape, AreTimedOrNot) {
  const Machine machine(load_device(shipped_configs(), "h100_sxm"), load_kernel_stack(shipped_configs(), "torch_2_11"),
                        load_host(shipped_configs(), "cuda_graph"));
  const std::vector<std::vector<std::vector<int64_t>>> shapes = {
      {},
      {{}},
      {{}, {}},
      {{0}},
      {{0, 4}, {4, 0}, {0}},
      {{3}, {3}, {3}},
      {{2, 3}, {3, 4}},
      {{5}, {2, 3}, {3, 4}},
      {{1, 2, 3, 4, 5, 6, 7, 8}},
      {{1, 1, 1, 1, 1, 1, 1, 1, 1}},
      {{-1, 4}, {4}},
      {{2, 3, 4, 5}, {2, 3, 4, 5}, {2, 3, 4, 5}, {2, 1, 4, 4}},
      {{1, 16, 3, 4, 4}, {8, 16, 1, 1, 1}},
      {{1, 16, 3, 4, 4}, {8, 0, 0, 0, 0}},
      {{int64_t{1} << 40, int64_t{1} << 40}, {int64_t{1} << 40}}};
  for (const KernelInfo& kernel : kernel_table) {
    for (const auto& of : shapes) {
      for (const std::vector<std::string>& dtypes :
           {std::vector<std::string>{}, {"f32"}, {"bf16", "f32"}, {"TensorList"}, {"i64", "i64", "i64"}, {"f8e4m3"}}) {
        MeasuredLaunch launch;
        launch.op = kernel.name;
        launch.shapes = of;
        launch.dtypes = dtypes;
        launch.us = 1;
        std::vector<MeasuredLaunch> one = {launch};
        infer_outputs(one);
        try {
          const auto kernels = kernels_of(one[0], machine);
          for (const DeviceKernel& k : kernels.value_or(std::vector<DeviceKernel>())) {
            EXPECT_GE(time_of(k, machine).seconds(1), 0) << kernel.name;
          }
        } catch (const Error& error) {  // a precision that matrix units lack, more elements than there are numbers
          EXPECT_NE(error.code(), ErrorCode::internal) << kernel.name << ": " << error.what();
        }
      }
    }
  }
}

constexpr const char* launch_columns = "n,op,module,shapes,dtypes,us,kernels\n";

// Kernels of torch.compile by their names and pointers (the compiled block of the H200's profile); any other by name.
TEST(LaunchesOfCompiledModels, AreLinedUpOrNamed) {
  const Validation found =
      validation_of("launches-h200-other-compiled.csv",
                    std::string(launch_columns) +
                        "0,triton_poi_fused_add_mul_0,,\"[[1000,4096],[1000,4096],[1000,4096]]\",bf16 bf16 bf16,9,k=9\n"
                        "1,triton_per_fused__softmax_1,,\"[[1000,1024],[1000,1024]]\",f32 f32,9,k=9\n"
                        "2,triton_tem_fused_mm_2,,\"[[64,64],[64,64]]\",bf16 bf16,7,k=7\n"
                        "3,aten.frobnicate,,\"[[64,64]]\",bf16,5,k=5\n");
  ASSERT_EQ(found.rows.size(), 1u);
  const ValidationRow& row = found.rows[0];
  EXPECT_EQ(*row.launches, 4);
  EXPECT_EQ(*row.launches_in_place, 2);
  EXPECT_NEAR(*row.not_predicted_ms, 0.012, 1e-9);
  ASSERT_EQ(row.not_predicted.size(), 2u);
  EXPECT_EQ(row.not_predicted[0].op, "triton_tem_fused_mm_2");
  EXPECT_EQ(row.not_predicted[1].op, "frobnicate");
  EXPECT_THAT(validation_text(found), AllOf(HasSubstr("## Launches without a prediction"), HasSubstr("frobnicate")));
  const auto json = nlohmann::json::parse(validation_json(found));
  EXPECT_EQ(json["rows"][0]["not_predicted"][0]["measured_ms"], 0.007);
}

TEST(LaunchesOfAKnownName, ThatAreNotItsConfigurationsAreByThemselves) {
  const Validation found =
      validation_of("launches-h100-t2v-1.3b-official-480p33.csv",
                    std::string(launch_columns) + "0,aten.neg,m,\"[[50000000]]\",f32,130,vectorized=130\n");
  EXPECT_EQ(found.rows.at(0).group, "launches alone");
  EXPECT_THAT(reasons(found), ElementsAre(AllOf(HasSubstr("not those of wan2_1_t2v_1_3b"), HasSubstr("by itself"))));
  EXPECT_EQ(refusal_by("launches-h100-none.csv", launch_columns).find("no launches") == std::string::npos, false);
}

TEST(Forwards, HavePeaksAsTheAllocatorsReplayHasThem) {
  const Validation found =
      validation_of("forwards.csv",
                    "device,name,wall_ms,host_ms,repeat,allocated_at_start,peak_allocated,peak_reserved,frames,height,"
                    "width,text_len,joules_per_forward\n"
                    "h100,t2v-1.3b-official-ci-tiny,92.7,92.6,3,5779829760,5820101120,6176112640,4,256,256,64,14.4\n"
                    "h200,zoo-bert-b8,1,1,1,1,2,3,,,,,1\n"
                    "h100,dsocr-prefill-640-flash,60,60,3,1,2,3,,,,,1\n"
                    "b900,umt5-official-512,1,1,1,1,2,3,,,,,1\n"
                    "h100,umt5-official-512,n/a,1,1,1,2,3,,,,,1\n"
                    "h100,t2v-99b-official-480p33,5,1,1,1,2,3,,,,,1\n");
  ASSERT_EQ(found.rows.size(), 1u);
  const ValidationRow& row = found.rows[0];
  EXPECT_LT(std::abs(*row.peak_allocated_error()), 0.0005);
  EXPECT_LT(std::abs(*row.peak_reserved_error()), 0.01);
  EXPECT_LT(std::abs(*row.peak_above_start_error()), 0.05);
  EXPECT_THAT(reasons(found), ElementsAre(AllOf(HasSubstr("2 "), HasSubstr("no configuration")),
                                          AllOf(HasSubstr("3 "), HasSubstr("random routers")),
                                          "4 there is no file of the device 'b900'",
                                          AllOf(HasSubstr("5 "), HasSubstr("wall_ms is no number: 'n/a'")),
                                          "6 no configuration is known by that name"));
  const auto json = nlohmann::json::parse(validation_json(found));
  EXPECT_TRUE(json["rows"][0]["peak_reserved_error"].is_number());
  EXPECT_EQ(json["not_compared"].size(), 5u);
  EXPECT_EQ(json["not_compared"][0]["name"], "zoo-bert-b8");
  EXPECT_THAT(validation_text(found), HasSubstr("## Not compared: 5 rows"));
}

// Without the columns that only some files have: what they are of is null, and another name is known by its columns.
TEST(Forwards, WithFewerColumnsAndAnotherName) {
  const Validation found =
      validation_of("held_out.csv", "name,device,wall_ms,extra\nt2v-1.3b-official-ci-tiny,NVIDIA H200,80,x\n");
  ASSERT_EQ(found.rows.size(), 1u);
  EXPECT_EQ(found.rows[0].device, "h200_sxm");
  EXPECT_FALSE(found.rows[0].joules_error() || found.rows[0].peak_allocated_error() ||
               found.rows[0].peak_reserved_error());
  EXPECT_THAT(refusal_by("forwards.csv", "device,name\nh100,umt5-official-512\n"), HasSubstr("no column 'wall_ms'"));
  EXPECT_THAT(refusal_by("forwards.csv", "device,name,wall_ms\nh100,umt5-official-512,30\nh100,umt5"),
              HasSubstr("row 2: 2 cells"));
  EXPECT_THAT(refusal_by("nothing.csv", ""), HasSubstr("an empty file"));
  EXPECT_THAT(refusal_by("trace.json", "{\"traceEvents\": []}"), HasSubstr("no kind of measurement"));
}

TEST(KnownForwards, AreReadOffTheirNames) {
  const auto known = [](const std::string& name) {
    const std::optional<KnownForward> found = known_forward(name);
    if (!found) return std::string("none");
    std::string out = found->config_name + " " + found->stage + (found->module.empty() ? "" : "/" + found->module);
    for (const std::string& text : found->overrides) out += " " + text.substr(text.find('.') + 1);
    return out;
  };
  EXPECT_EQ(known("t2v-14b-official-720p16"), "wan2_1_t2v_14b diffusion/dit height=720 width=1280 num_frames=16");
  EXPECT_EQ(known("t2v-1.3b-diffusers-512p-compiled"),
            "wan2_1_t2v_1_3b diffusion/dit runtime=diffusers execution=compiled height=512 width=512 num_frames=16");
  EXPECT_EQ(known("i2v-14b-480p-official-480p81"),
            "wan2_1_i2v_14b_480p diffusion/dit height=480 width=832 num_frames=81");
  EXPECT_EQ(known("ti2v-5b-official-704p121"), "wan2_2_ti2v_5b diffusion/dit height=704 width=1280 num_frames=121");
  EXPECT_EQ(known("vae2.1-official-decode-480x832x17"),
            "wan2_1_t2v_14b_pipeline vae/decode height=480 width=832 num_frames=17");
  EXPECT_EQ(known("vae2.1-diffusers-encode-480p33"),
            "wan2_1_i2v_14b_480p_pipeline vae/encode runtime=diffusers height=480 width=832 num_frames=33");
  EXPECT_EQ(known("block14b-diffusers-480p81-eager"),
            "wan2_1_t2v_14b diffusion/dit/blocks runtime=diffusers height=480 width=832 num_frames=81");
  EXPECT_EQ(known("umt5-official-77"), "wan2_1_t2v_14b_pipeline text_encoder/umt5 text_len=77");
  EXPECT_THAT(known("dsocr-decode-1000-flash"), AllOf(HasSubstr("deepseek_ocr decode"), HasSubstr("seq_len=1000")));
  for (const char* other :
       {"", "-", "official", "t2v-14b", "t2v-14b-official", "t2v-14b-official-", "t2v-14b-official-0x0x0",
        "t2v-14b-official-480p", "t2v-14b-official-480p-3", "clip-official-9x", "dsocr-decode-x-flash",
        "dsocr-prefill-1024-eager", "zoo-vit-l16-b64-bf16", "vae2.1-official-decode-"}) {
    EXPECT_EQ(known(other), "none") << other;
  }
}

TEST(Kernels, WithoutARuleAreNamed) {
  const Validation found = validation_of("micro.csv",
                                         "device,kind,op,m,n,k,dtype,us,size\n"
                                         "h100,gemm,,4096,4096,4096,bfloat16,180,\n"
                                         "h100,gemm,,64,64,64,int4,1,\n"
                                         "h100,conv,,,,\"[3, 3]\",float32,9,oops\n"
                                         "h100,sampling,multinomial,,64,,f32,1,\n"
                                         "mystery,gemm,,64,64,64,bfloat16,1,\n"
                                         "h100,gemm,,64,64,64,bfloat16,nan,\n"
                                         "h100,gemm,,64,64,64,bfloat16,,\n"
                                         "l40s,gemm,,64,64,64,fp8,5,\n"
                                         "a100_sxm,gemm,,64,64,64,fp8,5,\n");
  std::vector<std::string> kinds;
  for (const ValidationRow& row : found.rows) kinds.push_back(row.device + " " + row.group);
  EXPECT_THAT(kinds, ElementsAre("h100_sxm gemm bfloat16", "l40s gemm fp8"));
  ASSERT_EQ(found.not_compared.size(), 7u);
  EXPECT_THAT(reasons(found)[0], HasSubstr("no rule for gemm of int4"));
  EXPECT_THAT(reasons(found)[2], HasSubstr("no rule for sampling multinomial of f32"));
  EXPECT_THAT(reasons(found)[4], HasSubstr("us is no number: 'nan'"));
  EXPECT_THAT(reasons(found)[6], HasSubstr("fp8"));  // the A100 has none
}

TEST(Machines, SteadyStatesHostCallsAndLogs) {
  const Validation power = validation_of("power.csv",
                                         "device,kind,what,bytes,s,n,seconds,joules,watts,rate\n"
                                         "h100,env,,,,,,,,\n"
                                         "h100,power,idle,,,,1,122.6,126,\n"
                                         "h100,power,gemm bf16 8192^3,,,,1.9183,1393.22,656,687805501018077\n"
                                         "h100,power,copy,,,,2.2676,898.877,407.7,3030508666496\n"
                                         "h100,power,juggling,,,,1,1,1,1\n");
  ASSERT_EQ(power.rows.size(), 3u);
  EXPECT_LT(std::abs(*power.rows[0].joules_error()), 0.05);
  EXPECT_LT(std::abs(*power.rows[1].wall_error()), 0.05);
  EXPECT_LT(std::abs(*power.rows[1].joules_error()), 0.1);
  EXPECT_LT(std::abs(*power.rows[2].wall_error()), 0.03);
  EXPECT_THAT(reasons(power), ElementsAre("1 it says what the machine is", "5 no rule for the work 'juggling'"));

  const Validation host =
      validation_of("host.csv", "device,op,host_us,total_us\nh100,linear,18.6,18.6\nh100,view,1,1\n");
  EXPECT_TRUE(*host.rows.at(0).inside);
  EXPECT_EQ(host.not_compared.size(), 1u);

  // 512 bytes and 3 MiB: blocks of 512 B, a segment of 2 MiB and one of 20.
  const Validation log =
      validation_of("memlog-mine.json",
                    R"({"events": [["segment_alloc", 2097152, "0x200000", 0], ["alloc", 100, "0x200000", 0],
["segment_alloc", 20971520, "0x2000000", 0], ["alloc", 3145728, "0x2000000", 0], ["free_completed", 100, "0x200000", 0]],
"marks": [["built", 2, 512, 2097152], ["forward", 5, 3145728, 23068672, 3146240, 23068672]],
"segments": [{"size": 2097152, "kind": "small", "blocks": [[2097152, 100, "inactive"]]},
{"size": 20971520, "kind": "large", "blocks": [[3145728, 3145728, "active_allocated"], [17825792, 0, "inactive"]]}]})");
  ASSERT_EQ(log.rows.size(), 1u);
  EXPECT_EQ(*log.rows[0].peak_allocated_error(), 0);
  EXPECT_EQ(*log.rows[0].peak_reserved_error(), 0);
  EXPECT_THAT(refusal_by("memlog-none.json", "{\"events\": 3}"), HasSubstr("no log of PyTorch's allocator"));
  EXPECT_THAT(refusal_by("memlog-cut.json", "{\"events\": [["), HasSubstr("no log of PyTorch's allocator"));
}

TEST(PublishedRuns, ThatLeaveSomethingOpenAreNamed) {
  const std::string columns =
      "model,task,height,width,frames,steps,cfg_forwards,dtype,attention,parallelism,gpus,gpu_name,time_s,offload,notes,time_kind\n";
  const Validation found = validation_of(
      "wan.csv", columns +
                     "Wan2.1-T2V-1.3B,t2v,480,832,81,50,2,bf16,flash_attn 2,none,1,RTX 4090,261.4,,,total\n"
                     "Wan2.1-T2V-1.3B,t2v,480,832,81,50,2,bf16,sage_attn2,none,1,RTX 4090,1,,,total\n"
                     "Wan2.1-T2V-1.3B,t2v,480,832,81,50,2,bf16,flash_attn 2,none,8,RTX 4090,1,,,total\n"
                     "Wan2.1-T2V-1.3B,t2v,480,832,,50,2,bf16,flash_attn 2,none,1,RTX 4090,1,,,total\n"
                     "Wan9,t2v,480,832,81,50,2,bf16,flash_attn 2,none,1,RTX 4090,1,,,total\n"
                     "Wan2.1-T2V-1.3B,t2v,480,832,81,50,2,bf16,flash_attn 2,none,1,not stated,1,,,total\n");
  ASSERT_EQ(found.rows.size(), 1u);
  EXPECT_LT(std::abs(*found.rows[0].wall_error()), 0.1);
  EXPECT_EQ(found.not_compared.size(), 5u);
  EXPECT_EQ(reasons(found)[4], "6 the device is not stated");
}

TEST(Collectives, AreComparedOfClustersThatThereAreFilesOf) {
  const Validation found = validation_of("nccl.csv",
                                         "sys,op_name,num_gpus,bytes,us\n"
                                         "h100_sxm,all_reduce,8,536870912,2111\nh100,alltoall,4,1048576,15.6\n"
                                         "h100_sxm,all_reduce,16,1024,10\nh100_sxm,gossip,8,1024,10\n"
                                         "potato,all_reduce,8,1024,10\nh100_sxm,all_reduce,8,1024,0\n");
  ASSERT_EQ(found.rows.size(), 2u);
  EXPECT_EQ(found.rows[0].group, "all_reduce, 16 MiB and more");
  EXPECT_LT(std::abs(*found.rows[0].device_error()), 0.15);
  EXPECT_LT(std::abs(*found.rows[1].device_error()), 0.3);
  EXPECT_THAT(reasons(found),
              testing::ElementsAre("3 dgx_h100 has 8 GPUs a node", "4 no rule for gossip",
                                   "5 no file of configs/cluster is of potato", "6 nothing was measured"));
}

}  // namespace
}  // namespace modelmeter
