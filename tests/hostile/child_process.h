// Runs a part of a test in a process of its own, to see how that ends.
#ifndef LOOKUPFFN_TESTS_HOSTILE_CHILD_PROCESS_H
#define LOOKUPFFN_TESTS_HOSTILE_CHILD_PROCESS_H

#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <string>

namespace lookupffn::hostile {

// How a process ended, from what waitpid said: "exit 0", "signal 11 (Segmentation fault)".
inline std::string ending(int status) {
  if (WIFEXITED(status)) return "exit " + std::to_string(WEXITSTATUS(status));
  return "signal " + std::to_string(WTERMSIG(status)) + " (" + ::strsignal(WTERMSIG(status)) + ")";
}

constexpr int kThrew = 99;

// Runs `body`, which returns the exit status (kThrew where it throws), in a fork's child, which gets SIGALRM after `seconds`:
// "signal 14" is a child that hung.
template <class Body>
std::string ending_of_child(Body body, unsigned seconds = 60) {
  const pid_t child = ::fork();
  if (child < 0) return "no child";
  if (child == 0) {
    ::alarm(seconds);
    try {
      ::_exit(body());
    } catch (...) {
      ::_exit(kThrew);
    }
  }
  int status = 0;
  while (::waitpid(child, &status, 0) < 0 && errno == EINTR) {
  }
  return ending(status);
}

}  // namespace lookupffn::hostile
#endif
