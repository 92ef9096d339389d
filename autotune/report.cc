#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdarg>
#include <cstdio>
#include <map>

#include "cost_terms.h"
#include "isa_target.h"
#include "search/cost_model.h"

namespace lookupffn {
namespace {

std::string format(const char* pattern, ...) __attribute__((format(printf, 1, 2)));
std::string format(const char* pattern, ...) {
  char text[512];
  va_list arguments;
  va_start(arguments, pattern);
  std::vsnprintf(text, sizeof text, pattern, arguments);
  va_end(arguments);
  return text;
}

constexpr double kHighestGain = 1000;

// Over the default schedule, as it is drawn: a log that was damaged may hold any cost.
double gain_of(const Trial& trial) {
  const double gain = 1 / trial.cost;
  return gain >= 0 ? std::min(gain, kHighestGain) : 0;
}

// Told apart by people who do not see all colours, too.
const char* const kColours[] = {"#0072b2", "#d55e00", "#009e73", "#cc79a7", "#e69f00", "#56b4e9", "#666666", "#7f3c8d"};

constexpr char kPictureTitle[] = "Search: speed over the default schedule";

}  // namespace

std::string escaped(const std::string& text) {
  std::string out;
  for (const char c : text) {
    if (c == '<') {
      out += "&lt;";
    } else if (c == '>') {
      out += "&gt;";
    } else if (c == '&') {
      out += "&amp;";
    } else {
      out += c;
    }
  }
  return out;
}

std::string kernel_label(const KernelSpec& spec, size_t tokens) {
  std::string types, numbers;
  for (const auto& [name, value] : spec.problem) {
    const bool number = value.find_first_not_of("0123456789") == std::string::npos;
    const bool type = name.size() > 5 && name.compare(name.size() - 5, 5, "_type") == 0;
    (type ? types : numbers) += (type ? " " : numbers.empty() ? "" : " ") + (number ? name + "=" + value : value);
  }
  return spec.kernel + " " + spec.batch_class + ", " + std::to_string(tokens) + (tokens == 1 ? " token" : " tokens") +
         (spec.problem.empty() ? "" : "," + types + " (" + numbers + ")");
}

std::string bound_text(const KernelSpec& spec, size_t tokens, const Schedule& schedule, double us_per_token,
                       const CacheSizes& caches) {
  if (!(us_per_token > 0)) return "";
  const Work work = kernel_work(spec);
  const double ns = us_per_token * 1e3;
  const double tile = std::max(1.0, std::min(double(tokens), number_of(schedule, "token_tile", 1)));
  const double weight_bytes = work.weight_bytes / tile, bytes = work.row_bytes + weight_bytes;
  // Which would take longer on an ordinary core: two multiply-adds of full vectors a cycle, or the bytes?
  const double flops_per_ns = isa_target(spec.isa).vector_bytes / 4.0 * 4 * 2;
  if (bytes / bytes_per_ns(work.footprint_bytes, caches) > work.flops / flops_per_ns) {
    return format("%s from %s, %.3g GB/s", work.row_bytes > weight_bytes ? "row reads" : "weights",
                  memory_level(work.footprint_bytes, caches), bytes / ns);
  }
  return format("arithmetic, %.3g GFLOP/s", work.flops / ns);
}

std::string outcome_table(const std::vector<KernelOutcome>& outcomes, const CacheSizes& caches) {
  std::vector<std::vector<std::string>> rows = {
      {"kernel", "trials", "default us", "best us", "gain", "bound by", "schedule record"}};
  for (const KernelOutcome& outcome : outcomes) {
    const bool measured = outcome.default_us > 0 && outcome.best_us > 0;
    rows.push_back({kernel_label(outcome.spec, outcome.tokens), std::to_string(outcome.trials),
                    measured ? format("%.3f", outcome.default_us) : "-", measured ? format("%.3f", outcome.best_us) : "-",
                    measured ? format("%.2fx (%.2f to %.2f)", outcome.gain, outcome.gain_low, outcome.gain_high) : "-",
                    bound_text(outcome.spec, outcome.tokens, outcome.schedule, outcome.best_us, caches),
                    outcome.record.empty() ? "none: " + outcome.note : outcome.record});
  }
  std::vector<size_t> widths(rows[0].size(), 0);
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) widths[c] = std::max(widths[c], row[c].size());
  }
  std::string table;
  for (const auto& row : rows) {
    for (size_t c = 0; c < row.size(); ++c) {
      table += row[c];
      if (c + 1 < row.size()) table += std::string(widths[c] - row[c].size() + 2, ' ');
    }
    table += "\n";
  }
  return table;
}

std::string search_picture(const std::vector<Trial>& trials) {
  std::map<std::string, std::vector<const Trial*>> kernels;
  std::vector<std::string> order;
  for (const Trial& trial : trials) {
    const std::string label = kernel_label(trial.spec, trial.tokens);
    if (kernels[label].empty()) order.push_back(label);
    kernels[label].push_back(&trial);
  }
  size_t longest = 1;
  double low = 0.5, high = 1.1;
  for (const auto& [label, list] : kernels) {
    longest = std::max(longest, list.size());
    for (const Trial* trial : list) {
      if (trial->status == TrialStatus::kOk) high = std::max(high, gain_of(*trial));
    }
  }
  high = std::ceil(high * 10 + 0.5) / 10;
  const double left = 60, top = 40, width = 620, height = 320;
  const double legend = top + height + 60, total = legend + 18.0 * double(order.size()) + 12;
  const auto x = [&](double trial) { return left + width * trial / double(longest); };
  const auto y = [&](double gain) { return top + height * (1 - (std::clamp(gain, low, high) - low) / (high - low)); };
  std::string svg = format(
      "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 720 %.0f\" font-family=\"sans-serif\" "
      "font-size=\"12\">\n"
      "<rect width=\"100%%\" height=\"100%%\" fill=\"white\"/>\n"
      "<text x=\"%.0f\" y=\"22\" font-size=\"15\">%s (dots: trials, lines: best so far)</text>\n",
      total, left, kPictureTitle);
  double step = 0.1;
  for (bool half = true; high - low > 12 * step; half = !half) step *= half ? 5 : 2;  // 0.1, 0.5, 1, 5, 10, ...
  for (double line = std::ceil(low / step); line * step <= high + 1e-9; ++line) {
    const double gain = line * step;
    svg += format(
        "<line x1=\"%.1f\" y1=\"%.1f\" x2=\"%.1f\" y2=\"%.1f\" stroke=\"%s\"/><text x=\"%.1f\" y=\"%.1f\" "
        "text-anchor=\"end\">%.1fx</text>\n",
        left, y(gain), left + width, y(gain), std::abs(gain - 1) < 1e-6 ? "#888" : "#e4e4e4", left - 6, y(gain) + 4, gain);
  }
  for (int i = 0; i <= 4; ++i) {
    const double trial = double(longest) * i / 4;
    svg += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">%.0f</text>\n", x(trial), top + height + 18, trial);
  }
  svg += format("<text x=\"%.1f\" y=\"%.1f\" text-anchor=\"middle\">trials</text>\n", left + width / 2, top + height + 36);
  for (size_t k = 0; k < order.size(); ++k) {
    const char* colour = kColours[k % (sizeof kColours / sizeof *kColours)];
    std::string path;
    double best = 0;
    size_t number = 0;
    for (const Trial* trial : kernels[order[k]]) {
      ++number;
      if (trial->status != TrialStatus::kOk) {
        svg += format("<text x=\"%.1f\" y=\"%.1f\" fill=\"%s\" text-anchor=\"middle\" font-size=\"9\">&#215;</text>\n",
                      x(double(number)), top + height - 2, colour);
        continue;
      }
      const double gain = gain_of(*trial);
      svg += format("<circle cx=\"%.1f\" cy=\"%.1f\" r=\"1.8\" fill=\"%s\" fill-opacity=\"0.35\"/>\n", x(double(number)),
                    y(gain), colour);
      if (gain > best) {
        if (!path.empty()) path += format(" H%.1f", x(double(number)));
        path += path.empty() ? format("M%.1f %.1f", x(double(number)), y(gain)) : format(" V%.1f", y(gain));
        best = gain;
      }
    }
    if (!path.empty()) {
      svg +=
          "<path d=\"" + path + format(" H%.1f", x(double(number))) +
          format("\" fill=\"none\" stroke=\"%s\" stroke-width=\"2\"%s/>\n", colour, k >= 8 ? " stroke-dasharray=\"5 3\"" : "");
    }
    svg += format("<rect x=\"%.1f\" y=\"%.1f\" width=\"14\" height=\"4\" fill=\"%s\"/>", left, legend + 18.0 * double(k) - 6,
                  colour);
    svg += format("<text x=\"%.1f\" y=\"%.1f\">", left + 20, legend + 18.0 * double(k)) + escaped(order[k]) +
           format(" &#8212; best %.2fx in %zu trials</text>\n", best, number);
  }
  svg += format("<text x=\"%.1f\" y=\"%.1f\" fill=\"#666\">&#215;: a trial that failed</text>\n</svg>\n", left + width - 110,
                top + height + 36);
  return svg;
}

bool is_search_picture(const std::string& text) {
  return text.compare(0, 5, "<svg ") == 0 &&
         (text.find(kPictureTitle) != std::string::npos || text.find(kEffectsTitle) != std::string::npos);
}

}  // namespace lookupffn
