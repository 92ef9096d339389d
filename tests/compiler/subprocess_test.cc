#include "subprocess.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <cstdlib>
#include <thread>

#include "atomic_file.h"
#include "scratch_folder.h"

namespace lookupffn {
namespace {

using End = ProcessResult::End;

// True once the process is gone (a zombie that nobody reaps counts as gone), waiting a while for it.
bool is_gone(pid_t process) {
  for (int attempt = 0; attempt < 200; ++attempt) {
    if (kill(process, 0) != 0) return true;
    try {
      const std::string status = read_file("/proc/" + std::to_string(process) + "/stat");
      if (status.find(") Z") != std::string::npos) return true;
    } catch (const std::runtime_error&) {
      return true;
    }
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
  }
  return false;
}

TEST(Subprocess, OutputAndStatus) {
  const ProcessResult result = run_process({"sh", "-c", "echo out; echo err >&2; exit 3"});
  EXPECT_EQ(result.end, End::kExited);
  EXPECT_EQ(result.exit_status, 3);
  EXPECT_EQ(result.out, "out\n");
  EXPECT_EQ(result.err, "err\n");
  EXPECT_FALSE(result.ok());
  EXPECT_EQ(result.what_happened(), "exit status 3");
  EXPECT_TRUE(run_process({"true"}).ok());
}

TEST(Subprocess, ArgumentsReachTheProgramAsTheyAre) {
  EXPECT_EQ(run_process({"printf", "%s|", "a b", "$HOME", "", "'\";*"}).out, "a b|$HOME||'\";*|");
}

TEST(Subprocess, CrashIsToldFromExit) {
  const ProcessResult result = run_process({"sh", "-c", "kill -SEGV $$"});
  EXPECT_EQ(result.end, End::kSignalled);
  EXPECT_EQ(result.signal, SIGSEGV);
  EXPECT_NE(result.what_happened().find("signal 11"), std::string::npos);
}

TEST(Subprocess, NotStarted) {
  ScratchFolder directory;
  EXPECT_EQ(run_process({"no-such-program-here"}).end, End::kNotStarted);
  EXPECT_EQ(run_process({}).end, End::kNotStarted);
  write_file_atomically(directory.file("text"), "no program");
  const ProcessResult result = run_process({directory.file("text")});
  EXPECT_EQ(result.end, End::kNotStarted);
  EXPECT_EQ(result.what_happened(), "could not be started: Permission denied");
  ProcessOptions options;
  options.working_directory = directory.file("absent");
  EXPECT_EQ(run_process({"true"}, options).end, End::kNotStarted);
}

TEST(Subprocess, TimeLimitKillsTheWholeGroup) {
  ScratchFolder directory;
  ProcessOptions options;
  options.time_limit_seconds = 0.3;
  options.working_directory = directory.path();
  const ProcessResult result =
      run_process({"sh", "-c", "trap '' TERM INT; sleep 100 & echo $! > grandchild; echo started; wait"}, options);
  EXPECT_EQ(result.end, End::kTimedOut);
  EXPECT_GE(result.seconds, 0.3);
  EXPECT_LT(result.seconds, 10);
  EXPECT_EQ(result.out, "started\n");
  EXPECT_TRUE(is_gone(std::atoi(read_file(directory.file("grandchild")).c_str())));
}

TEST(Subprocess, CancelledFromAnotherThread) {
  std::atomic<bool> cancelled{false};
  ProcessOptions options;
  options.cancelled = &cancelled;
  std::thread canceller([&] {
    std::this_thread::sleep_for(std::chrono::milliseconds(100));
    cancelled = true;
  });
  const ProcessResult result = run_process({"sleep", "100"}, options);
  canceller.join();
  EXPECT_EQ(result.end, End::kCancelled);
  EXPECT_LT(result.seconds, 10);
}

TEST(Subprocess, InputEnvironmentAndDirectory) {
  ScratchFolder directory;
  ProcessOptions options;
  options.input = std::string(1 << 20, 'x');
  EXPECT_EQ(run_process({"wc", "-c"}, options).out, "1048576\n");
  EXPECT_TRUE(run_process({"true"}, options).ok());  // does not read it
  options.input.clear();
  EXPECT_EQ(run_process({"wc", "-c"}, options).out, "0\n");
  options.environment = {{"LOOKUPFFN_TEST_VARIABLE", "a=b c"}};
  options.working_directory = directory.path();
  EXPECT_EQ(run_process({"sh", "-c", "echo \"$LOOKUPFFN_TEST_VARIABLE\"; pwd -P"}, options).out,
            "a=b c\n" + directory.path() + "\n");
}

TEST(Subprocess, KeepsTheEndOfLongOutput) {
  ProcessOptions options;
  options.output_limit = 1000;
  const ProcessResult result = run_process({"sh", "-c", "seq 1 100000; echo last"}, options);
  EXPECT_EQ(result.out.size(), 1000u);
  EXPECT_EQ(result.out.substr(995), "last\n");
}

TEST(Subprocess, ABackgroundProcessDoesNotHoldItUp) {
  const ProcessResult result = run_process({"sh", "-c", "sleep 100 & echo done"});
  EXPECT_TRUE(result.ok());
  EXPECT_EQ(result.out, "done\n");
  EXPECT_LT(result.seconds, 10);
}

TEST(Subprocess, ManyAtATime) {
  std::vector<std::thread> threads;
  std::atomic<int> good{0};
  for (int i = 0; i < 8; ++i) {
    threads.emplace_back([i, &good] {
      for (int k = 0; k < 10; ++k) {
        const std::string text = std::to_string(i * 100 + k);
        good += run_process({"echo", text}).out == text + "\n";
      }
    });
  }
  for (std::thread& thread : threads) thread.join();
  EXPECT_EQ(good, 80);
}

TEST(Subprocess, ChildDiesWithItsParent) {
  ScratchFolder directory;
  const pid_t parent = fork();
  if (parent == 0) {
    ProcessOptions options;
    options.working_directory = directory.path();
    run_process({"sh", "-c", "echo $$ > starting; mv starting child; exec sleep 100"}, options);
    _exit(0);
  }
  pid_t child = 0;
  for (int attempt = 0; attempt < 500 && child == 0; ++attempt) {
    std::this_thread::sleep_for(std::chrono::milliseconds(20));
    if (access((directory.file("child")).c_str(), F_OK) == 0) child = std::atoi(read_file(directory.file("child")).c_str());
  }
  ASSERT_GT(child, 0);
  ASSERT_EQ(kill(child, 0), 0);
  kill(parent, SIGKILL);
  waitpid(parent, nullptr, 0);
  EXPECT_TRUE(is_gone(child));
}

TEST(Subprocess, FindsPrograms) {
  EXPECT_NE(find_program("sh"), "");
  EXPECT_EQ(find_program("/bin/sh"), "/bin/sh");
  EXPECT_EQ(find_program("no-such-program-here"), "");
  EXPECT_EQ(find_program("/no/such/program"), "");
  EXPECT_EQ(find_program(""), "");
}

}  // namespace
}  // namespace lookupffn
