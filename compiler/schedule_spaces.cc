#include "schedule_spaces.h"

#include <filesystem>
#include <stdexcept>

namespace lookupffn {

const ScheduleSpace& ScheduleSpaces::of(const std::string& kernel) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<ScheduleSpace>& space = spaces_[kernel];
  std::string list;
  for (const std::string& directory : directories_) {
    if (space) break;
    std::error_code error;
    if (std::filesystem::exists(directory + "/" + kernel + ".space.json", error)) {
      space = std::make_unique<ScheduleSpace>(ScheduleSpace::load(directory, kernel));
    }
    list += (list.empty() ? "" : ", ") + directory;
  }
  if (!space) {
    throw std::runtime_error("there is no '" + kernel + ".space.json' in " + (list.empty() ? "any schedules directory" : list) +
                             ": name the directory with --schedules");
  }
  return *space;
}

}  // namespace lookupffn
