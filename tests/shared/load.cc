#include "load.h"

#include <cstdio>
#include <cstdlib>

#include "sanitized.h"

namespace lookupffn::checks {
namespace {

constexpr size_t kStepWithSanitizer = 4, kStepEmulated = 4;

size_t decide_step() {
  const size_t step = emulated() ? kStepEmulated : kSanitized ? kStepWithSanitizer : 1;
  if (step > 1) {
    std::printf("A lighter load: every %zuth case, as this runs %s\n", step,
                emulated() ? "under an emulator (LOOKUPFFN_EMULATED)" : "with a sanitizer");
    std::fflush(stdout);
  }
  return step;
}

}  // namespace

bool emulated() {
  const char* const text = std::getenv("LOOKUPFFN_EMULATED");
  return text && *text;
}

size_t case_step() {
  static const size_t step = decide_step();
  return step;
}

const std::vector<size_t>& token_counts() {
  static const std::vector<size_t> all = {0, 1, 2, 3, 7, 8, 9, 17, 31, 32, 33, 64, 127, 128, 130, 257};
  static const std::vector<size_t> some = {0, 1, 3, 8, 33, 130};
  return emulated() ? some : all;
}

}  // namespace lookupffn::checks
