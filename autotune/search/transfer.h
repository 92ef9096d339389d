// Schedules that did well elsewhere, as places to start from.
#ifndef LOOKUPFFN_TRANSFER_H
#define LOOKUPFFN_TRANSFER_H

#include <cstddef>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "legal_schedules.h"
#include "schedule.h"
#include "schedule_spaces.h"

namespace lookupffn {

struct KnownSchedule {
  KernelSpec spec;  // what it was found for
  Schedule schedule;
};

// The schedules of all records in these directories that can be read, of every ISA and shape, completed by their spaces.
std::vector<KnownSchedule> recorded_schedules(const std::vector<std::string>& schedules_dirs, const ScheduleSpaces& spaces);

// How unlike two kernels are, 0 for the same; infinite for different generators.
double unlikeness(const KernelSpec& a, const KernelSpec& b);

// Points of the space for what is known of the kernels most like this one, the likest first, no repeats, at
// most `count`. A schedule that is no legal point here stands for the point that differs from it least.
std::vector<size_t> transferred_points(const LegalSchedules& space, const KernelSpec& spec,
                                       const std::vector<KnownSchedule>& known, size_t count);

}  // namespace lookupffn
#endif
