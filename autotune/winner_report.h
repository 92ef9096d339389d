// Why a schedule won: which parameters the time depends on, and what the hardware counted.
#ifndef LOOKUPFFN_WINNER_REPORT_H
#define LOOKUPFFN_WINNER_REPORT_H

#include <string>
#include <vector>

#include "trial/trial.h"

namespace lookupffn {

// What a kernel's time has to do with one parameter.
struct ParameterEffect {
  std::string name, best;  // best: the value of the fastest trial
  double share = 0;  // of the variance of log(cost) over all trials that ended well, the part between the parameter's values
  double worst_ratio = 1;  // the slowest value's mean cost over the fastest value's (geometric means)
};

// Of the trials of one kernel and number of tokens, the largest share first. Parameters that never changed are left out, and
// all of them where fewer than eight trials ended well.
std::vector<ParameterEffect> parameter_effects(const std::vector<Trial>& trials);

// Lines for people, a block a kernel: the effects that count (5 % of the variance) and, where they were read, the winner's
// counters: "4.1 instructions a cycle, ...". "" where there is nothing to say.
std::string winner_text(const std::vector<Trial>& trials);

// An SVG picture: for each kernel a bar a parameter.
std::string effects_picture(const std::vector<Trial>& trials);

}  // namespace lookupffn
#endif
