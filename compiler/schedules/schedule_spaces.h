// The schedule spaces of all kernels.
#ifndef LOOKUPFFN_SCHEDULE_SPACES_H
#define LOOKUPFFN_SCHEDULE_SPACES_H

#include <map>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "schedule_space.h"

namespace lookupffn {

// Where a schedules directory's spaces are: in the directory itself, and in the source tree, whose schedules/ holds tuned
// records alone, in the families' folders, generators/NAME, sorted.
std::vector<std::string> space_folders(const std::string& schedules_dir);

// Spaces are read when they are first asked for, then kept. Thread-safe.
class ScheduleSpaces {
 public:
  explicit ScheduleSpaces(std::vector<std::string> schedules_dirs) : directories_(std::move(schedules_dirs)) {}

  const std::vector<std::string>& directories() const { return directories_; }

  // The space of a kernel, from the first of the directories that has one, with the starting points that this directory has.
  // Throws std::runtime_error where none has, or where it cannot be read.
  const ScheduleSpace& of(const std::string& kernel) const;

 private:
  const std::vector<std::string> directories_;
  mutable std::mutex mutex_;
  mutable std::map<std::string, std::unique_ptr<ScheduleSpace>> spaces_;
};

}  // namespace lookupffn
#endif
