#include "search_strategy.h"

#include <stdexcept>

#include "model_search.h"
#include "random_search.h"

namespace lookupffn {

std::unique_ptr<SearchStrategy> make_search_strategy(const std::string& name, const LegalSchedules& space,
                                                     const SearchHints& hints, uint64_t seed) {
  if (name == "model") return std::make_unique<ModelSearch>(space, hints, seed);
  if (name == "random") return std::make_unique<ListSearch>(shuffled_points(space, seed), space.size());
  if (name == "exhaustive") return std::make_unique<ListSearch>(all_points(space), space.size());
  throw std::invalid_argument("there is no search strategy '" + name + "': it is model, random or exhaustive");
}

}  // namespace lookupffn
