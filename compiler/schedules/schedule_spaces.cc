#include "schedule_spaces.h"

#include <algorithm>
#include <filesystem>
#include <stdexcept>

#include "atomic_file.h"

namespace lookupffn {

std::vector<std::string> space_folders(const std::string& schedules_dir) {
  std::vector<std::string> folders = {schedules_dir};
  std::error_code error;
  for (std::filesystem::directory_iterator family(schedules_dir + "/../generators", error), end; !error && family != end;
       family.increment(error)) {
    folders.push_back(family->path().string());
  }
  std::sort(folders.begin() + 1, folders.end());
  return folders;
}

const ScheduleSpace& ScheduleSpaces::of(const std::string& kernel) const {
  std::lock_guard<std::mutex> lock(mutex_);
  std::unique_ptr<ScheduleSpace>& space = spaces_[kernel];
  std::string list;
  for (const std::string& directory : directories_) {
    for (const std::string& folder : space_folders(directory)) {
      std::error_code error;
      if (space || !std::filesystem::exists(folder + "/" + kernel + ".space.json", error)) continue;
      space = std::make_unique<ScheduleSpace>(ScheduleSpace::load(folder, kernel));
      const std::string points = starting_points_path(directory, kernel);
      if (std::filesystem::exists(points, error)) space->add_starting_points(read_file(points), points);
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
