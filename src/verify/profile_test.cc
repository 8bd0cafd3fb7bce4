// Profiles in the forms that torch.profiler and Nsight write, made up of a few launches.
#include "verify/profile.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "database/database.h"
#include "verify/calibration.h"
#include "verify/forward_launches.h"
#include "verify/profile_report.h"
#include "verify/validation_files.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

constexpr const char* tree = MODELMETER_SOURCE_DIR;

std::string profile_file(const std::string& name, const std::string& content) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-profiles-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path) << content;
  return path;
}

std::string refusal(const std::string& name, const std::string& content) {
  try {
    read_profile(profile_file(name, content));
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

// An addmm whose GEMM has a memset before it, under a module; a copy that a graph launched; two steps.
constexpr const char* chrome = R"json({"schemaVersion": 1, "deviceProperties": [{"id": 0, "name": "NVIDIA H200"}],
"traceEvents": [
{"ph": "M", "name": "process_name", "pid": 0},
{"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#1", "tid": 7, "ts": 0, "dur": 50, "args": {}},
{"ph": "X", "cat": "user_annotation", "name": "ProfilerStep#2", "tid": 7, "ts": 100, "dur": 100, "args": {}},
{"ph": "X", "cat": "python_function", "name": "nn.Module: Linear_3", "tid": 7, "ts": 105, "dur": 30},
{"ph": "X", "cat": "cpu_op", "name": "aten::linear", "tid": 7, "ts": 110, "dur": 20, "args": {}},
{"ph": "X", "cat": "cpu_op", "name": "aten::addmm", "tid": 7, "ts": 112, "dur": 15, "args": {
  "Input Dims": [[5], [3, 4], [4, 5], [], []],
  "Input type": ["c10::BFloat16", "c10::BFloat16", "c10::BFloat16", "Scalar", "Scalar"]}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaMemsetAsync", "tid": 7, "ts": 114, "dur": 1, "args": {"correlation": 11}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "tid": 7, "ts": 116, "dur": 1, "args": {"correlation": 12}},
{"ph": "X", "cat": "cpu_op", "name": "aten::add", "tid": 7, "ts": 10, "dur": 20, "args": {}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "tid": 7, "ts": 12, "dur": 1, "args": {"correlation": 1}},
{"ph": "X", "cat": "kernel", "name": "add of the step before", "tid": 9, "ts": 20, "dur": 3, "args": {"correlation": 1}},
{"ph": "X", "cat": "kernel", "name": "nvjet_sm90", "tid": 9, "ts": 305, "dur": 7.5, "args": {"correlation": 12}},
{"ph": "X", "cat": "gpu_memset", "name": "Memset (Device)", "tid": 9, "ts": 300, "dur": 1.0, "args": {"correlation": 11}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaGraphLaunch", "tid": 7, "ts": 140, "dur": 1, "args": {"correlation": 13}},
{"ph": "X", "cat": "kernel", "name": "void at::native::vectorized_elementwise_kernel", "tid": 9, "ts": 320, "dur": 2,
 "args": {"correlation": 13}}
]})json";

TEST(ChromeTrace, KernelsAreTheInnermostOpsThatLaunchedThem) {
  const Profile profile = read_profile(profile_file("a.json", chrome));
  EXPECT_EQ(profile.source, "torch.profiler");
  EXPECT_EQ(device_of_name(profile.device_name), "h200_sxm");
  ASSERT_EQ(profile.launches.size(), 2u);  // those of the last step
  const MeasuredLaunch& addmm = profile.launches[0];
  EXPECT_EQ(addmm.op, "addmm");
  EXPECT_EQ(addmm.module, "Linear_3");
  EXPECT_EQ(addmm.shapes, (std::vector<std::vector<int64_t>>{{5}, {3, 4}, {4, 5}}));
  EXPECT_EQ(addmm.dtypes, (std::vector<std::string>{"bf16", "bf16", "bf16"}));
  EXPECT_DOUBLE_EQ(addmm.us, 8.5);
  EXPECT_EQ(addmm.kernels, "gpu_memset:Memset (Device)=1.000;nvjet_sm90=7.500");
  EXPECT_EQ(profile.launches[1].op, "(memory)");
  EXPECT_THAT(profile.notes.at(0), HasSubstr("ProfilerStep#2"));
}

TEST(ChromeTrace, ItsLaunchesAreAFileOfLaunches) {
  const Profile profile = read_profile(profile_file("b.json", chrome));
  const Profile again = read_profile(profile_file("launches-b.csv", launch_file_text(profile.launches)));
  ASSERT_EQ(again.launches.size(), 2u);
  EXPECT_EQ(again.launches[0].op, "addmm");
  EXPECT_EQ(again.launches[0].shapes, profile.launches[0].shapes);
  EXPECT_DOUBLE_EQ(again.launches[0].us, 8.5);
}

TEST(NsightSystems, ATableOfKernels) {
  const Profile profile = read_profile(
      profile_file("systems.csv",
                   "Processing [report.sqlite] with [cuda_gpu_trace.py]...\n"
                   "Start (ns),Duration (ns),CorrId,Device,Strm,Name\n"
                   "100,2000,1,NVIDIA H100 80GB HBM3 (0),7,\"void cudnn::nchwToNhwcKernel<float, float>(int)\"\n"
                   "200,30000,2,NVIDIA H100 80GB HBM3 (0),7,sm90_xmma_fprop_implicit_gemm\n"
                   "300,4000,3,NVIDIA H100 80GB HBM3 (0),7,void cudnn::nhwcToNchwKernel\n"
                   "400,1500,4,NVIDIA H100 80GB HBM3 (0),7,[CUDA memcpy Device-to-Device]\n"
                   "500,800,5,NVIDIA H100 80GB HBM3 (0),7,[CUDA memset]\n"
                   "600,9000,6,NVIDIA H100 80GB HBM3 (0),7,nvjet_sm90_tst\n"));
  EXPECT_EQ(device_of_name(profile.device_name), "h100_sxm");
  EXPECT_FALSE(profile.has_ops);
  ASSERT_EQ(profile.launches.size(), 3u);
  EXPECT_EQ(profile.launches[0].op, "(conv)");
  EXPECT_DOUBLE_EQ(profile.launches[0].us, 36);
  EXPECT_EQ(profile.launches[1].op, "(memory)");
  EXPECT_EQ(profile.launches[2].op, "(matmul)");
  EXPECT_NEAR(profile.launches[2].us, 9.8, 1e-9);
}

std::string database(const std::string& name, const char* content) {
  const std::string path = profile_file(name, "");
  std::filesystem::remove(path);
  Database(path, Database::Mode::create).execute(content);
  return path;
}

TEST(NsightSystems, ADatabaseOfKernels) {
  const Profile profile = read_profile(
      database("a.sqlite",
               "CREATE TABLE StringIds (id INTEGER, value TEXT);"
               "INSERT INTO StringIds VALUES (1, 'nvjet_sm90'), (2, 'vectorized_layer_norm_kernel');"
               "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, demangledName INTEGER);"
               "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (9000, 11500, 2), (5000, 8000, 1);"
               "CREATE TABLE CUPTI_ACTIVITY_KIND_MEMSET (start INTEGER, end INTEGER);"
               "INSERT INTO CUPTI_ACTIVITY_KIND_MEMSET VALUES (4000, 4800);"
               "CREATE TABLE TARGET_INFO_GPU (name TEXT);"
               "INSERT INTO TARGET_INFO_GPU VALUES ('NVIDIA H200');"));
  EXPECT_EQ(device_of_name(profile.device_name), "h200_sxm");
  ASSERT_EQ(profile.launches.size(), 2u);
  EXPECT_EQ(profile.launches[0].op, "(matmul)");
  EXPECT_NEAR(profile.launches[0].us, 3.8, 1e-9);
  EXPECT_EQ(profile.launches[1].op, "(norm)");
  EXPECT_THROW(read_profile(database("b.sqlite", "CREATE TABLE other (id INTEGER);")), Error);
}

// SQLite's own words are a note.
TEST(NsightSystems, ABrokenDatabaseIsNoProfile) {
  const std::string start("SQLite format 3\0", 16);
  EXPECT_THAT(refusal("broken.sqlite", start + std::string(2000, 'x')),
              AllOf(HasSubstr("not a profile: a database that cannot be read"), HasSubstr("note:")));
}

TEST(NsightCompute, AMetricARowOrAColumn) {
  const Profile details =
      read_profile(profile_file("details.csv",
                                "==PROF== Connected to process 1\n"
                                "\"ID\",\"Kernel Name\",\"Metric Name\",\"Metric Unit\",\"Metric Value\"\n"
                                "\"0\",\"flash_fwd_kernel\",\"Elapsed Cycles\",\"cycle\",\"9\"\n"
                                "\"0\",\"flash_fwd_kernel\",\"Duration\",\"us\",\"1,234.50\"\n"
                                "\"1\",\"reduce_kernel<512, 1>\",\"Duration\",\"ms\",\"2\"\n"));
  ASSERT_EQ(details.launches.size(), 2u);
  EXPECT_EQ(details.launches[0].op, "(attention)");
  EXPECT_DOUBLE_EQ(details.launches[0].us, 1234.5);
  EXPECT_DOUBLE_EQ(details.launches[1].us, 2000);
  const Profile raw = read_profile(profile_file("raw.csv",
                                                "\"ID\",\"Kernel Name\",\"gpu__time_duration.sum\"\n"
                                                "\"\",\"\",\"ns\"\n"
                                                "\"0\",\"vectorized_layer_norm_kernel\",\"2,500\"\n"));
  ASSERT_EQ(raw.launches.size(), 1u);
  EXPECT_EQ(raw.launches[0].op, "(norm)");
  EXPECT_DOUBLE_EQ(raw.launches[0].us, 2.5);
}

TEST(Profile, WhatIsNoneIsRefused) {
  EXPECT_THAT(refusal("none.txt", "hello\n"), HasSubstr("not a profile"));
  EXPECT_THAT(refusal("empty.json", ""), HasSubstr("an empty file"));
  EXPECT_THAT(refusal("broken.json", "{\"traceEvents\": ["), HasSubstr("broken JSON"));
  EXPECT_THAT(refusal("other.json", "{\"a\": 1}"), HasSubstr("JSON without 'traceEvents'"));
  EXPECT_THAT(refusal("cpu.json", "{\"traceEvents\": [{\"ph\": \"X\", \"cat\": \"cpu_op\", \"name\": \"aten::add\"}]}"),
              HasSubstr("without kernels of a device"));
  EXPECT_THAT(refusal("summary.csv", "Time (%),Total Time (ns),Instances,Avg (ns),Name\n1,2,3,4,k\n"),
              HasSubstr("a summary of kernels"));
  EXPECT_THAT(refusal("no_time.csv", "\"ID\",\"Kernel Name\",\"Metric Name\",\"Metric Unit\",\"Metric Value\"\n"),
              HasSubstr("without a duration"));
  EXPECT_THAT(refusal("unit.csv", "Start (ns),Duration (fortnights),Name\n1,2,k\n"), HasSubstr("no unit of time"));
  EXPECT_THAT(refusal("x.sqlite", "SQLite format 3"), HasSubstr("x.sqlite: "));  // and no more
}

ValidationContext context_of(const config::Repository& repository, const std::string& config_name,
                             std::vector<std::string> overrides = {}) {
  return {repository, {tree}, "h100_sxm", config_name, std::move(overrides)};
}

// The launches of a configuration as a profile would have them, each taking 10 us.
Profile profile_of(const ValidationContext& context, bool ops) {
  const std::optional<Machine> machine = machine_named("h100_sxm", context);
  const TimedForward ours = timed_forward({context.config_name, "", "", context.overrides}, *machine, context, false);
  const Trace& trace = ours.run.trace();
  Profile out;
  out.path = "made.json";
  out.source = "torch.profiler";
  out.has_ops = ops;
  for (const size_t i : execution_order(trace, scope_of_stage(trace, ours.time.stages[0].stage))) {
    const Op& op = trace.ops[i];
    MeasuredLaunch launch;
    launch.op = ops ? profiled_name(op.kernel) : family_of(op.kernel);
    launch.us = 10;
    for (int k = 0; ops && k < op.inputs; ++k) {
      auto& shape = launch.shapes.emplace_back();
      for (int d = 0; d < trace.input(op, k).sizes.rank(); ++d) shape.push_back(trace.input(op, k).sizes[d]);
    }
    out.launches.push_back(std::move(launch));
  }
  return out;
}

const std::vector<std::string>& tiny() {
  static const std::vector<std::string> overrides = {"workload.height=256", "workload.width=256",
                                                     "workload.num_frames=4", "workload.text_len=64"};
  return overrides;
}

TEST(ProfileReport, LaunchesOfTheConfigurationMatchOneByOne) {
  const config::Repository repository(std::string(tree) + "/configs");
  const ValidationContext context = context_of(repository, "wan2_1_t2v_1_3b", tiny());
  Profile profile = profile_of(context, true);
  const auto all = static_cast<int64_t>(profile.launches.size());
  profile.launches.insert(profile.launches.begin() + 100, MeasuredLaunch{"mine", "", {}, {}, 500, "", {}});
  const ProfileReport report = compare_profile(profile, context, "");
  EXPECT_EQ(report.stage, "diffusion/dit");
  EXPECT_EQ(report.matched, all);
  EXPECT_EQ(report.in_place, all);
  ASSERT_EQ(report.only_profile.size(), 1u);
  EXPECT_EQ(report.only_profile[0].op, "mine");
  EXPECT_TRUE(report.only_ours.empty());
  EXPECT_NEAR(report.whole.measured_ms, static_cast<double>(all) * 0.01 + 0.5, 1e-9);
  double launches = 0, measured = 0;
  for (const ProfilePart& part : report.layers) {
    launches += static_cast<double>(part.launches);
    measured += part.measured_ms;
  }
  EXPECT_DOUBLE_EQ(launches, static_cast<double>(all + 1));
  EXPECT_NEAR(measured, report.whole.measured_ms, 1e-9);
  EXPECT_THAT(profile_text(report), AllOf(HasSubstr("blocks.*.self_attn.q"), HasSubstr("1 x mine")));
  EXPECT_THAT(profile_json(report), AllOf(HasSubstr("\"predicted_vs_measured_ratio\""), HasSubstr("\"in_place\"")));
}

TEST(ProfileReport, KernelsWithoutOpsAreAlignedAndForwardsCounted) {
  const config::Repository repository(std::string(tree) + "/configs");
  const ValidationContext context = context_of(repository, "wan2_1_t2v_1_3b", tiny());
  Profile profile = profile_of(context, false);
  const auto all = static_cast<int64_t>(profile.launches.size());
  const std::vector<MeasuredLaunch> once = profile.launches;
  profile.launches.insert(profile.launches.end(), once.begin(), once.end());
  profile.launches.erase(profile.launches.begin() + 50);
  profile.launches.insert(profile.launches.begin() + 500, 3, MeasuredLaunch{"(memory)", "", {}, {}, 1, "", {}});
  const ProfileReport report = compare_profile(profile, context, "");
  EXPECT_EQ(report.forwards, 2);
  EXPECT_EQ(report.matched, 2 * all - 1);
  EXPECT_EQ(report.only_profile.at(0).launches, 3);
  EXPECT_EQ(report.only_ours.at(0).launches, 1);
}

std::string refused(const Profile& profile, const ValidationContext& context, const std::string& stage = "") {
  try {
    compare_profile(profile, context, stage);
  } catch (const Error& error) {
    return error.what();
  }
  return "no error";
}

TEST(ProfileReport, AnotherModelIsRefused) {
  const config::Repository repository(std::string(tree) + "/configs");
  const ValidationContext context = context_of(repository, "wan2_1_t2v_1_3b", tiny());
  const Profile profile = profile_of(context, true);
  EXPECT_THAT(refused(profile, context_of(repository, "deepseek_ocr")), HasSubstr("a profile of another model"));
  EXPECT_THAT(refused(profile, context_of(repository, "wan2_1_t2v_14b", tiny())), HasSubstr("another model"));
  EXPECT_THAT(refused(profile, context_of(repository, "wan2_1_t2v_1_3b")), HasSubstr("another model or workload"));
  EXPECT_THAT(refused(profile, context, "diffusion/dti"), HasSubstr("there is no stage 'diffusion/dti'"));
  ValidationContext unknown = context_of(repository, "");
  EXPECT_THAT(refused(profile_of(context, false), unknown), HasSubstr("has no shapes"));
  unknown.device.clear();
  EXPECT_THAT(refused(profile, unknown), HasSubstr("the device is not known"));
}

// The user's Stage 2: what was measured in the report of what was predicted.
TEST(ProfileReport, FillsInAReportOfTheSameConfiguration) {
  const config::Repository repository(std::string(tree) + "/configs");
  const ValidationContext context = context_of(repository, "wan2_1_t2v_1_3b", tiny());
  ProfileReport measured = compare_profile(profile_of(context, true), context, "");
  EXPECT_EQ(measured.run_id, "made");
  EXPECT_THAT(profile_json(measured), HasSubstr("\"profile_run_id\": \"made\""));
  Report report;
  report.report_id = "r";
  EXPECT_THROW(fill_report(measured, report), Error);  // it has no times
  Timing& timing = report.timing.emplace();
  timing.device = "h100_sxm";
  timing.stages.resize(2);
  timing.stages[0].stage = measured.stage;
  timing.stages[0].forward.device_s = 0.5;
  timing.stages[0].total.device_s = 50;
  timing.stages[1].stage = "elsewhere";
  timing.stages[1].on_device = false;
  fill_report(measured, report);
  EXPECT_EQ(report.profile_run_id, "made");
  EXPECT_NEAR(*report.measured_total_time_ms, 100 * measured.whole.measured_ms, 1e-6);
  // Of one of several stages alone the whole is not known.
  timing.stages[1].on_device = true;
  fill_report(measured, report);
  EXPECT_FALSE(report.measured_total_time_ms.has_value());
  EXPECT_THAT(report.notes.back(), HasSubstr("when elsewhere was profiled"));
  // It is when each has a profile, whichever comes first; one of a stage again takes the place of the other.
  ProfileReport other = measured;
  other.stage = "elsewhere";
  other.run_id = "other";
  other.whole.measured_ms = 7;
  fill_report(other, report);
  EXPECT_EQ(report.profile_run_id, "made, other");
  EXPECT_NEAR(*report.measured_total_time_ms, 100 * measured.whole.measured_ms + 7, 1e-6);
  other.whole.measured_ms = 9;
  fill_report(other, report);
  EXPECT_EQ(report.profile_run_id, "made, other");
  EXPECT_NEAR(*report.measured_total_time_ms, 100 * measured.whole.measured_ms + 9, 1e-6);
  timing.device = "h200_sxm";
  EXPECT_THROW(fill_report(measured, report), Error);
  timing.device = "h100_sxm";
  timing.stages[0].stage = "diffusion/other";
  EXPECT_THROW(fill_report(measured, report), Error);
}

// Times that a device of another bandwidth would take are found to be that device's.
TEST(Calibration, FindsWhatTheTimesWereMadeOf) {
  const config::Repository repository(std::string(tree) + "/configs");
  const ValidationContext context = context_of(repository, "");
  const std::optional<Machine> machine = machine_named("h100_sxm", context);
  Device slower = machine->device();
  slower.memory_fraction.value *= 0.8;
  const Machine other(slower, machine->stack(), machine->host());
  std::string rows = "device,kind,op,n,dtype,us,sets,read,write,note\n";
  for (const double n : {3e7, 5e7, 8e7, 1.3e8, 2e8, 3e8, 5e8, 7e8, 9e8, 1.1e9}) {
    rows += "mycard,elementwise,add," + std::to_string(static_cast<int64_t>(n)) + ",f32,1,1,8,8,\n";
  }
  // What the other device takes for them.
  const std::string path = profile_file("micro.csv", rows);
  std::string timed = "device,kind,op,n,dtype,us,sets,read,write,note\n";
  for (const MeasuredKernels& row : measured_kernels(path, context)) {
    double elements = 0;
    for (const DeviceKernel& kernel : row.kernels) elements += kernel.elements;
    timed += "mycard,elementwise,add," + std::to_string(static_cast<int64_t>(elements)) + ",f32," +
             std::to_string(looped_seconds(row.kernels, other) * 1e6) + ",1,8,8,\n";
  }
  const Calibration fitted = calibrate({profile_file("micro.csv", timed)}, context);
  EXPECT_EQ(fitted.rows, 10);
  EXPECT_NEAR(fitted.constants.at(0).after, slower.memory_fraction.value, 0.005);
  EXPECT_TRUE(fitted.constants[0].identified);
  EXPECT_FALSE(fitted.constants[2].identified);  // nothing runs on matrix units
  EXPECT_LT(fitted.error_after, 0.01);
  EXPECT_GT(fitted.error_before, 0.1);
  EXPECT_THAT(calibration_text(fitted), HasSubstr("Not identified by these files:"));
  const std::string yaml = calibration_yaml(fitted, "2026-11");
  EXPECT_THAT(yaml, AllOf(HasSubstr("defaults: [h100_sxm, _self_]"), HasSubstr("kind: fitted"),
                          HasSubstr("# tensor_clock: not identified")));
  EXPECT_THROW(calibrate({profile_file("launches-few.csv",
                                       "n,op,module,shapes,dtypes,us,kernels\n0,aten.neg,m,[[64]],"
                                       "f32,2,k=2\n")},
                         context),
               Error);
}

}  // namespace
}  // namespace modelmeter
