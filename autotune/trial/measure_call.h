// How the measuring program is asked, and what its answer means.
#ifndef LOOKUPFFN_MEASURE_CALL_H
#define LOOKUPFFN_MEASURE_CALL_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "objectives.h"

namespace lookupffn {

struct MeasureRequest {
  KernelSpec spec;
  size_t tokens = 1;  // a call; of the spec's batch class
  size_t threads = 1;
  std::string objective = default_objective();
  uint64_t seed = 1;
  int samples = 15;        // of each kernel, at most
  double seconds = 0.5;    // of timing, about
  double good = 0;         // candidates below this multiple of the incumbent are sampled three times as much
  double time_limit = 30;  // of everything
  bool may_end_early = true;
};

// The arguments of the measuring program: the smallest layer that calls a kernel of this problem, and how to measure.
std::vector<std::string> measure_arguments(const MeasureRequest& request);

struct Measurement {
  enum class Status {
    kOk,
    kIncorrect,
    kCrash,  // as it said itself before it died
    kTimeout,
    kUnfit,    // it could not measure anything there: not the candidate's fault
    kStarted,  // it began and was not heard of again
    kNothing,  // not a word
  };
  Status status = Status::kNothing;
  std::string reason;
  std::vector<double> incumbent, candidate;  // us a token, taken in turn, as many of each
  bool ended_early = false;
  std::map<std::string, double> counters;  // of the candidate, a token: see measure/hardware_counters.h
  std::string no_counters;                 // why there are none, or ""
  std::string cpu, caches;                 // of the machine that it ran on, as in Machine
  bool emulated = false;                   // it found itself under an emulator: cpu and caches are not the target's
  std::string board;                       // the --runner that it was measured by; "": this machine
  double seconds = 0;                      // that it took, all in all
};

// What a program's output says. Noise around and between its lines does not matter.
Measurement parse_measurement(const std::string& output);

}  // namespace lookupffn
#endif
