#include "result.h"

#include <cstdio>
#include <nlohmann/json.hpp>

#include "json_fields.h"

namespace lookupffn::bench {

std::string Result::label() const {
  std::string text = contender;
  if (ours) {
    text += " " + table_type;
    if (projection_type != "f32") text += "/" + projection_type;
  }
  if (part != "all") text += " " + part;
  return text;
}

std::string json_of(const std::vector<Result>& results) {
  nlohmann::ordered_json array = nlohmann::ordered_json::array();
  for (const Result& result : results) {
    array.push_back({{"family", result.family},
                     {"workload", result.workload},
                     {"codes", result.codes},
                     {"unit", result.unit},
                     {"tokens", result.tokens},
                     {"threads", result.threads},
                     {"isa", result.isa},
                     {"table_type", result.table_type},
                     {"projection_type", result.projection_type},
                     {"contender", result.contender},
                     {"part", result.part},
                     {"us_per_token", result.us_per_token},
                     {"spread", result.spread},
                     {"gflops", result.gflops},
                     {"gbytes_per_s", result.gbytes_per_s},
                     {"bound", result.bound},
                     {"bound_fraction", result.bound_fraction()},
                     {"bound_by", result.bound_by},
                     {"schedule", result.schedule}});
  }
  return json_text(array) + "\n";
}

std::string table_of(const std::vector<Result>& results) {
  std::string text;
  char line[256];
  if (results.empty()) return text;
  // "token" of a token, "bag" of a bag of 20 ids
  const std::string unit = results[0].unit.substr(0, results[0].unit.find(' '));
  std::snprintf(line, sizeof line, "%7s  %-26s %10s %7s %8s %8s %8s %7s\n", (unit + "s").c_str(), "contender",
                ("us/" + unit).c_str(), "spread", "to ours", "GFLOP/s", "GB/s", "bound");
  text += line;
  for (const Result& result : results) {
    const Result* ours = nullptr;
    for (const Result& other : results) {
      if (ours == nullptr && other.ours && other.part == result.part) ours = &other;
    }
    char ratio[16] = "-", fraction[16] = "-";
    if (ours != nullptr) std::snprintf(ratio, sizeof ratio, "%.2fx", result.us_per_token / ours->us_per_token);
    if (result.bound > 0) std::snprintf(fraction, sizeof fraction, "%.0f%%", 100 * result.bound_fraction());
    std::snprintf(
        line, sizeof line, "%7zu  %-26s %10.3f %6.1f%% %8s %8.1f %8.1f %7s%s\n", result.tokens, result.label().c_str(),
        result.us_per_token, 100 * result.spread, ratio, result.gflops, result.gbytes_per_s, fraction,
        result.beats_bound() ? "  faster than its bound, so the bound is wrong: measure again on a quiet machine" : "");
    text += line;
  }
  return text;
}

}  // namespace lookupffn::bench
