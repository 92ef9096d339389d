// The strategies that learn nothing: a fixed order of the points, shuffled or as they are.
#ifndef LOOKUPFFN_RANDOM_SEARCH_H
#define LOOKUPFFN_RANDOM_SEARCH_H

#include <algorithm>
#include <numeric>
#include <random>
#include <vector>

#include "search_strategy.h"

namespace lookupffn {

class ListSearch : public SearchStrategy {
 public:
  ListSearch(std::vector<size_t> order, size_t points) : order_(std::move(order)), used_(points, false) {}

  std::vector<size_t> propose(size_t count) override {
    std::vector<size_t> chosen;
    for (; next_ < order_.size() && chosen.size() < count; ++next_) {
      if (!used_[order_[next_]]) chosen.push_back(order_[next_]);
      used_[order_[next_]] = true;
    }
    return chosen;
  }

  void observe(size_t point, std::optional<double>) override { used_[point] = true; }

 private:
  std::vector<size_t> order_;
  std::vector<bool> used_;
  size_t next_ = 0;
};

inline std::vector<size_t> all_points(const LegalSchedules& space) {
  std::vector<size_t> order(space.size());
  std::iota(order.begin(), order.end(), size_t{0});
  return order;
}

inline std::vector<size_t> shuffled_points(const LegalSchedules& space, uint64_t seed) {
  std::vector<size_t> order = all_points(space);
  std::mt19937_64 random(seed);
  std::shuffle(order.begin(), order.end(), random);
  return order;
}

}  // namespace lookupffn
#endif
