// What a tuning run shows when it is done.
#ifndef LOOKUPFFN_REPORT_H
#define LOOKUPFFN_REPORT_H

#include <string>
#include <vector>

#include "kernel_outcome.h"
#include "search/cost_model.h"
#include "trial/trial.h"

namespace lookupffn {

// "gather small, 64 tokens, i8 (bits=8 d_out=512 tables=128)": one kernel among others, shortly.
std::string kernel_label(const KernelSpec& spec, size_t tokens);

// "row reads from L3, 14 GB/s" or "arithmetic, 92 GFLOP/s": which of the kernel's work the time goes with.
std::string bound_text(const KernelSpec& spec, size_t tokens, const Schedule& schedule, double us_per_token,
                       const CacheSizes& caches);

// A table in plain text, a line a kernel: default, best, gain with its spread, bound, record or reason.
std::string outcome_table(const std::vector<KernelOutcome>& outcomes, const CacheSizes& caches);

// A picture of the search, SVG: the best so far against the trials, a line a kernel, a dot a trial.
std::string search_picture(const std::vector<Trial>& trials);

// Text as it stands in SVG.
std::string escaped(const std::string& text);

// The title of effects_picture (winner_report.h).
constexpr char kEffectsTitle[] = "Which parameters the time depends on: share of the variance, best value";

// Whether a file's text is one of these two pictures: others are not to be overwritten.
bool is_search_picture(const std::string& text);

}  // namespace lookupffn
#endif
