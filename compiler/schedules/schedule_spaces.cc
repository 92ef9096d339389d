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
      break;
    }
    // In the source tree a family's spaces are in its own folder.
    for (std::filesystem::directory_iterator family(directory + "/../generators", error), end; !error && family != end;
         family.increment(error)) {
      const std::string folder = family->path().string();
      if (!space && std::filesystem::exists(folder + "/" + kernel + ".space.json", error)) {
        space = std::make_unique<ScheduleSpace>(ScheduleSpace::load(folder, kernel));
      }
      error.clear();
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
