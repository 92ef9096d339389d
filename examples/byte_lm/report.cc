#include "report.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <nlohmann/json.hpp>
#include <numeric>

namespace byte_lm {
namespace {

constexpr double kTypeTolerance = 0.005;  // a smaller type that costs more nats than this is too coarse

std::string format(const char* pattern, double value) {
  char text[64];
  std::snprintf(text, sizeof(text), pattern, value);
  return text;
}

double total_seconds(const Evaluation& evaluation) {
  return std::accumulate(evaluation.part_seconds.begin(), evaluation.part_seconds.end(), 0.0);
}

// A label and then one right-aligned cell a model.
template <class Cell>
void print_row(const std::string& label, const std::vector<ModelReport>& models, Cell cell, std::ostream* out) {
  *out << label << std::string(34 - std::min<size_t>(label.size(), 33), ' ');
  for (const ModelReport& model : models) {
    const std::string text = cell(model);
    *out << std::string(14 - std::min<size_t>(text.size(), 13), ' ') << text;
  }
  *out << '\n';
}

void print_models(const Report& report, std::ostream* out) {
  const auto row = [&](const std::string& label, auto cell) { print_row(label, report.models, cell, out); };
  row("", [](const ModelReport& m) { return m.name; });
  row("loss, nats a byte", [](const ModelReport& m) { return format("%.6f", m.evaluation.loss); });
  row("  expected", [](const ModelReport& m) { return format("%.6f", m.expected_loss); });
  row("  difference", [](const ModelReport& m) { return format("%+.1e", m.loss_difference()); });
  row("  allowed", [](const ModelReport& m) { return format("%.0e", m.tolerance); });
  row("  verdict", [](const ModelReport& m) { return std::string(m.as_expected() ? "ok" : "WRONG"); });
  row("largest logit difference", [](const ModelReport& m) { return format("%.1e", m.evaluation.largest_logit_difference); });
  row("tokens a second", [](const ModelReport& m) { return format("%.0f", m.evaluation.tokens_per_second); });
  *out << "share of time\n";
  for (size_t part = 0; part < kParts; ++part) {
    row(std::string("  ") + kPartNames[part], [part](const ModelReport& m) {
      return format("%.1f %%", 100 * m.evaluation.part_seconds[part] / total_seconds(m.evaluation));
    });
  }
  row("FFNs, us a token", [](const ModelReport& m) {
    return format("%.2f", 1e6 * m.evaluation.part_seconds[kFeedForward] / static_cast<double>(m.evaluation.timed_tokens));
  });
}

void print_types(const std::vector<TypeLoss>& types, std::ostream* out) {
  *out << "\ntables   projection       loss   change of loss\n";
  for (const TypeLoss& type : types) {
    char line[128];
    std::snprintf(line, sizeof(line), "%-8s %-10s %10.6f      %+.6f%s\n", lookupffn_type_name(type.table_type),
                  lookupffn_type_name(type.projection_type), type.loss, type.change,
                  type.change < kTypeTolerance ? "" : "  too much");
    *out << line;
  }
}

const char* kernel_kind(const lookupffn::LayerInfo& info) { return info.specialised ? "specialised" : "generic"; }

}  // namespace

bool ModelReport::as_expected() const {
  return std::abs(loss_difference()) <= tolerance && std::isfinite(evaluation.largest_logit_difference);
}

bool Report::as_expected() const {
  return std::all_of(models.begin(), models.end(), [](const ModelReport& m) { return m.as_expected(); });
}

void print_tables(const Report& report, std::ostream* out) {
  *out << "LookupFFN layers, " << report.threads << (report.threads == 1 ? " thread\n" : " threads\n");
  for (const lookupffn::LayerInfo& info : report.layers) {
    *out << "  " << info.shape.prefix << "  " << info.isa << ", " << kernel_kind(info) << " kernels, "
         << lookupffn_type_name(info.table_type) << " tables, " << lookupffn_type_name(info.projection_type) << " projection, "
         << format("%.1f", static_cast<double>(info.packed_bytes) / 1e6) << " MB\n      " << info.kernels << '\n';
    if (*info.fallback) *out << "      not specialised: " << info.fallback << '\n';
  }
  *out << "Text: " << report.tokens << " tokens in " << report.batches << (report.batches == 1 ? " batch" : " batches");
  if (report.quick) *out << " (quick: only those with expected logits, whose loss is the expected one)";
  *out << "\n\n";
  print_models(report, out);
  if (!report.types.empty()) print_types(report.types, out);
  if (report.continuation) *out << "\n" << *report.prompt << *report.continuation << '\n';
}

void print_json(const Report& report, std::ostream* out) {
  using nlohmann::json;
  json result = {{"quick", report.quick},     {"tokens", report.tokens},
                 {"threads", report.threads}, {"as_expected", report.as_expected()},
                 {"layers", json::array()},   {"models", json::object()}};
  for (const lookupffn::LayerInfo& info : report.layers) {
    result["layers"].push_back({{"prefix", info.shape.prefix},
                                {"isa", info.isa},
                                {"specialised", info.specialised != 0},
                                {"fallback", info.fallback},
                                {"kernels", info.kernels},
                                {"table_type", lookupffn_type_name(info.table_type)},
                                {"projection_type", lookupffn_type_name(info.projection_type)},
                                {"packed_bytes", info.packed_bytes}});
  }
  for (const ModelReport& model : report.models) {
    const Evaluation& evaluation = model.evaluation;
    json shares;
    for (size_t part = 0; part < kParts; ++part) {
      shares[kPartNames[part]] = evaluation.part_seconds[part] / total_seconds(evaluation);
    }
    result["models"][model.name] = {{"loss", evaluation.loss},
                                    {"expected_loss", model.expected_loss},
                                    {"loss_tolerance", model.tolerance},
                                    {"as_expected", model.as_expected()},
                                    {"largest_logit_difference", evaluation.largest_logit_difference},
                                    {"tokens_per_second", evaluation.tokens_per_second},
                                    {"time_share", shares}};
  }
  for (const TypeLoss& type : report.types) {
    result["types"].push_back({{"table_type", lookupffn_type_name(type.table_type)},
                               {"projection_type", lookupffn_type_name(type.projection_type)},
                               {"loss", type.loss},
                               {"change", type.change}});
  }
  if (report.continuation) {
    result["prompt"] = *report.prompt;
    result["continuation"] = *report.continuation;
  }
  // Generated bytes need not be UTF-8.
  *out << result.dump(2, ' ', false, json::error_handler_t::replace) << '\n';
}

}  // namespace byte_lm
