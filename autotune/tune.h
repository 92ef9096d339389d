// The tuner: for every kernel of the given layers, search, measure, confirm, record.
#ifndef LOOKUPFFN_TUNE_H
#define LOOKUPFFN_TUNE_H

#include <cstddef>
#include <cstdint>
#include <cstdio>
#include <string>
#include <vector>

#include "compiler_family.h"
#include "objectives.h"
#include "report.h"
#include "trial/candidate_build.h"

namespace lookupffn {

struct TuneOptions {
  std::string subject;  // what is tuned, for the log: the workload's name or the model's path
  std::vector<LayerShape> shapes;
  std::string isa;
  std::vector<size_t> tokens = {1, 8, 64, 2048};  // a call; of each batch class the largest counts
  std::vector<std::string> table_types = {"f32"};
  std::string projection_type = "f32";
  std::vector<std::string> kernels;  // empty: all that the layers have
  size_t threads = 1;
  std::string objective = default_objective();  // that schedules are to be fast at: a name of objectives.h
  double budget_seconds = 0;  // of the whole call; 0: none
  size_t trials = 0;          // a kernel, those of a resumed log included; 0: no limit
  int jobs = 1;               // compilers that run at a time
  uint64_t seed = 1;
  std::string strategy = "model";
  std::vector<std::string> runners;  // see trial/boards.h; empty: this machine
  std::string log;
  bool resume = false;
  std::string out = "schedules";  // where records go: OUT/tuned/ISA/
  std::vector<std::string> schedules_dirs;
  TuneTools tools;
  double sample_seconds = 0.5;  // of timing a trial, at most
};

// Which kernels a run tunes, each once, with the tokens that it is measured at.
struct TuneTarget {
  KernelSpec spec;
  size_t tokens;
};
std::vector<TuneTarget> tune_targets(const TuneOptions& options, const ScheduleSpaces& spaces);

struct TuneResult {
  std::vector<KernelOutcome> outcomes;
  std::string picture;  // path of the SVG; "" where a file of somebody's stands there
};

// Runs to the end of the budget or of the trials, showing progress on `out`. Throws std::runtime_error, one
// line, where it cannot go on at all: the log cannot be used, nothing can be written, the target measures
// nothing.
TuneResult tune(const TuneOptions& options, std::FILE* out);

}  // namespace lookupffn
#endif
