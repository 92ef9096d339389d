// The program `lookupffn` in a folder of the test's own, with temporary files, compilers and mounts as a test
// wants them.
#ifndef LOOKUPFFN_TESTS_HOSTILE_TOOL_IN_FOLDER_H
#define LOOKUPFFN_TESTS_HOSTILE_TOOL_IN_FOLDER_H

#include <fcntl.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <filesystem>
#include <functional>
#include <set>
#include <string>
#include <thread>
#include <vector>

#include "atomic_file.h"
#include "plainest_isa.h"
#include "scratch_folder.h"
#include "subprocess.h"

namespace lookupffn {

class ToolInFolder : public testing::Test {
 protected:
  ToolInFolder() {
    std::filesystem::create_directories(folder_.file("tmp"));
    std::filesystem::create_directories(folder_.file("work"));
    // A generator that is quick, and whose kernels do nothing.
    generator_ = script("generator",
                        "while [ $# -gt 0 ]; do case $1 in -f) f=$2;; -o) o=$2;; esac; shift; done\n"
                        "echo \"int ${f}_argv(void **a) { (void)a; return 0; }\" >\"$o/$f.c\"\n"
                        "exec cc -fPIC -c \"$o/$f.c\" -o \"$o/$f.o\"\n");
  }

  std::string script(const std::string& name, const std::string& body) const {
    const std::string path = folder_.file(name);
    write_file_atomically(path, "#!/bin/sh\n" + body);
    chmod(path.c_str(), 0755);
    return path;
  }

  std::vector<std::string> build_arguments(const std::string& out) const {
    return {"build", "--shape", "d_in=64 tables=4", "--isa", "avx2", "--name", "mine", "--generator", generator_, "--out", out};
  }

  // One trial of a kernel; with the quick generator the default fails, which ends it at once.
  std::vector<std::string> tune_arguments(const std::vector<std::string>& more = {}) const {
    std::vector<std::string> all = {"tune",
                                    "--workload",
                                    "d_in=32 tables=4 bits=3 block=16",
                                    "--isa",
                                    plainest_isa(kThisArchitecture),
                                    "--kernels",
                                    "gather",
                                    "--tokens",
                                    "8",
                                    "--trials",
                                    "1",
                                    "--generator",
                                    generator_,
                                    "--out",
                                    folder_.file("schedules")};
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }

  ProcessResult run(const std::vector<std::string>& argv) const {
    ProcessOptions options;
    options.time_limit_seconds = 60;
    options.working_directory = folder_.file("work");
    options.environment = {{"TMPDIR", folder_.file("tmp")}, {"LOOKUPFFN_KERNEL_CACHE", ""}, {"LOOKUPFFN_ISA", ""}};
    return run_process(argv, options);
  }

  ProcessResult tool(std::vector<std::string> arguments) const {
    arguments.insert(arguments.begin(), LOOKUPFFN_TEST_TOOL);
    return run(arguments);
  }

  // It fails by itself, soon, in one line that says `words`.
  static void expect_failure(const ProcessResult& result, const std::vector<std::string>& words) {
    SCOPED_TRACE(result.what_happened() + ": " + result.err);
    EXPECT_EQ(result.end, ProcessResult::End::kExited);
    EXPECT_NE(result.exit_status, 0);
    EXPECT_EQ(std::count(result.err.begin(), result.err.end(), '\n'), 1) << "lines";
    for (const std::string& word : words)
      EXPECT_NE(result.err.find(word), std::string::npos) << "does not say '" << word << "'";
  }

  // Starts the tool and does not wait. `prefix`: words before it.
  pid_t start(const std::vector<std::string>& arguments, const std::vector<std::string>& prefix = {}) const {
    std::vector<std::string> argv = prefix;
    argv.push_back(LOOKUPFFN_TEST_TOOL);
    argv.insert(argv.end(), arguments.begin(), arguments.end());
    const std::string program = find_program(argv[0]);
    const pid_t child = fork();
    if (child == 0) {
      setenv("TMPDIR", folder_.file("tmp").c_str(), 1);
      setenv("LOOKUPFFN_KERNEL_CACHE", "", 1);
      const int nowhere = open("/dev/null", O_RDWR);
      for (const int file : {0, 1, 2}) dup2(nowhere, file);
      if (chdir(folder_.file("work").c_str()) != 0) _exit(126);
      std::vector<char*> pointers;
      for (std::string& word : argv) pointers.push_back(word.data());
      pointers.push_back(nullptr);
      execv(program.c_str(), pointers.data());
      _exit(127);
    }
    return child;
  }

  static bool wait_until(const std::function<bool()>& done) {
    for (int i = 0; i < 1500 && !done(); ++i) std::this_thread::sleep_for(std::chrono::milliseconds(20));
    return done();
  }

  // Runs a command line for sh with a new tmpfs at FOLDER/disk, seen by it alone. A result that was not
  // started: mounting is not for this user.
  ProcessResult on_disk(const std::string& mount_options, const std::string& command) const {
    std::filesystem::create_directories(folder_.file("disk"));
    const std::vector<std::string> unshare =
        geteuid() == 0 ? std::vector<std::string>{"unshare", "-m"} : std::vector<std::string>{"unshare", "-r", "-m"};
    const std::string mount = "mount -t tmpfs -o " + mount_options + " none '" + folder_.file("disk") + "'";
    const auto with = [&](const std::string& line) {
      std::vector<std::string> argv = unshare;
      argv.insert(argv.end(), {"sh", "-c", line});
      return run(argv);
    };
    if (!with(mount).ok()) return {};
    return with(mount + " && " + command);
  }

  static bool could_not_mount(const ProcessResult& result) { return result.end == ProcessResult::End::kNotStarted; }

  static std::string quoted(const std::vector<std::string>& argv) {
    std::string line = "'" LOOKUPFFN_TEST_TOOL "'";
    for (const std::string& word : argv) line += " '" + word + "'";
    return line;
  }

  static std::set<std::string> names_in(const std::string& directory) {
    std::set<std::string> names;
    for (const auto& entry : std::filesystem::directory_iterator(directory)) names.insert(entry.path().filename().string());
    return names;
  }

  ScratchFolder folder_;
  std::string generator_;
};

}  // namespace lookupffn
#endif
