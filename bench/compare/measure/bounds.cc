#include "bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdio>
#include <iterator>

namespace lookupffn::bench {
namespace {

constexpr double kMilliseconds = 2, kWarmUpMilliseconds = 25;  // of a sample, and before it as in time_calls()
constexpr size_t kLoopsOfAFamily = 2;

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace

size_t whole_lines(double bytes) {
  constexpr size_t kLine = 64;
  return std::max(kLine, size_t(bytes) / kLine * kLine);
}

Bounds::Bounds(const ComparedLayer& layer, const Setting& setting, size_t tokens)
    : layer_(layer), threads_(setting.threads), tokens_(tokens) {
  for (Arithmetic arithmetic : runnable_arithmetic()) {
    const size_t threads = threads_;
    peaks_[lookupffn::bench::name_of(arithmetic)] =
        std::make_unique<Meter>([arithmetic, threads] { return sample_peak_gflops(arithmetic, threads, kMilliseconds); });
  }
}

void Bounds::add(const Needs& needs) {
  if (needs.weights > 0) add_weights(needs.weights);
  for (const size_t row_bytes : needs.rows) add_rows(row_bytes);
}

void Bounds::add_rows(size_t row_bytes) {
  Rows& rows = rows_[row_bytes];
  if (rows.reads != nullptr) return;
  rows.reads = std::make_unique<RowReads>(layer_.all_rows(), row_bytes, layer_.picked_rows().data(), layer_.lookups(),
                                          layer_.ring.tokens);
  const double an_input = double(layer_.lookups() * row_bytes) / 15e9;  // a guess, for the number of calls
  const size_t calls = std::max<size_t>(1, static_cast<size_t>(kMilliseconds * 1e-3 / (an_input * double(tokens_))));
  // A contender finds in the caches what its own calls have left there. So do these loops, after so many calls.
  const size_t warm_up_calls = std::max<size_t>(1, static_cast<size_t>(kWarmUpMilliseconds / kMilliseconds * double(calls)));
  // The faster of two tries decides which orders of each family go on to the rounds. A machine that is not quiet may be wrong
  // about the very fastest, so there are several.
  std::map<bool, std::multimap<double, std::unique_ptr<RowReads::Plan>>> best;
  for (const ReadOrder& order : rows.reads->orders(tokens_, threads_)) {
    auto plan = std::make_unique<RowReads::Plan>(rows.reads->plan(order, tokens_, threads_));
    plan->sample(warm_up_calls / 4 + 1);
    const double first = plan->sample(calls), seconds = std::min(first, plan->sample(calls));
    auto& family = best[order.lookups_a_pass == 0];
    family.emplace(seconds, std::move(plan));
    if (family.size() > kLoopsOfAFamily) family.erase(std::prev(family.end()));
  }
  for (auto& [token_major, family] : best) {
    for (auto& [seconds, plan] : family) {
      RowReads::Plan* loop = plan.get();
      rows.loops.push_back({std::move(plan), std::make_unique<Meter>([loop, calls, warm_up_calls] {
                              loop->sample(warm_up_calls);
                              return loop->sample(calls) * 1e6;
                            })});
    }
  }
}

void Bounds::add_weights(double bytes) {
  Weights& weights = weights_[static_cast<size_t>(bytes)];
  if (weights.stream != nullptr) return;
  weights.stream = std::make_unique<StreamRead>(static_cast<size_t>(bytes));
  const StreamRead* stream = weights.stream.get();
  const size_t threads = threads_;
  const size_t times = std::max<size_t>(1, static_cast<size_t>(kMilliseconds * 1e-3 * 30e9 / bytes));
  weights.meter = std::make_unique<Meter>([stream, threads, times] {
    stream->sample(threads, 1);
    return stream->sample(threads, times) * 1e6;
  });
}

std::vector<Meter*> Bounds::meters() {
  std::vector<Meter*> all;
  for (auto& [name, meter] : peaks_) all.push_back(meter.get());
  for (auto& [bytes, rows] : rows_) {
    for (RowLoop& loop : rows.loops) all.push_back(loop.meter.get());
  }
  for (auto& [bytes, weights] : weights_) all.push_back(weights.meter.get());
  return all;
}

const Bounds::RowLoop& Bounds::Rows::fastest() const {
  return *std::min_element(loops.begin(), loops.end(),
                           [](const RowLoop& a, const RowLoop& b) { return a.meter->median() < b.meter->median(); });
}

double Bounds::peak(const std::string& arithmetic) const {
  if (!arithmetic.empty()) {
    const auto found = peaks_.find(arithmetic);
    return found == peaks_.end() ? 0 : found->second->median();
  }
  double fastest = 0;
  for (const auto& [name, meter] : peaks_) {
    if (name.find("f32") != std::string::npos) fastest = std::max(fastest, meter->median());
  }
  return fastest;
}

Bound Bounds::bound(const Needs& needs) const {
  const auto compute_us = [this](double flops, const std::string& arithmetic) {
    const double gflops = peak(arithmetic);
    return gflops > 0 ? flops / gflops * 1e-3 : 0;
  };
  const double compute =
      compute_us(needs.hash_flops, needs.hash_arithmetic) + compute_us(needs.f32_flops, needs.f32_arithmetic);
  double reads = 0;
  std::string what;
  if (needs.weights > 0) {
    reads += weights_.at(static_cast<size_t>(needs.weights)).meter->median() / tokens_;
    what = "weight reads";
  }
  for (const size_t row_bytes : needs.rows) {
    const RowLoop& loop = rows_.at(row_bytes).fastest();
    reads += loop.meter->median();
    what += (what.empty() ? "" : " and ") + ("row reads (" + loop.plan->order().name() + ")");
  }
  if (compute >= reads) return {compute, "multiply-adds"};
  return {reads, what};
}

std::vector<std::string> Bounds::describe() const {
  std::vector<std::string> lines;
  std::string peaks = "peak multiply-add rate, GFLOP/s:";
  for (Arithmetic arithmetic : runnable_arithmetic()) {
    const std::string name = lookupffn::bench::name_of(arithmetic);
    peaks += " " + name + " " + rounded(peaks_.at(name)->median()) + ";";
  }
  if (!peaks_.empty()) lines.push_back(peaks.substr(0, peaks.size() - 1));
  for (const auto& [row_bytes, rows] : rows_) {
    const double bytes = double(layer_.lookups() * row_bytes);
    for (const RowLoop& loop : rows.loops) {
      const double us = loop.meter->median();
      lines.push_back("row reads, " + std::to_string(layer_.lookups()) + " of " + std::to_string(row_bytes) + " bytes from " +
                      rounded(double(layer_.all_rows()) * double(row_bytes) / (1 << 20)) + " MiB: " + rounded(us) + " us, " +
                      rounded(bytes / us * 1e-3) + " GB/s; " + loop.plan->order().name());
    }
  }
  for (const auto& [bytes, weights] : weights_) {
    const double us = weights.meter->median();
    lines.push_back("weight reads, " + rounded(bytes / 1048576.0) + " MiB: " + rounded(us) + " us/call, " +
                    rounded(bytes / us * 1e-3) + " GB/s");
  }
  return lines;
}

}  // namespace lookupffn::bench
