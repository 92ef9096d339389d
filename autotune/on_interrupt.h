// What a tuner that is interrupted (Ctrl-C, SIGTERM) still does: it removes its files and says how to go on.
#ifndef LOOKUPFFN_ON_INTERRUPT_H
#define LOOKUPFFN_ON_INTERRUPT_H

#include <functional>
#include <string>
#include <thread>

#include "owned_directory.h"

namespace lookupffn {

// While one exists, SIGINT and SIGTERM call `stop` from a thread of its own, remove the directory `temporary`, print
// `message` on standard error and end the program with status 128 + signal. Children die with it, see
// subprocess.h. One at a time.
class OnInterrupt {
 public:
  OnInterrupt(std::function<void()> stop, const OwnedDirectory& temporary, std::string message);
  ~OnInterrupt();
  OnInterrupt(const OnInterrupt&) = delete;
  OnInterrupt& operator=(const OnInterrupt&) = delete;

 private:
  std::thread waiter_;
};

}  // namespace lookupffn
#endif
