// What is found about what a layer gave, and how much of it was judged.
#ifndef LOOKUPFFN_REFERENCE_VERDICT_H
#define LOOKUPFFN_REFERENCE_VERDICT_H

#include <cstddef>
#include <cstdint>
#include <vector>

namespace lookupffn::reference {

struct Verdict {
  size_t tokens = 0;             // with a finite x: of these all codes, scores and values of y were judged
  size_t not_finite_tokens = 0;  // whose x is not finite: their y must not be either
  size_t finite_y = 0;           // values of such y that are finite
  size_t codes = 0, undecided_codes = 0, wrong_codes = 0;  // undecided: with a |z| too near to zero to tell
  size_t values = 0;                                       // of y
  double score_error = 0, score_of_tolerance = 0;          // the largest of each
  double y_error = 0, y_of_tolerance = 0;

  // Whether there was something to judge: not all that there is of codes is undecided. Some stages give no codes, some no y.
  bool judged() const { return codes + values > 0 && (codes == 0 || codes > undecided_codes); }
  bool passed() const {
    return judged() && wrong_codes == 0 && finite_y == 0 && score_of_tolerance <= 1 && y_of_tolerance <= 1;
  }
};

// Results of the tokens x: code, score [tokens, lookups], y [tokens, d_out].
struct Results {
  std::vector<int32_t> code;
  std::vector<float> score, y;
};

}  // namespace lookupffn::reference
#endif
