// What a schedule is to be fast at: where a kernel's tables and weights lie when it is called.
#ifndef LOOKUPFFN_OBJECTIVES_H
#define LOOKUPFFN_OBJECTIVES_H

#include <string>

namespace lookupffn {

enum class Objective { kHot, kCold, kBusy };

struct ObjectiveRow {
  Objective objective;
  const char* name;
  const char* meaning;
};

constexpr ObjectiveRow kObjectives[] = {
    {Objective::kHot, "hot", "calls follow each other: the caches hold what the last call left"},
    {Objective::kCold, "cold", "tables and weights are evicted from the caches before each call"},
    {Objective::kBusy, "busy", "a neighbour on another core reads memory all the time"},
};

// NULL for another name.
inline const ObjectiveRow* find_objective(const std::string& name) {
  for (const ObjectiveRow& row : kObjectives) {
    if (name == row.name) return &row;
  }
  return nullptr;
}

// Of records and logs that do not say theirs: they are older than the choice.
inline const char* default_objective() { return kObjectives[0].name; }

}  // namespace lookupffn
#endif
