#include "subprocess.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cstdio>
#include <cstdlib>

#include "jump_proof_clock.h"

namespace lookupffn {
namespace {

using Clock = JumpProofClock;  // a jump must not end a child that has its time still

// A pipe whose ends close with their owner, and in every child but through dup2.
struct Pipe {
  int ends[2] = {-1, -1};
  bool open() { return pipe2(ends, O_CLOEXEC) == 0; }
  void close_end(int end) {
    if (ends[end] >= 0) close(ends[end]);
    ends[end] = -1;
  }
  ~Pipe() {
    close_end(0);
    close_end(1);
  }
};

std::vector<std::string> child_environment(const std::vector<std::pair<std::string, std::string>>& additions) {
  std::vector<std::string> list;
  for (char** entry = environ; *entry != nullptr; ++entry) {
    const std::string text = *entry;
    const std::string name = text.substr(0, text.find('='));
    if (std::none_of(additions.begin(), additions.end(), [&](const auto& pair) { return pair.first == name; })) {
      list.push_back(text);
    }
  }
  for (const auto& [name, value] : additions) list.push_back(name + "=" + value);
  return list;
}

std::vector<char*> pointers(std::vector<std::string>* texts) {
  std::vector<char*> list;
  for (std::string& text : *texts) list.push_back(text.data());
  list.push_back(nullptr);
  return list;
}

// Everything that was open in the parent, so that neither its locks nor its pipes live on here.
void close_all_files() {
  if (syscall(SYS_close_range, 0u, ~0u, 0u) == 0) return;
  const long limit = sysconf(_SC_OPEN_MAX);
  for (int file = 0; file < (limit > 0 && limit < 65536 ? limit : 65536); ++file) close(file);
}

// The process between this one and the program: it leads the program's group and takes the whole group with
// it when this process dies, which a program's own children would survive. Ends as the program ends.
[[noreturn]] void guard(pid_t program, const sigset_t& awaited) {
  close_all_files();
  for (;;) {
    int number = 0;
    if (sigwait(&awaited, &number) != 0) continue;
    if (number == SIGTERM) kill(0, SIGKILL);  // the parent died; this process is in the group too
    int status = 0;
    if (waitpid(program, &status, WNOHANG) != program) continue;
    if (WIFEXITED(status)) _exit(WEXITSTATUS(status));
    // Die of the same signal, but leave no second core file.
    const rlimit none{0, 0};
    setrlimit(RLIMIT_CORE, &none);
    sigset_t empty;
    sigemptyset(&empty);
    signal(WTERMSIG(status), SIG_DFL);
    sigprocmask(SIG_SETMASK, &empty, nullptr);
    raise(WTERMSIG(status));
    _exit(127);
  }
}

// What runs between fork and exec: only async-signal-safe calls, since other threads of this process may
// have held any lock at the time of the fork.
[[noreturn]] void become(const char* program, char* const* argv, char* const* environment, const char* directory, pid_t parent,
                         int input, int out, int err, int report) {
  setpgid(0, 0);
  sigset_t awaited;
  sigemptyset(&awaited);
  sigaddset(&awaited, SIGTERM);
  sigaddset(&awaited, SIGCHLD);
  sigprocmask(SIG_SETMASK, &awaited, nullptr);
  prctl(PR_SET_PDEATHSIG, SIGTERM);
  if (getppid() != parent) _exit(127);  // it died before the prctl
  const pid_t guardian = getpid();
  const pid_t child = fork();
  if (child > 0) guard(child, awaited);
  int error = errno;
  if (child == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != guardian) _exit(127);
    sigset_t none;
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, nullptr);
    signal(SIGPIPE, SIG_DFL);
    if (directory[0] == '\0' || chdir(directory) == 0) {
      dup2(input, 0);
      dup2(out, 1);
      dup2(err, 2);
      execve(program, argv, environment);
    }
    error = errno;
  }
  const ssize_t ignored = write(report, &error, sizeof error);
  (void)ignored;
  _exit(127);
}

// Reads what is there; false at the end of the stream.
bool drain(int file, std::string* text, size_t limit) {
  char buffer[1 << 14];
  const ssize_t count = read(file, buffer, sizeof buffer);
  if (count < 0) return errno == EINTR || errno == EAGAIN;
  text->append(buffer, size_t(count));
  if (text->size() > 2 * limit) text->erase(0, text->size() - limit);
  return count > 0;
}

}  // namespace

std::string find_program(const std::string& name) {
  if (name.empty()) return "";
  if (name.find('/') != std::string::npos) return access(name.c_str(), X_OK) == 0 ? name : "";
  const char* path = std::getenv("PATH");
  std::string list = path != nullptr ? path : "/usr/local/bin:/usr/bin:/bin";
  for (size_t start = 0; start <= list.size();) {
    const size_t end = std::min(list.find(':', start), list.size());
    const std::string candidate = (end == start ? "." : list.substr(start, end - start)) + "/" + name;
    if (access(candidate.c_str(), X_OK) == 0) return candidate;
    start = end + 1;
  }
  return "";
}

ProcessResult run_process(const std::vector<std::string>& argv, const ProcessOptions& options) {
  ProcessResult result;
  const auto start = Clock::now();
  const auto not_started = [&](int error) {
    result.start_error = strerror(error);
    return result;
  };
  if (argv.empty()) return not_started(EINVAL);
  const std::string program = find_program(argv[0]);
  if (program.empty()) return not_started(access(argv[0].c_str(), F_OK) == 0 ? EACCES : ENOENT);
  std::vector<std::string> arguments = argv, environment = child_environment(options.environment);
  const std::vector<char*> argument_pointers = pointers(&arguments), environment_pointers = pointers(&environment);

  Pipe input, out, err, report;
  if (!input.open() || !out.open() || !err.open() || !report.open()) return not_started(errno);
  const pid_t parent = getpid();
  const pid_t child = fork();  // the guard; the program is its child
  if (child < 0) return not_started(errno);
  if (child == 0) {
    become(program.c_str(), argument_pointers.data(), environment_pointers.data(), options.working_directory.c_str(), parent,
           input.ends[0], out.ends[1], err.ends[1], report.ends[1]);
  }
  setpgid(child, child);  // in both, so that it is done whoever comes first
  input.close_end(0);
  out.close_end(1);
  err.close_end(1);
  report.close_end(1);

  int exec_error = 0;
  ssize_t reported;
  do reported = read(report.ends[0], &exec_error, sizeof exec_error);  // end of file: exec worked
  while (reported < 0 && errno == EINTR);
  if (reported == ssize_t(sizeof exec_error)) {
    waitpid(child, nullptr, 0);
    return not_started(exec_error);
  }

  // A child that does not read its input must not end this process.
  sigset_t pipe_signal, old_mask;
  sigemptyset(&pipe_signal);
  sigaddset(&pipe_signal, SIGPIPE);
  pthread_sigmask(SIG_BLOCK, &pipe_signal, &old_mask);
  fcntl(input.ends[1], F_SETFL, O_NONBLOCK);
  size_t written = 0;
  if (options.input.empty()) input.close_end(1);

  bool killed = false, reaped = false;
  int status = 0;
  Clock::time_point grace{};
  const auto kill_group = [&](ProcessResult::End why) {
    if (killed) return;
    killed = true;
    result.end = why;
    kill(-child, SIGKILL);
  };
  while (!reaped || out.ends[0] >= 0 || err.ends[0] >= 0) {
    const double elapsed = std::chrono::duration<double>(Clock::now() - start).count();
    if (!reaped && options.time_limit_seconds > 0 && elapsed >= options.time_limit_seconds) {
      kill_group(ProcessResult::End::kTimedOut);
    }
    if (!reaped && options.cancelled != nullptr && *options.cancelled) kill_group(ProcessResult::End::kCancelled);
    pollfd files[3] = {{out.ends[0], POLLIN, 0}, {err.ends[0], POLLIN, 0}, {input.ends[1], POLLOUT, 0}};
    const bool streams_ended = out.ends[0] < 0 && err.ends[0] < 0;
    int wait_ms = streams_ended ? 2 : 50;
    if (options.time_limit_seconds > 0 && !killed) {
      wait_ms = std::clamp(int((options.time_limit_seconds - elapsed) * 1000) + 1, 1, wait_ms);
    }
    if (poll(files, 3, wait_ms) > 0) {
      if (files[0].revents != 0 && !drain(out.ends[0], &result.out, options.output_limit)) out.close_end(0);
      if (files[1].revents != 0 && !drain(err.ends[0], &result.err, options.output_limit)) err.close_end(0);
      if (files[2].revents != 0) {
        const ssize_t count = write(input.ends[1], options.input.data() + written, options.input.size() - written);
        if (count > 0) written += size_t(count);
        if ((count < 0 && errno != EAGAIN && errno != EINTR) || written == options.input.size()) input.close_end(1);
      }
    }
    // A grandchild that outlives the child may hold the pipes open: what was said by then is enough. It has been read
    // at least once since, however late it is.
    if (reaped && Clock::now() > grace) break;
    if (!reaped && waitpid(child, &status, WNOHANG) == child) {
      reaped = true;
      grace = Clock::now() + std::chrono::milliseconds(200);
    }
  }
  // Whatever it left running in its group goes with it.
  kill(-child, SIGKILL);

  const timespec now{0, 0};
  while (sigtimedwait(&pipe_signal, nullptr, &now) > 0) {
  }
  pthread_sigmask(SIG_SETMASK, &old_mask, nullptr);

  for (std::string* text : {&result.out, &result.err}) {
    if (text->size() > options.output_limit) text->erase(0, text->size() - options.output_limit);
  }
  result.seconds = std::chrono::duration<double>(Clock::now() - start).count();
  if (killed) return result;
  if (WIFSIGNALED(status)) {
    result.end = ProcessResult::End::kSignalled;
    result.signal = WTERMSIG(status);
  } else {
    result.end = ProcessResult::End::kExited;
    result.exit_status = WEXITSTATUS(status);
  }
  return result;
}

std::string ProcessResult::what_happened() const {
  char text[64];
  switch (end) {
    case End::kExited:
      return "exit status " + std::to_string(exit_status);
    case End::kSignalled:
      return "killed by signal " + std::to_string(signal) + " (" + strsignal(signal) + ")";
    case End::kTimedOut:
      std::snprintf(text, sizeof text, "killed after %.3g s, its time limit", seconds);
      return text;
    case End::kCancelled:
      return "cancelled";
    case End::kNotStarted:
      break;
  }
  return "could not be started: " + start_error;
}

}  // namespace lookupffn
