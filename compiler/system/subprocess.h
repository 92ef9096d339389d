// Runs a program as a child: no shell, a process group of its own, killed when this process dies.
#ifndef LOOKUPFFN_SUBPROCESS_H
#define LOOKUPFFN_SUBPROCESS_H

#include <atomic>
#include <cstddef>
#include <string>
#include <utility>
#include <vector>

namespace lookupffn {

struct ProcessOptions {
  double time_limit_seconds = 0;                                 // 0: none. Then the whole process group is killed
  const std::atomic<bool>* cancelled = nullptr;                  // turning true kills the child; polled every 50 ms
  std::string working_directory;                                 // "": this process's
  std::vector<std::pair<std::string, std::string>> environment;  // set in addition to this process's
  std::string input;                                             // for its standard input, which is then closed
  size_t output_limit = 1 << 20;                                 // bytes kept of stdout and of stderr each: the last ones
};

struct ProcessResult {
  enum class End { kExited, kSignalled, kTimedOut, kCancelled, kNotStarted };
  End end = End::kNotStarted;
  int exit_status = -1;     // kExited
  int signal = 0;           // kSignalled
  std::string start_error;  // kNotStarted: "No such file or directory"
  std::string out, err;
  double seconds = 0;

  bool ok() const { return end == End::kExited && exit_status == 0; }
  // "exit status 3", "killed by signal 11 (Segmentation fault)", "killed after 10 s", ...
  std::string what_happened() const;
};

// Runs argv[0] (looked up in PATH where it has no '/') and waits for it to end. Threads may call it at the
// same time. The child and its own children get SIGKILL when the calling thread or process dies, however it
// dies, and whatever the child leaves running when it ends gets it then.
ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options = {});

// The path of a program: itself where it has a '/' and can be executed, else found in PATH. "" if not there.
std::string find_program(const std::string& name);

}  // namespace lookupffn
#endif
