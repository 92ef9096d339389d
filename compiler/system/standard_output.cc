#include "standard_output.h"

#include <errno.h>
#include <fcntl.h>
#include <unistd.h>

#include <cstdio>
#include <cstring>
#include <iostream>

namespace lookupffn {

void hold_standard_streams() {
  for (int stream = 0; stream <= 2; ++stream) {
    // open() gives the lowest number that is free. The wrong direction: what uses the stream gets an error.
    if (fcntl(stream, F_GETFD) < 0) open("/dev/null", stream == 0 ? O_WRONLY : O_RDONLY);
  }
}

int written_out(const std::string& program, int status) {
  const bool streamed = bool(std::cout.flush());
  const bool failed_before = std::ferror(stdout) != 0;
  const bool flushed = std::fflush(stdout) == 0;
  // Some file systems report a full disk when the file is closed; a copy, as the streams' destructors still come. Not every
  // system can make one.
  const int copy = flushed ? dup(fileno(stdout)) : -1;
  const bool closed = copy < 0 || close(copy) == 0;
  if (flushed && closed && !failed_before && streamed) return status;
  // The reason may be long forgotten: it is seen by trying again.
  const std::string reason = write(STDOUT_FILENO, "\n", 1) < 0 ? std::string(": ") + std::strerror(errno) : "";
  std::fprintf(stderr, "%s: standard output could not be written%s\n", program.c_str(), reason.c_str());
  return status != 0 ? status : 1;
}

}  // namespace lookupffn
