#include "progress.h"

#include <unistd.h>

#include <algorithm>
#include <chrono>
#include <cmath>

namespace lookupffn {
namespace {

constexpr auto kPlainInterval = std::chrono::seconds(10);

}  // namespace

std::string time_text(double seconds) {
  const long s = std::lround(std::max(0.0, seconds));
  if (s < 60) return std::to_string(s) + "s";
  if (s < 3600) return std::to_string(s / 60) + "m " + std::to_string(s % 60) + "s";
  return std::to_string(s / 3600) + "h " + std::to_string(s / 60 % 60) + "m";
}

std::string progress_line(const ProgressState& state) {
  char gain[32];
  std::snprintf(gain, sizeof gain, "%.2fx", state.best_gain);
  std::string line = "[" + std::to_string(state.kernel_index + 1) + "/" + std::to_string(state.kernel_count) + "] " +
                     state.kernel + ": " + std::to_string(state.trials) + " trials, best " + gain;
  std::string failed;
  for (const auto& [status, count] : state.failures) {
    if (count > 0) failed += (failed.empty() ? "" : ", ") + std::to_string(count) + " " + status_name(status);
  }
  if (!failed.empty()) line += ", failed: " + failed;
  if (state.all_boards > 1) line += ", " + std::to_string(state.boards) + " of " + std::to_string(state.all_boards) + " boards";
  if (state.seconds_left >= 0) line += ", " + time_text(state.seconds_left) + " left";
  return line;
}

Progress::Progress(std::FILE* out) : out_(out), terminal_(isatty(fileno(out)) != 0) {}

void Progress::update(const ProgressState& state) {
  const auto now = JumpProofClock::now();
  if (!terminal_ && any_ && now - last_ < kPlainInterval) return;
  any_ = true;
  last_ = now;
  const std::string line = progress_line(state);
  if (terminal_) {
    std::fprintf(out_, "\r\033[K%.140s", line.c_str());
    line_open_ = true;
  } else {
    std::fprintf(out_, "%s\n", line.c_str());
  }
  std::fflush(out_);
}

void Progress::say(const std::string& line) {
  if (line_open_) std::fputs("\r\033[K", out_);
  line_open_ = false;
  std::fprintf(out_, "%s\n", line.c_str());
  std::fflush(out_);
}

}  // namespace lookupffn
