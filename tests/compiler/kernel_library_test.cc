#include "kernel_library.h"

#include <dlfcn.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <iterator>
#include <nlohmann/json.hpp>
#include <set>
#include <stdexcept>
#include <thread>

#include "atomic_file.h"
#include "compiler_family.h"
#include "generator_command.h"
#include "installation.h"
#include "isas.h"
#include "lookupffn/kernels.h"
#include "machine.h"
#include "object_code_hash.h"
#include "plainest_isa.h"
#include "schedule_record.h"
#include "schedule_spaces.h"
#include "scratch_folder.h"
#include "subprocess.h"
#include "target_tools.h"

namespace lookupffn {
namespace {

namespace fs = std::filesystem;

// Stands for the generator program: FUNCTION_argv gives the number of arguments that it was called with.
const char kGenerator[] = R"(#!/bin/sh
arguments=$#
while [ $# -gt 0 ]; do
  case "$1" in
    -f) function=$2 ;;
    -o) directory=$2 ;;
  esac
  shift
done
echo "$function" >> "$directory/../../calls"
SPECIAL
echo "int ${function}_argv(void **a) { (void)a; return $arguments; }" > "$directory/$function.c"
exec COMPILER -fPIC -c "$directory/$function.c" -o "$directory/$function.o"
)";

// The environment's name for the C compiler of an architecture.
std::string compiler_variable(Architecture architecture) {
  std::string triple = architecture_row(architecture).triple;
  std::replace(triple.begin(), triple.end(), '-', '_');
  return "CC_" + triple;
}

class KernelLibrary : public testing::Test {
 protected:
  KernelLibrary() {
    request.name = "mine";
    request.directory = directory.file("out");
    request.specs = layer_kernels(ScheduleSpaces({LOOKUPFFN_SCHEDULES}), parse_layer_shape("d_in=64 tables=4"),
                                  plainest_isa(kThisArchitecture), "f32", "f32");
    request.origin = "a test";
    request.schedules_dirs = {LOOKUPFFN_SCHEDULES};
    request.jobs = 2;
    use_generator("");
  }

  void use_generator(const std::string& special) {
    std::string script = kGenerator;
    script.replace(script.find("SPECIAL"), 7, special);
    script.replace(script.find("COMPILER"), 8, target_tools(kThisArchitecture).compiler[0]);
    request.generator = directory.file("generator");
    write_file_atomically(request.generator, script);
    chmod(request.generator.c_str(), 0755);
  }

  std::string error_of_building() {
    try {
      build_kernel_library(request);
    } catch (const std::exception& error) {
      return error.what();
    }
    return "";
  }

  std::set<std::string> files(const std::string& where) const {
    std::set<std::string> found;
    for (const auto& entry : fs::recursive_directory_iterator(where)) {
      if (!entry.is_directory()) found.insert(entry.path().lexically_relative(where).string());
    }
    return found;
  }

  // Nothing beside the result, the generator and its log.
  void expect_no_leftovers() const {
    for (const auto& entry : fs::directory_iterator(directory.path())) {
      const std::string name = entry.path().filename().string();
      EXPECT_TRUE(name == "out" || name == "generator" || name == "calls") << name << " is left";
    }
  }

  ScratchFolder directory;
  KernelLibraryRequest request;
};

TEST_F(KernelLibrary, HoldsWhatItSays) {
  std::vector<size_t> progress;
  request.progress = [&](size_t done, size_t total, const std::string&) {
    EXPECT_EQ(total, 6u);
    progress.push_back(done);
  };
  const KernelLibraryResult result = build_kernel_library(request);
  EXPECT_EQ(result.kernels, 6u);
  EXPECT_EQ(result.tuned, 0u);
  EXPECT_EQ(progress, (std::vector<size_t>{0, 1, 2, 3, 4, 5, 6}));
  EXPECT_EQ(files(request.directory), (std::set<std::string>{"include/mine.h", "lib/cmake/mine/mineConfig.cmake", "libmine.a",
                                                             "libmine.so", "manifest.json"}));
  expect_no_leftovers();

  void* module = dlopen((request.directory + "/libmine.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << dlerror();
  const auto* library = static_cast<const lookupffn_kernel_library*>(dlsym(module, LOOKUPFFN_KERNEL_LIBRARY_SYMBOL));
  ASSERT_NE(library, nullptr);
  EXPECT_EQ(library->abi_version, unsigned(LOOKUPFFN_KERNEL_ABI_VERSION));
  EXPECT_STREQ(library->name, "mine");
  ASSERT_EQ(library->kernel_count, 6u);
  for (unsigned i = 0; i < 6; ++i) {
    const lookupffn_kernel& kernel = library->kernels[i];
    const KernelSpec& spec = request.specs[i];
    EXPECT_EQ(kernel.kernel, spec.kernel);
    EXPECT_EQ(kernel.isa, spec.isa);
    EXPECT_EQ(kernel.problem, canonical_text(spec.problem));
    EXPECT_EQ(kernel.batch_class, spec.batch_class);
    EXPECT_STREQ(kernel.provenance, "default");
    const size_t parameters = parse_pairs(kernel.schedule).size();
    EXPECT_GT(parameters, 3u);
    EXPECT_EQ(kernel.function(nullptr), int(11 + generator_problem(spec).size() + parameters));
  }
  dlclose(module);
  // Nothing but the table is exported.
  const std::string symbols = run_process({"nm", "-D", "--defined-only", "-f", "posix", request.directory + "/libmine.so"}).out;
  EXPECT_EQ(symbols.rfind("lookupffn_kernel_library_v1 ", 0), 0u) << symbols;
  EXPECT_EQ(std::count(symbols.begin(), symbols.end(), '\n'), 1) << symbols;

  const std::string manifest = read_file(request.directory + "/manifest.json");
  for (const char* text : {"\"abi_version\"", "\"halide_target\"", "\"made_for\": \"a test\"", "\"object_bytes\""}) {
    EXPECT_NE(manifest.find(text), std::string::npos) << text;
  }
}

TEST_F(KernelLibrary, TwoStaticLibrariesLiveInOneProgram) {
  build_kernel_library(request);
  request.name = "other";
  request.directory = directory.file("out/../second");
  build_kernel_library(request);
  ScratchFolder work;
  write_file_atomically(work.file("main.c"), R"(
#include <stdio.h>
#include "mine.h"
#include "other.h"
#include "lookupffn/kernels.h"
lookupffn_status lookupffn_register_kernels(const struct lookupffn_kernel_library *library) {
  printf("%s %u\n", library->name, library->kernel_count);
  return LOOKUPFFN_OK;
}
int main(void) { return mine_register() + other_register(); }
)");
  const ProcessResult compiled = run_process(
      {target_tools(kThisArchitecture).compiler[0], "-I", directory.file("out/include"), "-I", directory.file("second/include"),
       "-I", std::string(LOOKUPFFN_TEST_DATA) + "/../../runtime/include", work.file("main.c"), directory.file("out/libmine.a"),
       directory.file("second/libother.a"), "-o", work.file("main")});
  ASSERT_TRUE(compiled.ok()) << compiled.err;
  std::vector<std::string> program = {work.file("main")};
  if (*LOOKUPFFN_TEST_EMULATOR) program.insert(program.begin(), LOOKUPFFN_TEST_EMULATOR);
  EXPECT_EQ(run_process(program).out, "mine 6\nother 6\n");
}

TEST_F(KernelLibrary, AnEarlierResultIsReplaced) {
  build_kernel_library(request);
  request.name = "renamed";
  build_kernel_library(request);
  EXPECT_EQ(files(request.directory).count("librenamed.so"), 1u);
  EXPECT_EQ(files(request.directory).count("libmine.so"), 0u);
  expect_no_leftovers();
}

TEST_F(KernelLibrary, AFailureLeavesAnEarlierResult) {
  build_kernel_library(request);
  const std::string before = read_file(request.directory + "/manifest.json");
  use_generator("case $function in *large*) echo 'something went wrong' >&2; exit 1 ;; esac");
  const std::string error = error_of_building();
  EXPECT_NE(error.find("cannot generate "), std::string::npos) << error;
  EXPECT_NE(error.find("exit status 1: something went wrong"), std::string::npos) << error;
  EXPECT_EQ(read_file(request.directory + "/manifest.json"), before);
  expect_no_leftovers();
  use_generator("exit 0");
  EXPECT_NE(error_of_building().find("wrote no object file"), std::string::npos);
  use_generator("kill -ILL $$");
  EXPECT_NE(error_of_building().find("killed by signal 4"), std::string::npos);
  use_generator(
      "echo \"int puts_kernels(void); int ${function}_argv(void **a) { (void)a; return puts_kernels(); }\""
      " > \"$directory/u.c\"; exec COMPILER -fPIC -c \"$directory/u.c\" -o \"$directory/$function.o\"");
  request.jobs = 1;
  const std::string undefined = error_of_building();
  EXPECT_NE(undefined.find("cannot link 'libmine.so'"), std::string::npos) << undefined;
  EXPECT_EQ(read_file(request.directory + "/manifest.json"), before);
  expect_no_leftovers();
}

TEST_F(KernelLibrary, ACancelledBuildLeavesAnEarlierResult) {
  build_kernel_library(request);
  const std::string before = read_file(request.directory + "/manifest.json");
  use_generator("sleep 100");
  std::atomic<bool> cancelled{false};
  request.cancelled = &cancelled;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(300));
    cancelled = true;
  });
  EXPECT_THROW(build_kernel_library(request), BuildCancelled);
  canceller.join();
  EXPECT_EQ(read_file(request.directory + "/manifest.json"), before);
  expect_no_leftovers();
}

TEST_F(KernelLibrary, AKilledBuildLeavesAnEarlierResultAndTheNextOneTidiesUp) {
  build_kernel_library(request);
  const std::string before = read_file(request.directory + "/manifest.json");
  fs::remove(directory.file("calls"));
  use_generator("sleep 100");
  const pid_t child = fork();
  if (child == 0) {
    build_kernel_library(request);
    _exit(0);
  }
  for (int attempt = 0; attempt < 500 && !fs::exists(directory.file("calls")); ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  ASSERT_TRUE(fs::exists(directory.file("calls")));
  kill(child, SIGKILL);
  waitpid(child, nullptr, 0);
  EXPECT_EQ(read_file(request.directory + "/manifest.json"), before);
  use_generator("");
  build_kernel_library(request);
  expect_no_leftovers();
}

TEST_F(KernelLibrary, SomebodysFilesAreNotReplaced) {
  fs::create_directory(request.directory);
  EXPECT_EQ(error_of_building(), "");  // an empty directory is fine
  write_file_atomically(request.directory + "/thesis.txt", "years of work");
  EXPECT_NE(error_of_building().find("holds 'thesis.txt' beside a kernel library"), std::string::npos);
  fs::remove(request.directory + "/manifest.json");
  EXPECT_NE(error_of_building().find("is no kernel library"), std::string::npos);
  EXPECT_EQ(read_file(request.directory + "/thesis.txt"), "years of work");
  request.directory = directory.file("generator");
  EXPECT_NE(error_of_building().find("is no directory"), std::string::npos);
}

TEST_F(KernelLibrary, MissingProgramsAreNamed) {
  const char* const before = std::getenv(compiler_variable(kThisArchitecture).c_str());
  const std::string compiler = before ? before : "";
  setenv(compiler_variable(kThisArchitecture).c_str(), "no-such-compiler -O2", 1);
  const std::string error = error_of_building();
  setenv(compiler_variable(kThisArchitecture).c_str(), compiler.c_str(), 1);  // an empty one is none
  EXPECT_NE(error.find("there is no 'no-such-compiler'"), std::string::npos) << error;
  EXPECT_NE(error.find("apt install gcc"), std::string::npos) << error;
  request.generator = directory.file("absent");
  EXPECT_NE(error_of_building().find("could not be started"), std::string::npos);
  request.name = "a-b";
  EXPECT_NE(error_of_building().find("'a-b' cannot name"), std::string::npos);
}

// A folder a triple where kernels are for several architectures; the runtime takes its own.
TEST_F(KernelLibrary, HasAFolderForEachArchitecture) {
  const Architecture other = kThisArchitecture == kArm64 ? kX86_64 : kArm64;
  const std::string here = architecture_row(kThisArchitecture).triple, there = architecture_row(other).triple;
  for (const KernelSpec& spec : std::vector<KernelSpec>(request.specs)) {
    request.specs.push_back(spec);
    request.specs.back().isa = plainest_isa(other);
  }
  const std::string compiler = compiler_variable(other), archiver = "AR" + compiler.substr(2);

  setenv(compiler.c_str(), "no-such-compiler", 1);
  const std::string error = error_of_building();
  EXPECT_NE(error.find("there is no 'no-such-compiler'"), std::string::npos) << error;
  EXPECT_NE(error.find(std::string("apt install ") + architecture_row(other).compiler_package), std::string::npos) << error;

  // The stand-in's objects are this machine's.
  setenv(compiler.c_str(), target_tools(kThisArchitecture).compiler[0].c_str(), 1);
  setenv(archiver.c_str(), target_tools(kThisArchitecture).archiver[0].c_str(), 1);
  for (int times = 0; times < 2; ++times) build_kernel_library(request);  // it knows an earlier result for its own
  unsetenv(compiler.c_str());
  unsetenv(archiver.c_str());
  EXPECT_EQ(files(request.directory),
            (std::set<std::string>{"include/mine.h", "lib/cmake/mine/mineConfig.cmake", here + "/libmine.a",
                                   here + "/libmine.so", there + "/libmine.a", there + "/libmine.so", "manifest.json"}));
  void* module = dlopen((request.directory + "/" + here + "/libmine.so").c_str(), RTLD_NOW | RTLD_LOCAL);
  ASSERT_NE(module, nullptr) << dlerror();
  const auto* library = static_cast<const lookupffn_kernel_library*>(dlsym(module, LOOKUPFFN_KERNEL_LIBRARY_SYMBOL));
  ASSERT_NE(library, nullptr);
  ASSERT_EQ(library->kernel_count, request.specs.size() / 2);
  for (unsigned i = 0; i < library->kernel_count; ++i) EXPECT_EQ(library->kernels[i].isa, plainest_isa(kThisArchitecture));
  dlclose(module);
}

// A library of one kernel, whose record says that it was measured with a certain code.
class TunedKernelLibrary : public KernelLibrary {
 protected:
  TunedKernelLibrary() {
    request.specs = {request.specs.back()};
    request.schedules_dirs = {directory.file("out/schedules"), LOOKUPFFN_SCHEDULES};
    request.directory = directory.file("out/library");
    record_.spec = request.specs[0];
    const ScheduleSpace space = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of(record_.spec.kernel);
    record_.schedule = space.default_schedule(record_.spec);
    record_.threads = this_machine().threads;
    record_.tokens = 128;
    record_.provenance.cpu = this_machine().cpu;
    use_generator("");
  }

  // What the stand-in for the generator makes under another name, as the tuner would have measured it.
  std::string hash_of_measured() const {
    const std::string folder = directory.file("out/a/b");
    fs::create_directories(folder);
    std::vector<std::string> command = {request.generator, "-g", "gather", "-f", "tune_kernel_3", "-n",
                                        "tune_kernel_3",   "-o", folder,   "-e", "object",        "target=x"};
    for (const auto& pair : record_.spec.problem) command.push_back(pair.first);
    for (const auto& pair : record_.schedule) command.push_back(pair.first);
    EXPECT_TRUE(run_process(command).ok());
    return object_code_hash(folder + "/tune_kernel_3.o");
  }

  // Builds, and gives the kernel's entry of the manifest.
  nlohmann::json build(const std::string& object_hash) {
    record_.provenance.object_hash = object_hash;
    save_record(request.schedules_dirs[0], record_);
    result_ = build_kernel_library(request);
    EXPECT_EQ(result_.tuned, 1u);
    const nlohmann::json manifest = nlohmann::json::parse(read_file(request.directory + "/manifest.json"));
    void* module = dlopen((request.directory + "/libmine.so").c_str(), RTLD_NOW | RTLD_LOCAL);
    EXPECT_NE(module, nullptr) << dlerror();
    if (module != nullptr) {
      const auto* library = static_cast<const lookupffn_kernel_library*>(dlsym(module, LOOKUPFFN_KERNEL_LIBRARY_SYMBOL));
      EXPECT_EQ(library->kernels[0].provenance, manifest.at("kernels").at(0).at("provenance").get<std::string>());
      dlclose(module);
    }
    return manifest.at("kernels").at(0);
  }

  ScheduleRecord record_;
  KernelLibraryResult result_;
};

TEST_F(TunedKernelLibrary, TheMeasuredCodeIsNothingToSpeakOf) {
  const nlohmann::json kernel = build(hash_of_measured());
  EXPECT_EQ(kernel.at("measured_code"), "same");
  EXPECT_EQ(kernel.at("provenance").get<std::string>().find(';'), std::string::npos) << kernel;
  EXPECT_TRUE(result_.notes.empty()) << result_.notes[0];
}

TEST_F(TunedKernelLibrary, OtherCodeIsNoted) {
  const std::string hash = hash_of_measured();
  use_generator("arguments=$((arguments + 1))");  // a generator that makes other code of the same schedule
  const nlohmann::json kernel = build(hash);
  EXPECT_EQ(kernel.at("measured_code"), "other");
  EXPECT_NE(kernel.at("provenance").get<std::string>().find("; tuned on other code"), std::string::npos) << kernel;
  ASSERT_EQ(result_.notes.size(), 1u);
  EXPECT_EQ(result_.notes[0], "tuned/" + record_.spec.isa + "/" + record_file_name(record_.spec, this_machine().cpu) +
                                  " was tuned on other code (generator or compiler changed since): tune again");
}

TEST_F(TunedKernelLibrary, ARecordThatDoesNotSayIsUsed) {
  const nlohmann::json kernel = build("");
  EXPECT_EQ(kernel.at("measured_code"), "not recorded");
  EXPECT_NE(kernel.at("provenance").get<std::string>().find("; its measured code was not recorded"), std::string::npos)
      << kernel;
  EXPECT_TRUE(result_.notes.empty());
}

TEST_F(TunedKernelLibrary, InstrumentedCodeIsNotCompared) {
  request.sanitizer = "undefined";
  const nlohmann::json kernel = build("0123456789abcdef");
  EXPECT_EQ(kernel.at("measured_code"), "not compared: the kernel is instrumented for a sanitizer");
  EXPECT_TRUE(result_.notes.empty());
}

TEST_F(TunedKernelLibrary, AnotherIsasRecordIsNotCompared) {
  // An ISA that records of the one that it extends serve.
  const auto isa = std::find_if(std::begin(kIsas), std::end(kIsas), [](const IsaRow& row) {
    if (row.architecture != kThisArchitecture || !*row.extends) return false;
    const IsaRow extended = isa_row(row.extends);
    return row.vector_bytes == extended.vector_bytes && row.vector_registers == extended.vector_registers;
  });
  if (isa == std::end(kIsas)) GTEST_SKIP() << "no record of an ISA of this architecture serves another";
  record_.spec.isa = isa->extends;
  request.specs[0].isa = isa->name;
  record_.schedule = ScheduleSpaces({LOOKUPFFN_SCHEDULES}).of("gather").default_schedule(record_.spec);
  const nlohmann::json kernel = build("0123456789abcdef");
  EXPECT_EQ(kernel.at("measured_code"), "not compared: the record is for ISA " + record_.spec.isa);
  EXPECT_TRUE(result_.notes.empty());
}

TEST(Installation, NamedThingsMustBeThere) {
  EXPECT_THROW(find_generator("/no/such/generator"), std::runtime_error);
  EXPECT_EQ(find_generator("/bin/sh"), "/bin/sh");
  setenv("LOOKUPFFN_GENERATOR", "/bin/sh", 1);
  EXPECT_EQ(find_generator(""), "/bin/sh");
  setenv("LOOKUPFFN_GENERATOR", "/no/such/generator", 1);
  EXPECT_THROW(find_generator(""), std::runtime_error);
  unsetenv("LOOKUPFFN_GENERATOR");
  EXPECT_THROW(find_schedules({"/no/such/directory"}), std::runtime_error);
  const std::vector<std::string> directories = find_schedules({"/tmp"});
  ASSERT_EQ(directories.size(), 2u);
  EXPECT_EQ(directories[0], "/tmp");
  EXPECT_EQ(ScheduleSpaces({directories[1]}).of("gather").kernel(), "gather");
}

}  // namespace
}  // namespace lookupffn
