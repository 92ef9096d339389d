#include "on_interrupt.h"

#include <fcntl.h>
#include <signal.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <stdexcept>
#include <utility>

namespace lookupffn {
namespace {

constexpr int kSignals[] = {SIGINT, SIGTERM};

// A handler may do next to nothing, so it wakes a thread through a pipe: with the signal's number, or 0 for the end.
int wake_pipe[2] = {-1, -1};

void on_signal(int signal) {
  const int saved = errno;
  const unsigned char number = static_cast<unsigned char>(signal);
  // Nothing is left to do where even this fails: the pipe is full, so the thread is awake.
  if (write(wake_pipe[1], &number, 1) < 0) {
  }
  errno = saved;
}

void wait_for_signal(const std::function<void()>& stop, const OwnedDirectory& temporary, const std::string& message) {
  unsigned char number = 0;
  while (read(wake_pipe[0], &number, 1) < 0 && errno == EINTR) {
  }
  if (number == 0) return;
  stop();
  temporary.remove();
  const std::string line = "\nlookupffn: interrupted (" + std::string(strsignal(number)) + "); " + message + "\n";
  if (write(STDERR_FILENO, line.data(), line.size()) < 0) {
    // Standard error is gone; the status still tells.
  }
  _exit(128 + number);
}

}  // namespace

OnInterrupt::OnInterrupt(std::function<void()> stop, const OwnedDirectory& temporary, std::string message) {
  if (pipe2(wake_pipe, O_CLOEXEC) != 0) throw std::runtime_error(std::string("cannot make a pipe: ") + std::strerror(errno));
  waiter_ = std::thread(
      [stop = std::move(stop), &temporary, message = std::move(message)] { wait_for_signal(stop, temporary, message); });
  struct sigaction action = {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  sigemptyset(&action.sa_mask);
  for (const int signal : kSignals) sigaction(signal, &action, nullptr);
}

OnInterrupt::~OnInterrupt() {
  for (const int signal : kSignals) ::signal(signal, SIG_DFL);
  on_signal(0);
  waiter_.join();
  for (int& end : wake_pipe) {
    close(end);
    end = -1;
  }
}

}  // namespace lookupffn
