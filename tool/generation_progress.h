// What a command shows while it generates kernels.
#ifndef LOOKUPFFN_TOOL_GENERATION_PROGRESS_H
#define LOOKUPFFN_TOOL_GENERATION_PROGRESS_H

#include <unistd.h>

#include <chrono>
#include <cmath>
#include <cstdio>
#include <string>

namespace lookupffn {

// A line that is overwritten on a terminal, a line for each kernel elsewhere.
class GenerationProgress {
 public:
  explicit GenerationProgress(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) != 0) {}

  void operator()(size_t done, size_t total, const std::string& what) {
    if (done == 0) {
      std::fprintf(out_, "generating %zu kernels\n", total);
    } else {
      const double elapsed = std::chrono::duration<double>(Clock::now() - start_).count();
      const std::string count = "[" + std::to_string(done) + "/" + std::to_string(total) + "] ";
      if (terminal_) {
        const long left = std::lround(elapsed / double(done) * double(total - done));
        std::fprintf(out_, "\r\033[K%s%.90s, %ld s left%s", count.c_str(), what.c_str(), left, done == total ? "\n" : "");
      } else {
        std::fprintf(out_, "%s%s\n", count.c_str(), what.c_str());
      }
    }
    std::fflush(out_);
  }

 private:
  using Clock = std::chrono::steady_clock;
  const Clock::time_point start_ = Clock::now();
  std::FILE* out_;
  const bool terminal_;
};

}  // namespace lookupffn
#endif
