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
  bool training = false;       // instead of the shapes' kernels those of training steps, which are of no shape
  std::vector<size_t> layers;  // of the model that have each of these shapes; empty: one each
  std::string isa;
  std::vector<size_t> tokens;  // a call; of each batch class the largest counts
  std::vector<std::string> table_types = {"f32"};
  std::string projection_type = "f32";
  std::vector<std::string> kernels;  // empty: all that the layers, or training steps, have
  size_t threads = 1;
  std::string objective = default_objective();  // that schedules are to be fast at: a name of objectives.h
  double budget_seconds = 0;                    // of the whole call, shared out as budget_shares() says; 0: none
  size_t trials = 0;                            // a kernel, those of a resumed log included; 0: no limit
  int jobs = 1;                                 // compilers that run at a time
  uint64_t seed = 1;
  std::string strategy = "model";
  std::vector<std::string> runners;  // see trial/boards.h; empty: this machine
  std::string log;
  bool resume = false;
  std::string out = "schedules";  // where records go: OUT/tuned/ISA/
  std::vector<std::string> schedules_dirs;
  TuneTools tools;
  double sample_seconds = 0.5;  // of timing a trial, at most
  bool write_defaults = false;  // also make what beat a default the starting point of its ISA: see starting_point_writer.h
};

// Which kernels a run tunes, each once, with the tokens that it is measured at.
struct TuneTarget {
  KernelSpec spec;
  size_t tokens;
  size_t layers = 0;  // that have it
};
std::vector<TuneTarget> tune_targets(const TuneOptions& options, const ScheduleSpaces& spaces);

// How a budget is shared out: of each target, by `us`, the microseconds that its default takes for a token (0: not known). Of a
// model's time at each of options.tokens every kernel has a part; a target's share is the mean of these parts, but a third of
// the budget is shared out evenly, so that none is left without. The shares of all are 1.
std::vector<double> budget_shares(const TuneOptions& options, const ScheduleSpaces& spaces,
                                  const std::vector<TuneTarget>& targets, const std::vector<double>& us);

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
