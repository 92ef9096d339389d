// lookupffn tune --write-defaults: what beat the defaults becomes where kernels start from
// (compiler/schedules/starting_points.h).
#ifndef LOOKUPFFN_STARTING_POINT_WRITER_H
#define LOOKUPFFN_STARTING_POINT_WRITER_H

#include <string>
#include <vector>

#include "kernel_outcome.h"
#include "kernel_tuner.h"
#include "schedule_spaces.h"

namespace lookupffn {

// Outcomes whose kernels one row would serve (the same kernel, ISA, class and types, other shapes) are tried on each other's
// targets. The schedule with the best geometric mean of gains is written to OUT/defaults/KERNEL.json, in the place of the row
// that was there, unless it is slower than the default anywhere (by more than noise) or was measured in an emulator. Returns a
// line for each row: what was written, or why not. Throws std::runtime_error where a file cannot be read or written.
std::vector<std::string> write_starting_points(TuneRun& run, const std::vector<TuneTarget>& targets,
                                               const ScheduleSpaces& spaces, const std::vector<KernelOutcome>& outcomes);

}  // namespace lookupffn
#endif
