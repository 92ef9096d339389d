// Kernels by the number of tokens of a call.
#ifndef LOOKUPFFN_TOKEN_RANGES_H
#define LOOKUPFFN_TOKEN_RANGES_H

#include <algorithm>
#include <cstddef>
#include <set>
#include <utility>
#include <vector>

#include "lookupffn/kernels.h"

namespace lookupffn {

// A list of values, each for as many tokens as it begins with and more, up to where the next begins. The first is for any
// number below, too.
template <class Value>
class TokenRanges {
 public:
  bool empty() const { return ranges_.empty(); }
  size_t size() const { return ranges_.size(); }

  // Ranges are added from the fewest tokens to the most.
  void add(size_t min_tokens, Value value) { ranges_.emplace_back(min_tokens, std::move(value)); }

  // The range of so many tokens: the last that begins with no more; else the first. Not for an empty list.
  size_t index(size_t tokens) const {
    size_t i = ranges_.size() - 1;
    while (i > 0 && ranges_[i].first > tokens) --i;
    return i;
  }

  size_t min_tokens(size_t index) const { return ranges_[index].first; }
  const Value& operator[](size_t index) const { return ranges_[index].second; }
  const Value& front() const { return ranges_.front().second; }

 private:
  std::vector<std::pair<size_t, Value>> ranges_;
};

// The numbers of tokens at which one of the kernels begins, ascending.
inline std::set<size_t> range_starts(const std::vector<const lookupffn_kernel*>& kernels) {
  std::set<size_t> starts;
  for (const lookupffn_kernel* kernel : kernels) starts.insert(kernel->min_tokens);
  return starts;
}

inline bool is_for(const lookupffn_kernel& kernel, size_t tokens) {
  return kernel.min_tokens <= tokens && tokens <= kernel.max_tokens;
}

}  // namespace lookupffn
#endif
