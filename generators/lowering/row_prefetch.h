// Fetching the rows that a gather will read, ahead of reading them.
//
// Halide's own prefetch directive is not used: Halide 14 counts its offsets in bytes but adds them to elements,
// and asks for non-temporal lines, which makes a gather three times slower than no prefetch does.
#ifndef LOOKUPFFN_ROW_PREFETCH_H
#define LOOKUPFFN_ROW_PREFETCH_H

#include <string>
#include <vector>

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// A lowering pass. In every innermost loop that loads from the buffers it puts, before the body, a copy of the
// body that fetches every `line_step`-th of those loads' cache lines, `distance` iterations of the loop over
// `variable` ahead: that loop itself, or one around it. The last iterations fetch the last one's lines, but where a list of the
// rows to come is given, and goes on beyond the loop: then they fetch what comes next in it. Where what is read goes on in
// memory beyond the loop, as weights do, they may fetch that.
class RowPrefetch : public Halide::Internal::IRMutator {
 public:
  enum class AtTheEnd { kStay, kGoOn };

  RowPrefetch(const std::vector<std::string>& buffers, const std::string& variable, int distance, const std::string& list = "",
              int line_step = 1, AtTheEnd at_the_end = AtTheEnd::kStay)
      : buffers_(buffers),
        variable_(variable),
        distance_(distance),
        line_step_(line_step),
        at_the_end_(at_the_end),
        list_(list) {}

 private:
  using Halide::Internal::IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::For* loop) override;

  const std::vector<std::string> buffers_;
  const std::string variable_;
  const int distance_, line_step_;
  const AtTheEnd at_the_end_;
  const std::string list_;                         // a buffer of one dimension, or ""
  const Halide::Internal::For* around_ = nullptr;  // the loop over variable_ that is being visited
};

// What RowPrefetch's statements call, for a generator's functions. cache: 1 to 3, where lines are fetched to, and into those
// behind it.
InlinedFunctions prefetch_function(const Halide::Target& target, int cache = 1);

}  // namespace lookupffn
#endif
