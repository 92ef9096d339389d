#include "winner_report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <map>
#include <utility>

#include "report.h"

namespace lookupffn {
namespace {

constexpr size_t kFewestTrials = 8, kMostBars = 6;
constexpr double kCounts = 0.05;

// The trials of each kernel, in the order of their first.
std::vector<std::pair<std::string, std::vector<Trial>>> by_kernel(const std::vector<Trial>& trials) {
  std::vector<std::pair<std::string, std::vector<Trial>>> kernels;
  for (const Trial& trial : trials) {
    const std::string label = kernel_label(trial.spec, trial.tokens);
    auto it = std::find_if(kernels.begin(), kernels.end(), [&](const auto& kernel) { return kernel.first == label; });
    if (it == kernels.end()) it = kernels.insert(it, {label, {}});
    it->second.push_back(trial);
  }
  return kernels;
}

const Trial* fastest(const std::vector<Trial>& trials) {
  const Trial* best = nullptr;
  for (const Trial& trial : trials) {
    if (trial.status == TrialStatus::kOk && trial.cost > 0 && (!best || trial.cost < best->cost)) best = &trial;
  }
  return best;
}

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char text[512];
  std::snprintf(text, sizeof text, pattern, values...);
  return text;
}

std::string counters_text(const std::map<std::string, double>& counters) {
  const auto at = [&](const char* name) {
    const auto it = counters.find(name);
    return it == counters.end() ? -1 : it->second;
  };
  std::string text;
  if (at("cycles") > 0) text = format("%.4g cycles a token", at("cycles"));
  if (at("cycles") > 0 && at("instructions") >= 0)
    text += format(", %.2f instructions a cycle", at("instructions") / at("cycles"));
  for (const auto& [name, words] :
       {std::pair<const char*, const char*>{"l2_misses", "L2"}, {"l3_misses", "L3"}, {"tlb_misses", "TLB"}}) {
    if (at(name) >= 0) text += format(", %.3g misses of the %s", at(name), words);
  }
  return text;
}

}  // namespace

std::vector<ParameterEffect> parameter_effects(const std::vector<Trial>& trials) {
  std::vector<const Trial*> well;
  for (const Trial& trial : trials) {
    if (trial.status == TrialStatus::kOk && trial.cost > 0) well.push_back(&trial);
  }
  std::vector<ParameterEffect> effects;
  if (well.size() < kFewestTrials) return effects;
  double mean = 0, variance = 0;
  for (const Trial* trial : well) mean += std::log(trial->cost) / double(well.size());
  for (const Trial* trial : well) variance += std::pow(std::log(trial->cost) - mean, 2);
  if (!(variance > 0)) return effects;
  for (const auto& [name, best] : fastest(trials)->schedule) {
    std::map<std::string, std::pair<double, size_t>> values;  // sum of log(cost), trials
    for (const Trial* trial : well) {
      const auto value = trial->schedule.find(name);
      if (value == trial->schedule.end()) continue;
      auto& [sum, count] = values[value->second];
      sum += std::log(trial->cost);
      ++count;
    }
    if (values.size() < 2) continue;
    // Values tell apart what chance alone would, too: as much as each takes of the trials is taken off again.
    double between = 0, low = HUGE_VAL, high = -HUGE_VAL;
    for (const auto& [value, group] : values) {
      const double of_value = group.first / double(group.second);
      between += double(group.second) * std::pow(of_value - mean, 2);
      low = std::min(low, of_value);
      high = std::max(high, of_value);
    }
    const double freedom = double(values.size() - 1), rest = std::max(0.0, variance - between);
    const double by_chance = double(well.size()) > freedom + 1 ? freedom * rest / (double(well.size()) - freedom - 1) : between;
    effects.push_back({name, best, std::max(0.0, between - by_chance) / variance, std::exp(high - low)});
  }
  std::stable_sort(effects.begin(), effects.end(), [](const auto& a, const auto& b) { return a.share > b.share; });
  return effects;
}

std::string winner_text(const std::vector<Trial>& trials) {
  std::string text;
  for (const auto& [label, list] : by_kernel(trials)) {
    std::string lines;
    for (const ParameterEffect& effect : parameter_effects(list)) {
      if (effect.share < kCounts) break;
      lines += format("  %3.0f %% of the variance: %s (best %s; its worst value takes %.2f times its best)\n",
                      100 * effect.share, effect.name.c_str(), effect.best.c_str(), effect.worst_ratio);
    }
    if (const Trial* best = fastest(list)) {
      const std::string counted = counters_text(best->counters);
      if (!counted.empty()) lines += "  counted for the fastest: " + counted + "\n";
    }
    if (!lines.empty()) text += "why, " + label + ":\n" + lines;
  }
  return text;
}

std::string effects_picture(const std::vector<Trial>& trials) {
  constexpr double kLeft = 220, kWidth = 380, kLine = 20, kTop = 40;
  std::string body;
  double y = kTop;
  for (const auto& [label, list] : by_kernel(trials)) {
    std::vector<ParameterEffect> effects = parameter_effects(list);
    if (effects.empty()) continue;
    effects.resize(std::min(effects.size(), kMostBars));
    y += kLine;
    body += format("<text x=\"12\" y=\"%.0f\" font-weight=\"bold\">", y) + escaped(label) + "</text>\n";
    for (const ParameterEffect& effect : effects) {
      y += kLine;
      body += format("<text x=\"%.0f\" y=\"%.0f\" text-anchor=\"end\">", kLeft - 8, y) +
              escaped(effect.name + " = " + effect.best) +
              format("</text><rect x=\"%.0f\" y=\"%.0f\" width=\"%.1f\" height=\"12\" fill=\"#0072b2\"/>", kLeft, y - 11,
                     std::max(1.0, kWidth * std::min(1.0, effect.share))) +
              format("<text x=\"%.1f\" y=\"%.0f\">%.0f %%, worst %.2fx</text>\n",
                     kLeft + kWidth * std::min(1.0, effect.share) + 6, y, 100 * effect.share, effect.worst_ratio);
    }
    y += kLine / 2;
  }
  if (body.empty()) return "";
  return format(
             "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 %.0f\" font-family=\"sans-serif\" font-size=\"12\">\n"
             "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
             "<text x=\"12\" y=\"22\" font-size=\"15\">%s</text>\n",
             y + 24, kEffectsTitle) +
         body + "</svg>\n";
}

}  // namespace lookupffn
