#include "transfer.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <limits>

#include "schedule_record.h"

namespace lookupffn {
namespace {

// How unlike two values of a parameter are: by their ratio for numbers, else the same or not.
double value_unlikeness(const std::string& a, const std::string& b) {
  if (a == b) return 0;
  char *end_a = nullptr, *end_b = nullptr;
  const double x = std::strtod(a.c_str(), &end_a), y = std::strtod(b.c_str(), &end_b);
  if (*end_a != '\0' || *end_b != '\0' || x <= 0 || y <= 0) return 2;
  return std::abs(std::log2(x / y));
}

double schedule_unlikeness(const Schedule& a, const Schedule& b) {
  double sum = 0;
  for (const auto& [name, value] : a) {
    const auto other = b.find(name);
    sum += other == b.end() ? 2 : value_unlikeness(value, other->second);
  }
  return sum;
}

}  // namespace

std::vector<KnownSchedule> recorded_schedules(const std::vector<std::string>& schedules_dirs, const ScheduleSpaces& spaces) {
  std::vector<KnownSchedule> known;
  for (const std::string& directory : schedules_dirs) {
    for (const std::string& path : record_files(directory)) {
      try {
        const ScheduleRecord record = load_record(path);
        known.push_back({record.spec, spaces.of(record.spec.kernel).completed(record.schedule)});
      } catch (const std::exception&) {
        // A hint that cannot be read is no hint; `lookupffn schedules` reports it.
      }
    }
  }
  return known;
}

double unlikeness(const KernelSpec& a, const KernelSpec& b) {
  if (a.kernel != b.kernel) return std::numeric_limits<double>::infinity();
  double sum = (a.isa == b.isa ? 0 : 3) + (a.batch_class == b.batch_class ? 0 : 2);
  for (const auto& [name, value] : a.problem) {
    const auto other = b.problem.find(name);
    sum += other == b.problem.end() ? 2 : std::min(2.0, value_unlikeness(value, other->second));
  }
  return sum;
}

std::vector<size_t> transferred_points(const LegalSchedules& space, const KernelSpec& spec,
                                       const std::vector<KnownSchedule>& known, size_t count) {
  std::vector<std::pair<double, const KnownSchedule*>> order;
  for (const KnownSchedule& schedule : known) {
    const double unlike = unlikeness(spec, schedule.spec);
    if (std::isfinite(unlike)) order.emplace_back(unlike, &schedule);
  }
  std::stable_sort(order.begin(), order.end(), [](const auto& a, const auto& b) { return a.first < b.first; });
  std::vector<size_t> points;
  for (const auto& [unlike, schedule] : order) {
    if (points.size() == count) break;
    size_t nearest = 0;
    if (const auto exact = space.find(schedule->schedule)) {
      nearest = *exact;
    } else {
      double least = std::numeric_limits<double>::infinity();
      for (size_t i = 0; i < space.size(); ++i) {
        const double d = schedule_unlikeness(space.point(i), schedule->schedule);
        if (d < least) {
          least = d;
          nearest = i;
        }
      }
    }
    if (std::find(points.begin(), points.end(), nearest) == points.end()) points.push_back(nearest);
  }
  return points;
}

}  // namespace lookupffn
