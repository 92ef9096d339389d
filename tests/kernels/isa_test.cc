// ISAs: listing, forcing by API and by LOOKUPFFN_ISA, names that cannot be had. Other CPUs: dispatch/emulated_cpus_test.cc.
#include <gtest/gtest.h>

#include <algorithm>
#include <cstring>
#include <fstream>
#include <iterator>
#include <set>
#include <sstream>
#include <string>
#include <utility>
#include <vector>

#include "isas.h"
#include "layer_check.h"
#include "load.h"
#include "lookupffn/lookupffn.hpp"
#include "plain_layer.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

const std::string kGolden = std::string(LOOKUPFFN_TEST_DATA) + "/golden/bh4_d64_t40_b4";

ProcessResult tool_with(const std::string& isa, std::vector<std::string> arguments) {
  arguments.insert(arguments.begin(), LOOKUPFFN_TEST_TOOL);
  ProcessOptions options;
  options.time_limit_seconds = 300;
  options.environment = {{"LOOKUPFFN_ISA", isa}};
  return run_process(arguments, options);
}

class Isa : public testing::Test {
 protected:
  void TearDown() override { unforce_isa(); }
};

TEST_F(Isa, ListIsConsistent) {
  std::set<std::string> names;
  size_t active = 0;
  for (const IsaInfo& isa : isas()) {
    SCOPED_TRACE(isa.name);
    EXPECT_TRUE(names.insert(isa.name).second);
    EXPECT_STRNE(isa.description, "");
    EXPECT_EQ(isa.runnable != 0, *isa.missing == 0) << isa.missing;
    if (!isa.active) continue;
    ++active;
    EXPECT_TRUE(isa.built_in && isa.runnable);
    EXPECT_STREQ(isa.name, active_isa());
  }
  EXPECT_EQ(active, 1u);
  IsaInfo info;
  EXPECT_EQ(lookupffn_isa_at(lookupffn_isa_count(), &info), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_isa_at(0, nullptr), LOOKUPFFN_INVALID_ARGUMENT);
  EXPECT_EQ(lookupffn_active_isa(nullptr), LOOKUPFFN_INVALID_ARGUMENT);
}

// What the kernel says of the CPU, which knows what it saves of it: detection that is broken would skip tests, not fail them.
std::set<std::string> cpu_flags() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.rfind("flags", 0) != 0 && line.rfind("Features", 0) != 0) continue;
    std::istringstream words(line.substr(line.find(':') + 1));
    return {std::istream_iterator<std::string>(words), {}};
  }
  return {};
}

TEST_F(Isa, RunnableIsWhatTheKernelListsForTheCpu) {
  if (checks::emulated())
    GTEST_SKIP() << "/proc is in part that of the machine that emulates this one; scripts/target checks it";
  std::set<std::string> flags = cpu_flags();
  ASSERT_FALSE(flags.empty()) << "/proc/cpuinfo lists no flags";
  int sve_bytes = 0;
  std::ifstream("/proc/sys/abi/sve_default_vector_length") >> sve_bytes;
  for (const int bits : {256, 512}) {
    if (8 * sve_bytes >= bits) flags.insert("vectors of " + std::to_string(bits) + " bits");
  }
  const std::vector<std::pair<std::string, std::vector<std::string>>> needs = {
      {"sse41", {"sse4_1"}},
      {"avx2", {"avx2", "fma", "f16c"}},
      {"avx512", {"avx512f", "avx512cd", "avx512bw", "avx512dq", "avx512vl"}},
      {"avx512_bf16", {"avx512_bf16", "avx512_vnni", "avx512vbmi", "avx512ifma"}},
      {"avx512_amx", {"amx_tile", "amx_bf16"}},
      {"neon", {"fp", "asimd"}},
      {"neon_dot", {"asimddp"}},
      {"sve2", {"sve", "sve2", "fphp", "asimdhp"}},
      {"sve2_256", {"asimddp", "sve", "sve2", "fphp", "asimdhp", "vectors of 256 bits"}},
      {"sve2_512", {"vectors of 512 bits"}},
      {"rvv", {"v"}},
      {"wasm_simd128", {}}};
  size_t runnable = 0;
  for (const IsaInfo& isa : isas()) {
    bool expected = isa_row(isa.name).architecture == kThisArchitecture;
    for (const IsaRow* row : isa_lineage(isa_row(isa.name))) {
      const auto known = std::find_if(needs.begin(), needs.end(), [&](const auto& need) { return need.first == row->name; });
      ASSERT_NE(known, needs.end()) << row->name << " is an ISA that this test does not know";
      for (const std::string& flag : known->second) expected = expected && flags.count(flag) > 0;
    }
    EXPECT_EQ(isa.runnable != 0, expected) << isa.name << ": '" << isa.missing << "'";
    runnable += expected && isa.built_in;
  }
  EXPECT_EQ(checks::runnable_isas().size(), runnable);
}

TEST_F(Isa, ForcingDecidesWhatLayersArePackedFor) {
  const checks::LayerCase layer(reference::dense_shape(12, 20, 3, 4), 1, 1);
  const std::vector<uint8_t> bytes = reference::model_bytes(layer.layer(), "", ElementType::kF32);
  const Model model(bytes.data(), bytes.size());
  const std::string automatic = active_isa();
  const Layer before(model);
  for (const std::string& isa : checks::runnable_isas()) {
    force_isa(isa);
    EXPECT_EQ(active_isa(), isa);
    EXPECT_EQ(Layer(model).info().isa, isa);
    // A layer keeps the ISA that it was packed for.
    EXPECT_EQ(before.info().isa, automatic);
  }
  unforce_isa();
  EXPECT_EQ(active_isa(), automatic);
}

TEST_F(Isa, NamesThatCannotBeHad) {
  const std::string active = active_isa();
  for (const char* name : {"sse5", "", "AVX2", "avx"}) {
    EXPECT_EQ(lookupffn_force_isa(name), LOOKUPFFN_UNSUPPORTED_ISA) << name;
    EXPECT_NE(std::string(lookupffn_last_message()).find(active), std::string::npos) << lookupffn_last_message();
  }
  for (const IsaInfo& isa : isas()) {
    if (isa.built_in && isa.runnable) continue;
    EXPECT_EQ(lookupffn_force_isa(isa.name), LOOKUPFFN_UNSUPPORTED_ISA) << isa.name;
    EXPECT_NE(std::string(lookupffn_last_message()).find(isa.name), std::string::npos) << lookupffn_last_message();
  }
  EXPECT_EQ(active_isa(), active) << "a failed call changed the ISA";
}

TEST_F(Isa, EnvironmentDecides) {
  for (const std::string& isa : checks::runnable_isas()) {
    const ProcessResult result = tool_with(isa, {"verify", kGolden + ".model.safetensors", kGolden + ".io.safetensors"});
    EXPECT_TRUE(result.ok()) << result.what_happened() << result.err;
    EXPECT_NE(result.out.find(isa + ", generic"), std::string::npos) << result.out;
  }
  const ProcessResult result = tool_with("sse5", {"verify", kGolden + ".model.safetensors", kGolden + ".io.safetensors"});
  EXPECT_EQ(result.end, ProcessResult::End::kExited);
  EXPECT_NE(result.exit_status, 0);
  EXPECT_NE(result.err.find("'sse5'"), std::string::npos) << result.err;
  EXPECT_NE(result.err.find("LOOKUPFFN_ISA"), std::string::npos) << result.err;
}

}  // namespace
}  // namespace lookupffn
