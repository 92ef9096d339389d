#include "legal_schedules.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <stdexcept>

namespace lookupffn {
namespace {

constexpr size_t kMostValues = 1024;  // of a parameter: there is a distance for each two

std::optional<double> number(const std::string& text) {
  char* end = nullptr;
  const double value = std::strtod(text.c_str(), &end);
  if (text.empty() || *end != '\0') return std::nullopt;
  return value;
}

// Distances between all pairs of a parameter's values.
std::vector<double> value_distances(const std::vector<std::string>& values) {
  double low = 0, high = 0;
  bool any = false;
  for (const std::string& value : values) {
    const auto v = number(value);
    if (!v || *v <= 0) continue;
    const double l = std::log2(*v);
    low = any ? std::min(low, l) : l;
    high = any ? std::max(high, l) : l;
    any = true;
  }
  std::vector<double> distance(values.size() * values.size(), 0);
  for (size_t a = 0; a < values.size(); ++a) {
    for (size_t b = 0; b < values.size(); ++b) {
      if (a == b) continue;
      const auto va = number(values[a]), vb = number(values[b]);
      const bool logarithmic = va && vb && *va > 0 && *vb > 0 && high > low;
      distance[a * values.size() + b] = logarithmic ? std::abs(std::log2(*va / *vb)) / (high - low) : 1.0;
    }
  }
  return distance;
}

}  // namespace

LegalSchedules::LegalSchedules(std::vector<Schedule> points) : points_(std::move(points)) {
  if (points_.empty()) throw std::invalid_argument("the schedule space has no legal point");
  for (const auto& [name, value] : points_.front()) parameters_.push_back({name, {}, {}});
  for (const Schedule& point : points_) {
    bool same = point.size() == parameters_.size();
    size_t p = 0;
    for (auto it = point.begin(); same && it != point.end(); ++it, ++p) {
      same = it->first == parameters_[p].name;
      if (same) parameters_[p].values.push_back(it->second);
    }
    if (!same) throw std::invalid_argument("the points of a schedule space do not have the same parameters");
  }
  for (Parameter& parameter : parameters_) {
    std::sort(parameter.values.begin(), parameter.values.end());
    parameter.values.erase(std::unique(parameter.values.begin(), parameter.values.end()), parameter.values.end());
    if (parameter.values.size() > kMostValues) {
      throw std::invalid_argument("parameter '" + parameter.name + "' has more than " + std::to_string(kMostValues) +
                                  " values");
    }
    parameter.distance = value_distances(parameter.values);
  }
  coordinates_.reserve(points_.size() * parameters_.size());
  for (size_t i = 0; i < points_.size(); ++i) {
    size_t p = 0;
    for (const auto& [name, value] : points_[i]) {
      const auto& values = parameters_[p++].values;
      const auto at = std::lower_bound(values.begin(), values.end(), value);
      coordinates_.push_back(static_cast<uint16_t>(at - values.begin()));
    }
    index_.emplace(points_[i], i);
  }
}

std::optional<size_t> LegalSchedules::find(const Schedule& schedule) const {
  const auto it = index_.find(schedule);
  if (it == index_.end()) return std::nullopt;
  return it->second;
}

size_t LegalSchedules::differences(size_t a, size_t b) const {
  size_t count = 0;
  for (size_t p = 0; p < parameters_.size(); ++p) count += coordinate(a, p) != coordinate(b, p);
  return count;
}

}  // namespace lookupffn
