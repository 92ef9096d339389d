// The fingerprint of a kernel's code: what changes it, what does not, and what it makes of files that are no objects.
#include "object_code_hash.h"

#include <gtest/gtest.h>

#include <filesystem>
#include <random>
#include <set>
#include <stdexcept>

#include "atomic_file.h"
#include "compiler_family.h"
#include "generator_command.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "subprocess.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

std::string error_of(const std::string& bytes) {
  try {
    object_code_hash_of_bytes(bytes);
  } catch (const std::runtime_error& error) {
    return error.what();
  }
  return "";
}

void replace_all(std::string* text, const std::string& from, const std::string& to) {
  for (size_t at = 0; (at = text->find(from, at)) != std::string::npos; at += to.size()) text->replace(at, from.size(), to);
}

class ObjectCodeHash : public testing::Test {
 protected:
  // An object of Halide's, in a folder of its own.
  std::string generate(const KernelSpec& spec, const Schedule& schedule, const std::string& name) {
    const std::string directory = folder_.file("folder" + std::to_string(count_++));
    fs::create_directory(directory);
    const GeneratedKernel kernel = generate_kernel(LOOKUPFFN_TEST_GENERATOR, spec, schedule, name, directory);
    EXPECT_TRUE(kernel.ok) << kernel.error;
    return kernel.object;
  }

  // An object made of C; NAME in it is the function's name.
  std::string compile(std::string source, const std::string& name, std::vector<std::string> command = {"cc", "-O2"}) {
    const std::string directory = folder_.file("c" + std::to_string(count_++) + name);
    fs::create_directory(directory);
    replace_all(&source, "NAME", name);
    write_file_atomically(directory + "/" + name + ".c", source);
    const std::string object = directory + "/" + name + ".o";
    command.insert(command.end(), {"-c", directory + "/" + name + ".c", "-o", object});
    const ProcessResult result = run_process(command);
    EXPECT_TRUE(result.ok()) << result.err;
    return object;
  }

  Schedule default_schedule(const KernelSpec& spec) const {
    return ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(spec.kernel).default_schedule(spec);
  }

  ScratchFolder folder_;
  int count_ = 0;
};

const char kLongName[] = "a_library_with_a_very_long_name_indeed_hash_bits8_block64_din64_bh4_f32_repeats1_tables4_one";

const char kSource[] =
    "extern int other(int, const int *);\n"
    "static const int table[] = {3, 1, 4, 1, 5, 9, 2, 6};\n"
    "int NAME(void **a) { return other(12345, table + 2) + table[*(int *)a[0] & 7]; }\n"
    "int NAME_argv(void **a) { return NAME(a) + 1; }\n"
    "const char *NAME_metadata(void) { return \"NAME\"; }\n";

TEST_F(ObjectCodeHash, NeitherNamesNorFoldersCount) {
  for (const char* isa : {"sse41", "avx512", "avx512_amx"}) {
    const std::string type = std::string(isa) == "avx512_amx" ? "bf16" : "f32";
    for (const KernelSpec& spec :
         layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape("d_in=100 tables=4"), isa, type, type)) {
      const Schedule schedule = default_schedule(spec);
      const std::string hash = object_code_hash(generate(spec, schedule, "k"));
      EXPECT_EQ(hash.size(), 16u);
      EXPECT_EQ(object_code_hash(generate(spec, schedule, kLongName)), hash) << describe(spec);
      EXPECT_EQ(object_code_hash(generate(spec, schedule, "tune_kernel_17")), hash) << describe(spec);
    }
  }
}

TEST_F(ObjectCodeHash, SchedulesProblemsAndIsasCount) {
  KernelSpec spec =
      layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape("d_in=64 tables=4"), "avx2", "f32", "f32").back();
  ASSERT_EQ(spec.kernel, "gather");
  const Schedule schedule = default_schedule(spec);
  std::set<std::string> hashes = {object_code_hash(generate(spec, schedule, "k"))};
  Schedule other = schedule;
  other["unroll_tables"] = schedule.at("unroll_tables") == "1" ? "2" : "1";
  EXPECT_TRUE(hashes.insert(object_code_hash(generate(spec, other, "k"))).second) << "of another schedule";
  KernelSpec wider = spec;
  wider.problem["d_out"] = "128";
  EXPECT_TRUE(hashes.insert(object_code_hash(generate(wider, schedule, "k"))).second) << "of another problem";
  spec.isa = "avx512";
  EXPECT_TRUE(hashes.insert(object_code_hash(generate(spec, schedule, "k"))).second) << "of another ISA";
}

TEST_F(ObjectCodeHash, OnlyWhatRunsCounts) {
  const std::vector<std::string> sections = {"cc", "-O2", "-ffunction-sections"};
  const std::string hash = object_code_hash(compile(kSource, "f", sections));
  EXPECT_EQ(object_code_hash(compile(kSource, kLongName, sections)), hash);
  EXPECT_EQ(object_code_hash(compile(kSource, "f", {"cc", "-O2", "-ffunction-sections", "-g", "-Qn"})), hash);
  EXPECT_EQ(object_code_hash(compile(kSource + std::string("int unused(void) { return 3; }\n"), "f", sections)), hash);

  const auto changed = [&](const std::string& from, const std::string& to) {
    std::string source = kSource;
    replace_all(&source, from, to);
    EXPECT_NE(source, kSource);
    EXPECT_NE(object_code_hash(compile(source, "f", sections)), hash) << to;
  };
  changed("12345", "12346");          // a number in the code
  changed("5, 9", "5, 8");            // a constant
  changed("table + 2", "table + 3");  // a relocation's addend
  changed("other", "another");        // an external function
  changed("NAME(a) + 1", "NAME(a) + 2");
}

TEST_F(ObjectCodeHash, EveryByteOfTheCodeCounts) {
  const std::string bytes = read_file(compile(kSource, "f", {"cc", "-O2", "-ffunction-sections"}));
  const std::string hash = object_code_hash_of_bytes(bytes);
  const std::string number = {0x39, 0x30, 0, 0}, constants = {9, 0, 0, 0, 2, 0, 0, 0};
  for (const std::string& part : {number, constants}) {
    const size_t at = bytes.rfind(part);  // FUNCTION_argv has a copy of its own, and comes last
    ASSERT_NE(at, std::string::npos);
    for (size_t i = 0; i < part.size(); ++i) {
      std::string other = bytes;
      other[at + i] = char(other[at + i] ^ 0x10);
      EXPECT_NE(object_code_hash_of_bytes(other), hash) << i;
    }
  }
}

TEST_F(ObjectCodeHash, OtherMachines) {
  if (find_program("clang").empty()) GTEST_SKIP() << "there is no clang that compiles for other machines";
  std::set<std::string> hashes;
  for (const std::string target : {"aarch64-linux-gnu", "riscv64-linux-gnu", "s390x-linux-gnu", "x86_64-linux-gnu",
                                   "i686-linux-gnu", "armv7-linux-gnueabihf"}) {
    const std::vector<std::string> command = {"clang", "--target=" + target, "-O2", "-ffunction-sections"};
    const std::string hash = object_code_hash(compile(kSource, "f", command));
    EXPECT_TRUE(hashes.insert(hash).second) << target;
    // Where relocations keep their addends in the code, names may count: see the header.
    if (target[0] != 'i' && target.compare(0, 3, "arm") != 0) {
      EXPECT_EQ(object_code_hash(compile(kSource, kLongName, command)), hash) << target;
    }
    std::string other = kSource;
    replace_all(&other, "5, 9", "5, 8");
    EXPECT_NE(object_code_hash(compile(other, "f", command)), hash) << target;
  }
}

TEST_F(ObjectCodeHash, WhatIsNoKernelIsRefused) {
  EXPECT_NE(error_of("").find("unknown object format"), std::string::npos);
  EXPECT_NE(error_of("!<arch>\nwhatever").find("unknown object format"), std::string::npos);
  EXPECT_NE(error_of(std::string("\0asm\1\0\0\0", 8)).find("unknown object format"), std::string::npos);
  EXPECT_NE(error_of("\177ELF").find("damaged ELF object"), std::string::npos);
  EXPECT_NE(error_of(read_file("/proc/self/exe")).find("no object file"), std::string::npos);
  EXPECT_NE(error_of(read_file(compile("int f(void) { return 1; }\n", "f"))).find("no function FUNCTION_argv"),
            std::string::npos);
  EXPECT_NE(error_of(read_file(compile("int a_argv(void) { return 1; }\nint b_argv(void) { return 2; }\n", "f")))
                .find("defines both"),
            std::string::npos);
  try {
    object_code_hash("/no/such/object.o");
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find("/no/such/object.o"), std::string::npos) << error.what();
  }
  const std::string path = folder_.file("short.o");
  write_file_atomically(path, "\177ELF");
  try {
    object_code_hash(path);
    ADD_FAILURE() << "nothing was thrown";
  } catch (const std::runtime_error& error) {
    EXPECT_NE(std::string(error.what()).find(path), std::string::npos) << error.what();
  }
}

// The table of sections is the last thing in a file: no beginning of one is whole.
TEST_F(ObjectCodeHash, TruncatedObjectsAreRefused) {
  const std::string bytes = read_file(compile(kSource, "f"));
  for (size_t length = 0; length < bytes.size(); ++length) {
    EXPECT_NE(error_of(bytes.substr(0, length)), "") << length << " of " << bytes.size() << " bytes";
  }
}

// Sanitizers see what is read where nothing is.
TEST_F(ObjectCodeHash, MangledObjectsAreRefusedOrHashed) {
  const std::string bytes = read_file(compile(kSource, "f", {"cc", "-O2", "-ffunction-sections"}));
  const std::string hash = object_code_hash_of_bytes(bytes);
  std::mt19937_64 random(std::random_device{}());
  size_t refused = 0, same = 0, other = 0;
  const auto look = [&](const std::string& mangled) {
    std::string found;
    if (!error_of(mangled).empty()) {
      ++refused;
    } else {
      ++(object_code_hash_of_bytes(mangled) == hash ? same : other);
    }
  };
  for (size_t at = 0; at < bytes.size(); ++at) {
    for (const int change : {0x01, 0x80, 0xff}) {
      std::string mangled = bytes;
      mangled[at] = char(mangled[at] ^ change);
      look(mangled);
    }
    std::string huge = bytes;
    for (size_t i = at; i < std::min(at + 8, bytes.size()); ++i) huge[i] = char(0xff);
    look(huge);
  }
  for (int i = 0; i < 20000; ++i) {
    std::string mangled = bytes;
    for (int k = 0; k < 8; ++k) mangled[random() % mangled.size()] = char(random());
    look(mangled);
  }
  EXPECT_GT(refused, 100u);
  EXPECT_GT(same, 100u) << "comments, names and alignment do not count";
  EXPECT_GT(other, 100u);
}

}  // namespace
}  // namespace lookupffn
