// The library and the tool on x86-64 CPUs that lack this or that, under qemu's user emulation: the widest ISA that the CPU has,
// or one clear line. Never an instruction that it lacks.
#include <gtest/gtest.h>
#include <signal.h>

#include <algorithm>
#include <ostream>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.hpp"
#include "subprocess.h"

namespace lookupffn {
namespace {

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/bh4_d64_t40_b4";
const std::string kModel = kGolden + ".model.safetensors", kIo = kGolden + ".io.safetensors";
const std::string kLibrary = std::string(LOOKUPFFN_TEST_KERNELS) + "/golden_bh4_d64_t40_b4";

struct Cpu {
  const char* name;
  const char* model;              // qemu's: a CPU, and features taken from it
  std::vector<std::string> isas;  // that it runs, from the plainest to the widest
  const char* lacks;              // what the next one needs, as the message says it
};

void PrintTo(const Cpu& cpu, std::ostream* out) { *out << cpu.model; }

// That qemu's emulation has AVX2 and nothing wider makes Skylake a CPU without AVX-512.
const Cpu kCpus[] = {
    {"Skylake", "Skylake-Server", {"sse41", "avx2"}, "avx512f"},
    {"Haswell", "Haswell", {"sse41", "avx2"}, "avx512f"},
    {"Epyc", "EPYC", {"sse41", "avx2"}, "avx512f"},
    // Each feature that AVX2 kernels may use.
    {"HaswellWithoutFma", "Haswell,-fma", {"sse41"}, "the CPU has no fma"},
    {"HaswellWithoutF16c", "Haswell,-f16c", {"sse41"}, "the CPU has no f16c"},
    {"HaswellWithoutPopcnt", "Haswell,-popcnt", {"sse41"}, "the CPU has no popcnt"},
    {"HaswellWithoutMovbe", "Haswell,-movbe", {"sse41"}, "the CPU has no movbe"},
    {"HaswellWithoutLzcnt", "Haswell,-abm", {"sse41"}, "the CPU has no lzcnt"},
    {"HaswellWithoutBmi1", "Haswell,-bmi1", {"sse41"}, "the CPU has no bmi1"},
    {"HaswellWithoutBmi2", "Haswell,-bmi2", {"sse41"}, "the CPU has no bmi2"},
    {"HaswellWithoutXsave", "Haswell,-xsave", {"sse41"}, "the operating system does not save AVX registers"},
    {"SandyBridge", "SandyBridge", {"sse41"}, "avx2"},
    {"Piledriver", "Opteron_G5", {"sse41"}, "avx2"},
    {"Denverton", "Denverton", {"sse41"}, "avx"},
    {"Westmere", "Westmere", {"sse41"}, "avx"},
    {"Nehalem", "Nehalem", {"sse41"}, "avx"},
    {"Penryn", "Penryn", {"sse41"}, "avx"},  // SSE 4.1 without 4.2 and POPCNT
    {"Core2Duo", "core2duo", {}, "the CPU has no sse4.1"},
    {"Opteron", "Opteron_G1", {}, "the CPU has no sse4.1"},
    {"Qemu64", "qemu64", {}, "the CPU has no sse4.1"},
};

// What qemu itself says of features that it does not emulate.
std::string without_warnings(const std::string& text) {
  std::string rest;
  for (size_t at = 0; at < text.size();) {
    const size_t end = std::min(text.find('\n', at), text.size() - 1) + 1;
    const std::string line = text.substr(at, end - at);
    if (line.find(": warning: ") == std::string::npos) rest += line;
    at = end;
  }
  return rest;
}

// "": it is not installed.
std::string emulator() {
  const std::string qemu = find_program("qemu-x86_64");
  return qemu.empty() ? find_program("qemu-x86_64-static") : qemu;
}
constexpr char kNoEmulator[] = "no qemu-x86_64 (apt install qemu-user)";

ProcessResult run_on(const std::string& cpu, std::vector<std::string> command, const std::string& isa = "") {
  command.insert(command.begin(), {emulator(), "-cpu", cpu});
  ProcessOptions options;
  options.time_limit_seconds = 120;
  // glibc's functions for AVX2 use BMI1 and LZCNT too, without asking for them.
  options.environment = {{"LOOKUPFFN_ISA", isa}, {"GLIBC_TUNABLES", "glibc.cpu.hwcaps=-AVX2"}};
  ProcessResult result = run_process(command, options);
  result.err = without_warnings(result.err);
  return result;
}

// One line on standard error that holds all of `named`, and an exit status that is not 0.
void expect_refusal(const ProcessResult& result, const std::vector<std::string>& named) {
  SCOPED_TRACE(result.err);
  ASSERT_EQ(result.end, ProcessResult::End::kExited) << result.what_happened();
  EXPECT_EQ(result.exit_status, 1);
  EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << "lines";
  for (const std::string& name : named) EXPECT_NE(result.err.find(name), std::string::npos) << "does not name " << name;
}

class EmulatedCpu : public testing::TestWithParam<Cpu> {
 protected:
  void SetUp() override {
    if (emulator().empty()) GTEST_SKIP() << kNoEmulator;
    for (const IsaInfo& isa : isas()) {
      const auto& has = GetParam().isas;
      const bool runs = std::find(has.begin(), has.end(), isa.name) != has.end();
      if (isa.built_in) (runs ? runs_ : lacks_).push_back(isa.name);
    }
  }
  ProcessResult tool(std::vector<std::string> arguments, const std::string& isa = "") {
    arguments.insert(arguments.begin(), LOOKUPFFN_TEST_TOOL);
    return run_on(GetParam().model, arguments, isa);
  }

  std::vector<std::string> runs_, lacks_;  // ISAs that are built in, from the plainest to the widest
};

TEST_P(EmulatedCpu, PicksTheWidestIsaThatItHas) {
  const ProcessResult list = tool({"isas"});
  const ProcessResult golden = tool({"verify", kModel, kIo, "--threads", "2"});
  const ProcessResult application = run_on(GetParam().model, {LOOKUPFFN_TEST_APPLICATION, kModel});
  EXPECT_NE(list.out.find(GetParam().lacks), std::string::npos) << list.out;
  if (runs_.empty()) {
    for (const ProcessResult* result : {&list, &golden, &application}) {
      expect_refusal(*result, {"runs no ISA that is built into this library", GetParam().lacks});
    }
    return;
  }
  EXPECT_TRUE(list.ok()) << list.what_happened() << list.err;
  EXPECT_TRUE(golden.ok()) << golden.what_happened() << golden.err << golden.out;
  EXPECT_NE(golden.out.find(runs_.back() + ", generic"), std::string::npos) << golden.out;
  EXPECT_TRUE(application.ok()) << application.what_happened() << application.err;
  EXPECT_NE(application.out.find(" on " + runs_.back() + " "), std::string::npos) << application.out;
}

TEST_P(EmulatedCpu, RunsEveryIsaThatItHas) {
  for (const std::string& isa : runs_) {
    for (const std::string kernels : {"generic", "specialised"}) {
      const ProcessResult result = tool({"verify", kModel, kIo, "--kernels", kernels, "--library", kLibrary}, isa);
      EXPECT_TRUE(result.ok()) << isa << " " << kernels << ": " << result.what_happened() << result.err << result.out;
      EXPECT_NE(result.out.find(isa + ", " + kernels), std::string::npos) << result.out;
    }
    for (const std::string type : {"bf16", "i8", "i4"}) {
      const ProcessResult result = tool({"verify", kModel, kIo, "--table-type", type}, isa);
      EXPECT_TRUE(result.ok()) << isa << " " << type << ": " << result.what_happened() << result.err << result.out;
    }
  }
}

TEST_P(EmulatedCpu, WiderIsasAreErrors) {
  if (lacks_.empty()) GTEST_SKIP() << "no wider ISA is built in";
  for (const std::string& isa : lacks_) {
    expect_refusal(tool({"verify", kModel, kIo}, isa), {"'" + isa + "'", "LOOKUPFFN_ISA", "does not run here"});
  }
  const std::string isa = lacks_.front();
  expect_refusal(tool({"verify", kModel, kIo, "--isa", isa}), {"'" + isa + "'", "does not run here"});
  expect_refusal(tool({"isas"}, isa), {"'" + isa + "'", "LOOKUPFFN_ISA", "does not run here"});
  expect_refusal(run_on(GetParam().model, {LOOKUPFFN_TEST_APPLICATION, kModel}, isa),
                 {"'" + isa + "'", "LOOKUPFFN_ISA", "does not run here"});
}

INSTANTIATE_TEST_SUITE_P(Cpus, EmulatedCpu, testing::ValuesIn(kCpus),
                         [](const testing::TestParamInfo<Cpu>& info) { return std::string(info.param.name); });

TEST(OldestCpu, RunsWhatNeedsNoKernels) {
  if (emulator().empty()) GTEST_SKIP() << kNoEmulator;
  for (std::vector<std::string> command :
       {std::vector<std::string>{"inspect", kModel}, {"types"}, {"schedules", "--no-code"}, {"--help"}, {"--version"}}) {
    command.insert(command.begin(), LOOKUPFFN_TEST_TOOL);
    const ProcessResult result = run_on("qemu64", command);
    EXPECT_TRUE(result.ok()) << command[1] << ": " << result.what_happened() << result.err;
  }
}

// The compiler that `build` calls runs on the real CPU: two of them are enough.
TEST(EmulatedBuild, IsForTheIsaThatRunsHere) {
  if (emulator().empty()) GTEST_SKIP() << kNoEmulator;
  const std::vector<std::string> build = {
      LOOKUPFFN_TEST_TOOL, "build", kModel, "--isa", "native", "--out", testing::TempDir() + "/lookupffn_emulated_build"};
  const ProcessResult avx2 = run_on("Haswell", build), none = run_on("qemu64", build);
  EXPECT_TRUE(avx2.ok()) << avx2.what_happened() << avx2.err;
  EXPECT_NE(avx2.out.find("hash avx2 "), std::string::npos) << avx2.out;
  expect_refusal(none, {"this machine runs none of the ISAs", "--isa"});
}

// What the tests above rely on: the emulator stops a program that uses what the CPU lacks.
TEST(Emulator, RefusesWhatTheCpuLacks) {
  if (emulator().empty()) GTEST_SKIP() << kNoEmulator;
  EXPECT_TRUE(run_on("Penryn", {LOOKUPFFN_TEST_BEYOND_BASELINE}).ok());
  const ProcessResult result = run_on("qemu64", {LOOKUPFFN_TEST_BEYOND_BASELINE});
  EXPECT_EQ(result.end, ProcessResult::End::kSignalled) << result.what_happened();
  EXPECT_EQ(result.signal, SIGILL) << result.what_happened();
}

}  // namespace
}  // namespace lookupffn
