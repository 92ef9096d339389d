// The points that a search chooses from: legal schedules of one kernel, all of them or some, to which more are added.
#ifndef LOOKUPFFN_LEGAL_SCHEDULES_H
#define LOOKUPFFN_LEGAL_SCHEDULES_H

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "schedule.h"

namespace lookupffn {

// Not thread-safe while points are added.
class LegalSchedules {
 public:
  // Parameters and their values are those that occur in the points; every point has the same parameters.
  // Throws std::invalid_argument where one lacks a parameter, or where there is no point at all.
  explicit LegalSchedules(std::vector<Schedule> points);

  // Gives a point that is not there yet the next index. Throws as the constructor does.
  void add(const Schedule& point);

  size_t size() const { return points_.size(); }
  size_t parameter_count() const { return parameters_.size(); }
  const Schedule& point(size_t index) const { return points_[index]; }
  std::optional<size_t> find(const Schedule& schedule) const;

  // How far apart two points are along one parameter, 0 to 1. Numbers are compared by their logarithm;
  // words, and a 0 (which mostly means "none" or "all") against another number, are simply different.
  double distance(size_t parameter, size_t a, size_t b) const {
    const Parameter& p = parameters_[parameter];
    return p.distance[coordinate(a, parameter) * p.values.size() + coordinate(b, parameter)];
  }

  // The index of a point's value among a parameter's, and all distances between these: [values, values].
  size_t coordinate(size_t point, size_t parameter) const { return coordinates_[point * parameters_.size() + parameter]; }
  size_t value_count(size_t parameter) const { return parameters_[parameter].values.size(); }
  const std::vector<double>& distances(size_t parameter) const { return parameters_[parameter].distance; }

  // How many parameters two points differ in.
  size_t differences(size_t a, size_t b) const;

 private:
  struct Parameter {
    std::string name;
    std::vector<std::string> values;
    std::vector<double> distance;  // [values, values]
    std::map<std::string, uint16_t> index;
  };

  void append(const Schedule& point);

  std::vector<Schedule> points_;
  std::vector<Parameter> parameters_;
  std::vector<uint16_t> coordinates_;  // [points, parameters]: index of the value
  std::map<Schedule, size_t> index_;
};

}  // namespace lookupffn
#endif
