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

LegalSchedules::LegalSchedules(std::vector<Schedule> points) {
  if (points.empty()) throw std::invalid_argument("the schedule space has no legal point");
  for (const auto& [name, value] : points.front()) parameters_.push_back({name, {}, {}, {}});
  points_.reserve(points.size());
  for (const Schedule& point : points) append(point);
  for (Parameter& parameter : parameters_) parameter.distance = value_distances(parameter.values);
}

void LegalSchedules::add(const Schedule& point) {
  if (index_.count(point) > 0) return;
  std::vector<size_t> values;
  for (const Parameter& parameter : parameters_) values.push_back(parameter.values.size());
  append(point);
  for (size_t p = 0; p < parameters_.size(); ++p) {
    if (parameters_[p].values.size() > values[p]) parameters_[p].distance = value_distances(parameters_[p].values);
  }
}

// All but the distances between values.
void LegalSchedules::append(const Schedule& point) {
  const auto same_name = [](const auto& pair, const Parameter& parameter) { return pair.first == parameter.name; };
  if (!std::equal(point.begin(), point.end(), parameters_.begin(), parameters_.end(), same_name)) {
    throw std::invalid_argument("the points of a schedule space do not have the same parameters");
  }
  auto parameter = parameters_.begin();
  for (const auto& pair : point) {
    const auto [at, fresh] = parameter->index.emplace(pair.second, static_cast<uint16_t>(parameter->values.size()));
    if (fresh) parameter->values.push_back(pair.second);
    if (parameter->values.size() > kMostValues) {
      throw std::invalid_argument("parameter '" + parameter->name + "' has more than " + std::to_string(kMostValues) +
                                  " values");
    }
    coordinates_.push_back(at->second);
    ++parameter;
  }
  index_.emplace(point, points_.size());
  points_.push_back(point);
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
