// Corner cases of what tools write, each after a real thing: public traces of torch.profiler (HolisticTraceAnalysis'
// test data: A100, MI250, CPU only, Triton), reports of kineto's and PyTorch's issues on invalid JSON, and the columns
// and tables of Nsight Systems 2021 to 2025 and Nsight Compute.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sqlite3.h>
#include <unistd.h>

#include <filesystem>
#include <fstream>

#include "base/error.h"
#include "verify/profile.h"
#include "verify/profile_report.h"

namespace modelmeter {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

std::string format_file(const std::string& name, const std::string& content) {
  const std::filesystem::path folder =
      std::filesystem::path(::testing::TempDir()) / ("modelmeter-formats-" + std::to_string(::getpid()));
  std::filesystem::create_directories(folder);
  const std::string path = (folder / name).string();
  std::ofstream(path) << content;
  return path;
}

Profile profile_in(const std::string& name, const std::string& content) {
  return read_profile(format_file(name, content));
}

std::string refusal_of(const std::string& name, const std::string& content) {
  try {
    profile_in(name, content);
  } catch (const Error& error) {
    std::string out = error.what();
    for (const std::string& note : error.notes()) out += "\n" + note;
    return out;
  }
  return "no error";
}

std::vector<std::string> ops_of(const Profile& profile) {
  std::vector<std::string> out;
  for (const MeasuredLaunch& launch : profile.launches) out.push_back(launch.op);
  return out;
}

// Kineto's layout: an event over several lines.
std::string kineto(const std::string& events, const std::string& end = "  ],\n  \"traceName\": \"t.json\"\n}\n") {
  return "{\n  \"schemaVersion\": 1,\n  \"deviceProperties\": [\n    {\"id\": 0, \"name\": \"NVIDIA A100-SXM4-80GB\"}\n  ],\n"
         "  \"traceEvents\": [\n" +
         events + end;
}

std::string lines_event(const std::string& head, const std::string& arguments) {
  return "  {\n    " + head + ",\n    \"args\": {\n      " + arguments + "\n    }\n  }";
}

std::string good_kernel() {
  return lines_event(R"("ph": "X", "cat": "kernel", "name": "void gemm", "pid": 0, "tid": 7, "ts": 20, "dur": 5)",
                     R"("correlation": 4)");
}

// kineto issue 105: a copy that took no time has an infinite bandwidth.
TEST(BrokenJson, InfinitiesOfOldKinetoAreRead) {
  const Profile profile = profile_in(
      "inf.json", kineto(good_kernel() + ",\n" +
                         lines_event(R"("ph": "X", "cat": "gpu_memcpy", "name": "Memcpy HtoD", "ts": 30, "dur": 0)",
                                     R"j("correlation": 5, "memory bandwidth (GB/s)": inf)j") +
                         "\n"));
  EXPECT_EQ(profile.launches.size(), 2u);
  EXPECT_TRUE(profile.notes.empty());
  EXPECT_EQ(device_of_name(profile.device_name), "a100_sxm");
}

// pytorch issues 98432 (backslashes of Windows), 113001 (a line break and quotes in the name of a function).
TEST(BrokenJson, NamesOfPythonFunctionsDoNotLoseTheTrace) {
  const std::string windows = lines_event(
      R"("ph": "X", "cat": "python_function", "name": "torch\cuda\__init__.py(219): _lazy_init", "ts": 1, "dur": 1)",
      R"("Python id": 1)");
  const std::string quotes = lines_event(
      "\"ph\": \"X\", \"cat\": \"python_function\", \"name\": \"lib = Library(\"_test\", \"IMPL\")\n(1): <module>\", \"ts\": 1",
      R"("Python id": 2)");
  const Profile profile = profile_in("names.json", kineto(windows + ",\n" + quotes + ",\n" + good_kernel() + "\n"));
  ASSERT_EQ(profile.launches.size(), 1u);
  ASSERT_EQ(profile.notes.size(), 1u);
  EXPECT_EQ(profile.notes[0], "1 of 3 events are no valid JSON");
}

TEST(BrokenJson, AFileThatIsCutOffIsRefused) {
  EXPECT_THAT(refusal_of("cut.json", kineto(good_kernel() + ",\n  {\n    \"ph\": \"X\", \"ca", "")),
              HasSubstr("cut off after 1 events"));
  EXPECT_THAT(refusal_of("cut_line.json", R"({"traceEvents": [{"ph": "X", "cat": "kernel", "na)"),
              HasSubstr("broken JSON"));
}

// A trace of one process in which two devices ran: HolisticTraceAnalysis has traces of ranks other than 0.
TEST(ChromeDevices, TheOneWithMostKernelsIsTaken) {
  const Profile profile = profile_in("devices.json", R"({"deviceProperties": [{"id": 0, "name": "NVIDIA A100"},
{"id": 1, "name": "NVIDIA H200"}], "traceEvents": [
{"ph": "X", "cat": "kernel", "name": "a", "pid": 0, "tid": 7, "ts": 1, "dur": 1, "args": {"device": 0}},
{"ph": "X", "cat": "kernel", "name": "gemm", "pid": 1, "tid": 7, "ts": 9, "dur": 1, "args": {"device": 1}},
{"ph": "X", "cat": "kernel", "name": "b", "pid": 1, "tid": 20, "ts": 2, "dur": 1, "args": {"device": 1}}]})");
  EXPECT_EQ(ops_of(profile), (std::vector<std::string>{"(memory)", "(matmul)"}));  // of both streams, by time
  EXPECT_EQ(device_of_name(profile.device_name), "h200_sxm");
  EXPECT_THAT(profile.notes.at(0), HasSubstr("of 2 devices, device 1: it has 2 of the 3 kernels"));
}

// Where the runtime's calls were not recorded, a kernel has the id of the op. PyTorch 1.8 wrote other categories.
TEST(ChromeJoin, ByExternalIdAndOldCategories) {
  const Profile profile = profile_in("ids.json", R"({"traceEvents": [
{"ph": "X", "cat": "Operator", "name": "aten::addmm", "pid": 5, "tid": "a", "ts": 1, "dur": 5,
 "args": {"External id": 9, "Input Dims": [[4], [2, 3], [3, 4]], "Input type": ["float", "float", "float"]}},
{"ph": "X", "cat": "Kernel", "name": "cutlass", "pid": 0, "tid": "stream 7", "ts": 8, "dur": 2, "args": {"External id": 9}},
{"ph": "i", "cat": "cpu_instant_event", "name": "[memory]", "args": {"Bytes": 1}}, {"ph": "M", "name": 7, "cat": null}]})");
  ASSERT_EQ(profile.launches.size(), 1u);
  EXPECT_EQ(profile.launches[0].op, "addmm");
  EXPECT_EQ(profile.launches[0].shapes.size(), 3u);
}

// Threads of two processes may have one number.
TEST(ChromeJoin, AThreadIsOneOfItsProcess) {
  const Profile profile = profile_in("processes.json", R"({"traceEvents": [
{"ph": "X", "cat": "cpu_op", "name": "aten::add", "pid": 1, "tid": 5, "ts": 1, "dur": 9, "args": {}},
{"ph": "X", "cat": "cpu_op", "name": "aten::mul", "pid": 2, "tid": 5, "ts": 2, "dur": 9, "args": {}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 5, "ts": 3, "dur": 1, "args": {"correlation": 1}},
{"ph": "X", "cat": "kernel", "name": "k", "pid": 0, "tid": 7, "ts": 20, "dur": 2, "args": {"correlation": 1}}]})");
  EXPECT_EQ(ops_of(profile), (std::vector<std::string>{"add"}));
}

// record_shapes=False: nothing can be predicted from it alone.
TEST(ChromeJoin, OpsWithoutShapesNeedAConfiguration) {
  const config::Repository repository(MODELMETER_SOURCE_DIR "/configs");
  const Profile profile = profile_in("no_shapes.json", R"({"traceEvents": [
{"ph": "X", "cat": "cpu_op", "name": "aten::add", "pid": 1, "tid": 5, "ts": 1, "dur": 9, "args": {"External id": 3}},
{"ph": "X", "cat": "cuda_runtime", "name": "cudaLaunchKernel", "pid": 1, "tid": 5, "ts": 3, "dur": 1, "args": {"correlation": 1}},
{"ph": "X", "cat": "kernel", "name": "k", "ts": 20, "dur": 2, "args": {"correlation": 1}}]})");
  try {
    compare_profile(profile, {repository, {MODELMETER_SOURCE_DIR}, "h100_sxm", "", {}}, "");
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("has no shapes"));
    EXPECT_THAT(error.notes(), testing::Contains(HasSubstr("record_shapes=True")));
  }
}

// nsys stats with two reports, on a report of two devices, rows not in order.
TEST(NsightSystemsCsv, OneTableOfOneDeviceByItsStart) {
  const Profile profile = profile_in(
      "trace.csv",
      "NOTICE: Existing SQLite export found: r.sqlite\n\nProcessing [r.sqlite] with [cuda_gpu_trace.py]...\r\n"
      "Start (ns),Duration (ns),CorrId,GrdX,Bytes (MB),Throughput (MB/s),SrcMemKd,DstMemKd,Device,Ctx,GreenCtx,Strm,Name\n"
      "300,4000,3,,,,,,NVIDIA H200 (1),1,,7,\"void cudnn::bn_fw<float, int>(a, b)\"\n"
      "100,2000,1,8,,,,,NVIDIA H200 (1),1,,13,nvjet_sm90\n"
      "200,9000,2,8,,,,,NVIDIA H100 80GB HBM3 (0),1,,7,nvjet_sm90\n"
      "\n"
      "Processing [r.sqlite] with [cuda_gpu_kern_sum.py]...\n"
      "Time (%),Total Time (ns),Instances,Name\n1,2,3,k\n");
  EXPECT_EQ(device_of_name(profile.device_name), "h200_sxm");
  EXPECT_EQ(ops_of(profile), (std::vector<std::string>{"(matmul)", "(memory)"}));
  EXPECT_DOUBLE_EQ(profile.launches[0].us, 2);
  EXPECT_THAT(profile.notes.at(0), HasSubstr("of 2 devices"));
}

// The units of Nsight Systems 2021 and of --timeunit; the report of launches with their kernels.
TEST(NsightSystemsCsv, UnitsAndReportsOfItsVersions) {
  EXPECT_DOUBLE_EQ(profile_in("old.csv", "Start(sec),Duration(nsec),CorrId,Device,Name\n0.5,1500,1,A100 (0),gemm\n")
                       .launches.at(0)
                       .us,
                   1.5);
  EXPECT_DOUBLE_EQ(
      profile_in("ms.csv", "Start (ms),Duration (ms),CorrId,Device,Name\n1,2.5,1,A100 (0),gemm\n").launches.at(0).us,
      2500);
  const Profile executions = profile_in(
      "exec.csv",
      "API Start (ns),API Dur (ns),Queue Start (ns),Queue Dur (ns),Kernel Start (ns),Kernel Dur (ns),Total Dur (ns),"
      "PID,TID,DevId,API Function,GridXYZ,BlockXYZ,Kernel Name\n"
      "1,2,3,4,5,7000,9,10,11,0,cuLaunchKernel,1 1 1,1 1 1,flash_fwd_kernel\n");
  EXPECT_EQ(executions.launches.at(0).op, "(attention)");
  EXPECT_DOUBLE_EQ(executions.launches[0].us, 7);
}

TEST(NsightSystemsCsv, WhatCannotBeReadIsRefused) {
  EXPECT_THAT(refusal_of("time.csv", "Start (ns),Duration (ns),Name\n1,soon,gemm\n"),
              HasSubstr("row 1: Duration (ns) is no time: 'soon'"));
  EXPECT_THAT(refusal_of("short.csv", "Start (ns),Duration (ns),Device,Name\n1,20,H100,gemm\n2,3\n"),
              HasSubstr("row 2: 2 cells, the header has 4"));
  EXPECT_THAT(refusal_of("column.txt", "Start (ns)  Duration (ns)  Name\n----  ----  ----\n1  2  gemm\n"),
              HasSubstr("not separated by commas"));
  EXPECT_THAT(refusal_of("skipped.csv", "SKIPPED: r.sqlite does not contain CUDA trace data.\n"),
              HasSubstr("--trace=cuda"));
  EXPECT_THAT(refusal_of("utf16.csv", std::string("\xFF\xFE") + "S"), HasSubstr("UTF-16"));
  EXPECT_EQ(profile_in("bom.csv", "\xEF\xBB\xBFStart (ns),Duration (ns),Name\n1,2,gemm\n").launches.size(), 1u);
}

// ncu prints numbers as the locale has them, and its own lines among the rows.
TEST(NsightComputeCsv, NumbersOfLocalesAndLinesBetween) {
  const auto microseconds = [](const std::string& number) {
    return profile_in(
               "ncu.csv",
               "==PROF== Connected to process 7\n\"ID\",\"Process ID\",\"Kernel Name\",\"Metric Name\",\"Metric Unit\",\"Metric "
               "Value\"\n\"0\",\"7\",\"void gemm(float *, int)\",\"gpu__time_duration.sum\",\"nsecond\",\"" +
                   number + "\"\n==PROF== Disconnected from process 7\n")
               .launches.at(0)
               .us *
           1e3;
  };
  EXPECT_NEAR(microseconds("152192"), 152192, 1e-6);
  EXPECT_NEAR(microseconds("152,192"), 152192, 1e-6);
  EXPECT_NEAR(microseconds("1,152,192.50"), 1152192.5, 1e-6);
  EXPECT_NEAR(microseconds("1.152.192,50"), 1152192.5, 1e-6);
  EXPECT_NEAR(microseconds("1 152,50"), 1152.5, 1e-6);
  EXPECT_NEAR(microseconds("1.25"), 1.25, 1e-9);
  EXPECT_NEAR(microseconds("1,25"), 1.25, 1e-9);
}

std::string format_database(const std::string& name, const char* content) {
  const std::string path = format_file(name, "");
  std::filesystem::remove(path);
  sqlite3* made = nullptr;
  EXPECT_EQ(sqlite3_open(path.c_str(), &made), SQLITE_OK);
  EXPECT_EQ(sqlite3_exec(made, content, nullptr, nullptr, nullptr), SQLITE_OK);
  sqlite3_close(made);
  return path;
}

// As nsys 2025 exports it: several devices by their number, a device's name by its id.
TEST(NsightSystemsDatabase, OneDeviceByItsNumber) {
  const Profile profile = read_profile(format_database(
      "two.sqlite",
      "CREATE TABLE StringIds (id INTEGER PRIMARY KEY, value TEXT);"
      "INSERT INTO StringIds VALUES (1, 'nvjet'), (2, 'void at::native::elementwise');"
      "CREATE TABLE CUPTI_ACTIVITY_KIND_KERNEL (start INTEGER, end INTEGER, deviceId INTEGER, streamId INTEGER,"
      " correlationId INTEGER, globalPid INTEGER, demangledName INTEGER, shortName INTEGER, graphNodeId INTEGER);"
      "INSERT INTO CUPTI_ACTIVITY_KIND_KERNEL VALUES (10, 20, 0, 7, 1, 5, 1, 1, NULL), (30, 50, 1, 7, 2, 5, 1, 1, NULL),"
      " (60, 90, 1, 7, 3, 5, 2, 2, NULL);"
      "CREATE TABLE TARGET_INFO_GPU (vmId INTEGER, id INTEGER, name TEXT);"
      "INSERT INTO TARGET_INFO_GPU VALUES (0, 0, 'NVIDIA A100-SXM4-80GB'), (0, 1, 'NVIDIA H200');"));
  EXPECT_EQ(ops_of(profile), (std::vector<std::string>{"(matmul)", "(memory)"}));
  EXPECT_EQ(device_of_name(profile.device_name), "h200_sxm");
  EXPECT_THAT(profile.notes.at(0), HasSubstr("of 2 devices"));
}

// The default traces a graph as a whole: its kernels are not there.
TEST(NsightSystemsDatabase, GraphsAsAWholeAreSaid) {
  try {
    read_profile(
        format_database("graph.sqlite", "CREATE TABLE CUPTI_ACTIVITY_KIND_GRAPH_TRACE (start INTEGER, end INTEGER);"));
    ADD_FAILURE();
  } catch (const Error& error) {
    EXPECT_THAT(error.what(), HasSubstr("without kernels of a device"));
    EXPECT_THAT(error.notes(), testing::Contains(HasSubstr("--cuda-graph-trace=node")));
  }
}

}  // namespace
}  // namespace modelmeter
