// What a recorded run says of settings that it does not hold: the model's time, corrected by how far off the model was where
// the run is most like them.
#ifndef LOOKUPFFN_PREDICTION_H
#define LOOKUPFFN_PREDICTION_H

#include <string>
#include <vector>

#include "kernel_time.h"

namespace lookupffn::what_if {

// One time of a run of lookupffn_compare.
struct Recorded {
  Setting setting;
  std::string part;  // "hash", "gather", "all"
  double us = 0;     // a token
};

// This library's times of a file that lookupffn_compare wrote (--json). Throws std::runtime_error, naming `name`, where there
// are none or something is damaged.
std::vector<Recorded> parse_run(const std::string& text, const std::string& name);
std::vector<Recorded> load_run(const std::string& path);

struct Prediction {
  double us = 0;         // a token
  double factor = 0;     // what the model's time was multiplied with
  std::string bound_by;  // the largest term
};

class Predictor {
 public:
  // `run` was recorded on `machine`. Throws std::runtime_error where it is empty.
  Predictor(std::vector<Recorded> run, const MachineDescription& machine);

  // Throws std::runtime_error where the run has no time of that part.
  Prediction predict(const std::string& part, const Setting& setting, const MachineDescription& machine) const;

 private:
  struct Point {
    Recorded recorded;
    double factor;  // measured over model
  };
  std::vector<Point> points_;
};

// How far predictions are off, as a share of what was measured.
struct Accuracy {
  size_t points = 0;
  std::vector<double> errors;  // of each, the smallest first
  double median = 0, worst = 0;
  std::string worst_at;  // the setting
};
Accuracy accuracy(const Predictor& predictor, const std::vector<Recorded>& measured, const MachineDescription& machine);

// "gather, small512_t128..., avx2, f32 tables, 64 tokens, 1 thread"
std::string describe(const Recorded& recorded);

}  // namespace lookupffn::what_if
#endif
