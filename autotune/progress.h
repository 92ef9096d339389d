// What a tuning run shows while it works.
#ifndef LOOKUPFFN_PROGRESS_H
#define LOOKUPFFN_PROGRESS_H

#include <cstdio>
#include <map>
#include <string>

#include "jump_proof_clock.h"
#include "trial/trial.h"

namespace lookupffn {

struct ProgressState {
  std::string kernel;  // "gather small, 64 tokens, i8"
  size_t kernel_index = 0, kernel_count = 1;
  size_t trials = 0;                       // of this kernel
  double best_gain = 1;                    // over the default
  std::map<TrialStatus, size_t> failures;  // of the whole run
  size_t boards = 1, all_boards = 1;       // in use, and that there were
  double seconds_left = 0;                 // of the budget; negative: no limit
};

// One line, without its end: "[2/6] gather small: 34 trials, best 1.42x, failed: 1 crash, 3m 20s left".
std::string progress_line(const ProgressState& state);
std::string time_text(double seconds);  // "3m 20s"

// On a terminal one line that is updated; elsewhere plain lines, one every few seconds.
class Progress {
 public:
  explicit Progress(std::FILE* out);
  void update(const ProgressState& state);
  // A line that stays.
  void say(const std::string& line);

 private:
  std::FILE* out_;
  bool terminal_;
  bool line_open_ = false;
  JumpProofClock::time_point last_;
  bool any_ = false;
};

}  // namespace lookupffn
#endif
