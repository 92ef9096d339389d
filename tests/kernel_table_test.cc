#include "kernel_table.h"

#include <gtest/gtest.h>

#include <stdexcept>

#include "atomic_file.h"
#include "generator_command.h"
#include "isa_target.h"
#include "isas.h"
#include "lookupffn/kernels.h"
#include "scratch_folder.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

KernelSpec gather(const std::string& batch_class = "one") {
  KernelSpec spec;
  spec.kernel = "gather";
  spec.isa = "avx2";
  spec.batch_class = batch_class;
  spec.problem = {{"bits", "8"}, {"d_out", "512"}, {"table_type", "i8"}, {"tables", "128"}};
  return spec;
}

TEST(KernelSpec, CanonicalTextAndBack) {
  const std::map<std::string, std::string> pairs = {{"b", "2"}, {"a", "x"}};
  EXPECT_EQ(canonical_text(pairs), "a=x b=2");
  EXPECT_EQ(parse_pairs(" b=2   a=x\n"), pairs);
  EXPECT_TRUE(parse_pairs("").empty());
  for (const char* bad : {"a", "=1", "a=", "a=1 a=2"}) EXPECT_THROW(parse_pairs(bad), std::runtime_error) << bad;
  EXPECT_EQ(problem_key(gather()), "bits8-dout512-i8-tables128");
  EXPECT_EQ(kernel_function_name("mine", gather()), "mine_gather_bits8_dout512_i8_tables128_avx2_one");
  EXPECT_NE(kernel_function_name("mine", gather("one")), kernel_function_name("mine", gather("small")));
}

TEST(IsaTarget, LargeBuffersWhereTablesPassTwoGiB) {
  EXPECT_EQ(halide_target(gather()).find("large_buffers"), std::string::npos);
  KernelSpec large = gather();
  large.problem = {{"bits", "16"}, {"d_out", "1024"}, {"table_type", "f32"}, {"tables", "8"}};
  EXPECT_NE(halide_target(large).find("large_buffers"), std::string::npos);
  large.problem["table_type"] = "i8";
  EXPECT_EQ(halide_target(large).find("large_buffers"), std::string::npos);
}

TEST(IsaTarget, Names) {
  for (const IsaRow& row : kIsas) {
    const std::string name = row.name;
    const std::string target = isa_target(name).halide_target;
    EXPECT_EQ(target.find(std::string(architecture_row(row.architecture).halide_target) + "-"), 0u) << target;
    for (const char* feature : {"-no_asserts", "-no_bounds_query", "-no_runtime"}) {
      EXPECT_NE(target.find(feature), std::string::npos) << target;
    }
  }
  EXPECT_EQ(isa_target("sse41").halide_target, "x86-64-linux-sse41-no_asserts-no_bounds_query-no_runtime");
  EXPECT_EQ(isa_target("neon_dot").halide_target, "arm-64-linux-arm_dot_prod-no_asserts-no_bounds_query-no_runtime");
  EXPECT_NE(isa_target("avx2", "address").halide_target.find("-asan"), std::string::npos);
  EXPECT_THROW(isa_target("avx3"), std::runtime_error);
  EXPECT_THROW(isa_target("avx2", "leak"), std::runtime_error);
}

TEST(GeneratorCommand, Arguments) {
  const auto arguments = generator_arguments("gen", gather(), {{"d_tile", "64"}}, "f", "/out");
  EXPECT_EQ(arguments.front(), "gen");
  const std::string joined = [&] {
    std::string text;
    for (const std::string& argument : arguments) text += argument + " ";
    return text;
  }();
  EXPECT_NE(joined.find("-g gather -f f -n f -o /out -e object target=x86-64-linux-"), std::string::npos) << joined;
  EXPECT_NE(joined.find(" bits=8 d_out=512 table_type=i8 tables=128 d_tile=64 "), std::string::npos) << joined;
}

// A hash's formulas depend on whether its tokens are one: the generator is told as of the problem, and does not read it from a
// schedule.
TEST(GeneratorCommand, AHashIsToldOfASingleToken) {
  KernelSpec hash;
  hash.kernel = "hash";
  hash.problem = {{"bits", "8"}};
  for (const uint32_t most : {1u, 31u}) {
    hash.max_tokens = most;
    const std::map<std::string, std::string> expected = {{"bits", "8"}, {"one_token", most == 1 ? "true" : "false"}};
    EXPECT_EQ(generator_problem(hash), expected) << most;
  }
  EXPECT_EQ(generator_problem(gather()), gather().problem);
}

TEST(KernelTable, RefusesNamesThatAreNoIdentifiers) {
  for (const char* bad : {"", "1st", "a-b", "a b", "a;b", "int", "a\"b"}) {
    EXPECT_THROW(kernel_table_source(bad, {}), std::runtime_error) << bad;
    EXPECT_THROW(registration_header(bad), std::runtime_error) << bad;
  }
}

// Compiled as a user's compiler would see them, the sources give a program the texts that went in.
TEST(KernelTable, CompilesAndHoldsWhatWentIn) {
  ScratchFolder directory;
  ASSERT_TRUE(run_process({"mkdir", directory.file("lookupffn")}).ok());
  const std::string provenance = "odd \"quotes\" \\ and \xc3\xa4 9";
  write_file_atomically(directory.file("lookupffn/kernels.h"), kernels_header_text());
  write_file_atomically(directory.file("lookupffn/lookupffn.h"), lookupffn_header_text());
  write_file_atomically(directory.file("mine.h"), registration_header("mine"));
  write_file_atomically(directory.file("table.c"),
                        kernel_table_source("mine", {{gather("one"), {{"d_tile", "64"}}, provenance, "mine_k0"},
                                                     {gather("small"), {{"d_tile", "32"}}, "default", "mine_k1"}}));
  write_file_atomically(directory.file("register.c"), registration_source("mine"));
  write_file_atomically(directory.file("main.cc"), R"(
#include <cstdio>
#include "lookupffn/kernels.h"
#include "mine.h"
extern "C" int mine_k0_argv(void **) { return 40; }
extern "C" int mine_k1_argv(void **) { return 41; }
extern "C" lookupffn_status lookupffn_register_kernels(const struct lookupffn_kernel_library *library) {
  std::printf("%s %u %u\n", library->name, library->abi_version, library->kernel_count);
  for (unsigned i = 0; i < library->kernel_count; ++i) {
    const lookupffn_kernel &k = library->kernels[i];
    std::printf("%s|%s|%s|%s|%s|%s|%d\n", k.kernel, k.isa, k.problem, k.batch_class, k.schedule, k.provenance,
                k.function(nullptr));
  }
  return LOOKUPFFN_NO_KERNEL;
}
int main() { return mine_register(); }
)");
  const auto build = [&](std::vector<std::string> command) {
    const ProcessResult result = run_process(command);
    EXPECT_TRUE(result.ok()) << result.what_happened() << result.err;
    EXPECT_EQ(result.err, "");
  };
  for (const char* source : {"table", "register"}) {
    build({"cc", "-std=c11", "-pedantic", "-Wall", "-Wextra", "-Werror", "-I", directory.path(), "-c",
           directory.file(std::string(source) + ".c"), "-o", directory.file(std::string(source) + ".o")});
  }
  build({"c++", "-std=c++17", "-Wall", "-Wextra", "-I", directory.path(), directory.file("main.cc"), directory.file("table.o"),
         directory.file("register.o"), "-o", directory.file("main")});
  const ProcessResult run = run_process({directory.file("main")});
  EXPECT_EQ(run.exit_status, 6);  // LOOKUPFFN_NO_KERNEL came through
  EXPECT_EQ(run.out, "mine " + std::to_string(LOOKUPFFN_KERNEL_ABI_VERSION) +
                         " 2\n"
                         "gather|avx2|bits=8 d_out=512 table_type=i8 tables=128|one|d_tile=64|" +
                         provenance +
                         "|40\n"
                         "gather|avx2|bits=8 d_out=512 table_type=i8 tables=128|small|d_tile=32|default|41\n");
}

}  // namespace
}  // namespace lookupffn
