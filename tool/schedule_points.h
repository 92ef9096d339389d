// How many schedules a kernel can be generated with: `lookupffn schedules --points`.
#ifndef LOOKUPFFN_SCHEDULE_POINTS_H
#define LOOKUPFFN_SCHEDULE_POINTS_H

#include <string>
#include <vector>

#include "schedule_spaces.h"

namespace lookupffn {

// In a model's place: the kernels of training steps.
constexpr const char* kTrainingSteps = "training";

// Whose kernels, and for what.
struct PointsRequest {
  std::string
      model;        // a safetensors file, a workload's name, or a shape as `lookupffn tune --workload` takes it; kTrainingSteps
  std::string isa;  // as resolve_isas() takes it; "": the widest that runs here
  std::vector<std::string> table_types, projection_types;
  bool json = false;
};

// Prints a line for each kernel and batch class of the model's layers or of training steps, or an array of objects: how many
// points, that is legal schedules, its space has. Throws std::runtime_error.
void print_points(const PointsRequest& request, const ScheduleSpaces& spaces);

}  // namespace lookupffn
#endif
