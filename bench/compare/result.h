// What the comparison found, and the ways to show it.
#ifndef LOOKUPFFN_BENCH_RESULT_H
#define LOOKUPFFN_BENCH_RESULT_H

#include <cstddef>
#include <string>
#include <vector>

namespace lookupffn::bench {

struct Result {
  std::string family, workload, codes;
  std::string unit;        // what a time is given for: "token", "bag of 20 ids"
  size_t tokens, threads;  // tokens, or bags, a call
  std::string isa;
  std::string table_type, projection_type;  // of other contenders than ours: the type of their weights
  std::string contender, part;
  bool ours;
  double us_per_token;  // median; of a bag where the unit is one
  double spread;        // (third quartile - first quartile) / median
  double gflops;        // products of the contender's own formula, padding excluded
  double gbytes_per_s;  // weights read: once a call; table rows: once a token
  double bound;         // us a token that the machine would allow; 0 where not known
  std::string bound_by;
  std::string schedule;

  double bound_fraction() const { return bound / us_per_token; }
  // Faster than the bound by more than noise: then the bound is wrong, and says so.
  bool beats_bound() const { return bound_fraction() > 1.03; }
  // "lookupffn f32 gather", "lookupffn i8/bf16" (projection in bf16), "onednn_bf16"
  std::string label() const;
};

std::string json_of(const std::vector<Result>& results);

// One table for results of one number of tokens, ratios against the first of ours with the same part.
std::string table_of(const std::vector<Result>& results);

// A picture (SVG) of microseconds a token, a panel for each number of tokens, whole layers only; parts where
// there is nothing else.
std::string plot_of(const std::vector<Result>& results);

}  // namespace lookupffn::bench
#endif
