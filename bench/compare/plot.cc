// The comparison's picture, written as SVG by hand: horizontal bars on a logarithmic axis.
#include <algorithm>
#include <cmath>
#include <cstdio>
#include <set>

#include "result.h"

namespace lookupffn::bench {
namespace {

constexpr int kWidth = 860, kLeft = 200, kRight = 110, kBar = 20, kGap = 6, kTop = 92, kPanelGap = 46, kAxis = 50;
const char* const kOursColour = "#1f6feb";
const char* const kPeerColour = "#a0a7b0";
const char* const kBoundColour = "#d1242f";

std::string escaped(const std::string& text) {
  std::string result;
  for (char c : text) {
    if (c == '<')
      result += "&lt;";
    else if (c == '&')
      result += "&amp;";
    else if (c == '"')
      result += "&quot;";
    else
      result += c;
  }
  return result;
}

std::string number(double value) {
  char text[32];
  std::snprintf(text, sizeof text, value < 10 ? "%.2f" : value < 100 ? "%.1f" : "%.0f", value);
  return text;
}

class Drawing {
 public:
  void text(double x, double y, const std::string& words, int size, const char* colour, const char* anchor, bool bold = false) {
    char head[200];
    std::snprintf(head, sizeof head,
                  "<text x=\"%.1f\" y=\"%.1f\" font-size=\"%d\" fill=\"%s\" text-anchor=\"%s\" font-weight=\"%s\">", x, y, size,
                  colour, anchor, bold ? "bold" : "normal");
    body_ += head + escaped(words) + "</text>\n";
  }
  void bar(double x, double y, double width, double height, const char* colour) {
    char line[160];
    std::snprintf(line, sizeof line, "<rect x=\"%.1f\" y=\"%.1f\" width=\"%.1f\" height=\"%.1f\" fill=\"%s\"/>\n", x, y, width,
                  height, colour);
    body_ += line;
  }
  std::string finish(double height) const {
    char head[300];
    std::snprintf(head, sizeof head,
                  "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"%d\" height=\"%.0f\" viewBox=\"0 0 %d %.0f\" "
                  "font-family=\"DejaVu Sans, Helvetica, Arial, sans-serif\">\n",
                  kWidth, height, kWidth, height);
    return head + std::string("<rect width=\"100%\" height=\"100%\" fill=\"white\"/>\n") + body_ + "</svg>\n";
  }

 private:
  std::string body_;
};

}  // namespace

std::string plot_of(const std::vector<Result>& results) {
  const bool whole_layers =
      std::any_of(results.begin(), results.end(), [](const Result& result) { return result.part == "all"; });
  std::vector<Result> shown;
  for (const Result& result : results) {
    if (!whole_layers || result.part == "all") shown.push_back(result);
  }
  Drawing drawing;
  if (shown.empty()) return drawing.finish(kTop);

  double fastest = shown[0].us_per_token, slowest = fastest;
  std::set<size_t> tokens;
  for (const Result& result : shown) {
    slowest = std::max(slowest, result.us_per_token);
    fastest = std::min(fastest, result.bound > 0 ? std::min(result.bound, result.us_per_token) : result.us_per_token);
    tokens.insert(result.tokens);
  }
  const double low = std::pow(10, std::floor(std::log10(fastest * 0.9))), high = slowest * 1.05;
  const double span = kWidth - kLeft - kRight;
  const auto place = [&](double us) { return kLeft + span * std::log(us / low) / std::log(high / low); };
  const size_t bars = shown.size(), panels = tokens.size();
  const double bottom = kTop + bars * (kBar + kGap) + panels * kPanelGap - 10;

  const Result& any = shown[0];
  const std::string unit = any.unit.substr(0, any.unit.find(' '));
  drawing.text(16, 30,
               "Time a " + any.unit + ", " + any.workload + ", " + std::to_string(any.threads) +
                   (any.threads == 1 ? " thread" : " threads"),
               20, "#111", "start", true);
  drawing.text(16, 52,
               any.codes + " codes; microseconds, logarithmic, shorter is better; in brackets: how many times our first", 13,
               "#444", "start");
  drawing.bar(16, 63, 12, 12, kOursColour);
  drawing.text(34, 74, "this library", 13, "#111", "start");
  drawing.bar(130, 63, 12, 12, kPeerColour);
  drawing.text(148, 74, "others", 13, "#111", "start");
  drawing.bar(212, 61, 3, 16, kBoundColour);
  drawing.text(222, 74, "what this machine's memory and arithmetic would allow it", 13, "#111", "start");

  for (double decade = low; decade <= high; decade *= 10) {
    for (int step : {1, 2, 5}) {
      const double us = decade * step;
      if (us > high) break;
      drawing.bar(place(us), kTop, 1, bottom - kTop, step == 1 ? "#c8ccd2" : "#eceef1");
      drawing.text(place(us), bottom + 16, us < 1 ? number(us) : std::to_string(std::lround(us)), 11, "#444", "middle");
    }
  }
  drawing.text(kLeft + span / 2, bottom + 36, "microseconds a " + unit, 13, "#444", "middle");

  double y = kTop;
  for (size_t count : tokens) {
    const Result* ours = nullptr;
    for (const Result& result : shown) {
      if (ours == nullptr && result.tokens == count && result.ours) ours = &result;
    }
    drawing.text(16, y + 22, std::to_string(count) + " " + unit + (count == 1 ? " a call" : "s a call"), 15, "#111", "start",
                 true);
    y += 32;
    for (const Result& result : shown) {
      if (result.tokens != count) continue;
      const bool is_ours = result.ours;
      const double end = place(result.us_per_token);
      drawing.text(kLeft - 8, y + kBar - 5, result.label(), 13, "#111", "end", is_ours);
      drawing.bar(kLeft, y, end - kLeft, kBar, is_ours ? kOursColour : kPeerColour);
      if (result.bound > 0) drawing.bar(place(result.bound) - 1.5, y - 2, 3, kBar + 4, kBoundColour);
      std::string words = number(result.us_per_token);
      if (ours != nullptr && &result != ours) words += " (" + number(result.us_per_token / ours->us_per_token) + "x)";
      const double clear = result.bound > 0 ? std::max(end, place(result.bound) + 2) : end;
      drawing.text(clear + 6, y + kBar - 5, words, 12, "#111", "start");
      y += kBar + kGap;
    }
    y += kPanelGap - 32;
  }
  return drawing.finish(bottom + kAxis);
}

}  // namespace lookupffn::bench
