#include "bounds.h"

#include <algorithm>
#include <cmath>
#include <cstdio>

namespace lookupffn::bench {
namespace {

constexpr double kMilliseconds = 2;

std::string rounded(double value) {
  char text[32];
  std::snprintf(text, sizeof text, "%.3g", value);
  return text;
}

}  // namespace

Bounds::Bounds(const Setting& setting, size_t tokens) : setting_(setting), tokens_(tokens) {
  for (Arithmetic arithmetic : runnable_arithmetic()) {
    const size_t threads = setting.threads;
    peaks_[lookupffn::bench::name_of(arithmetic)] =
        std::make_unique<Meter>([arithmetic, threads] { return sample_peak_gflops(arithmetic, threads, kMilliseconds); });
  }
}

void Bounds::add_rows(lookupffn_type type) {
  Rows& rows = rows_[type];
  if (rows.reads != nullptr) return;
  const Workload& workload = setting_.layer.workload;
  const TokenRing& ring = setting_.ring;
  rows.reads = std::make_unique<RowReads>(workload.tables, workload.rows(), size_t(double(workload.d) * bytes_of(type)),
                                          ring.code.data(), ring.tokens);
  // The faster of two tries decides which order of each family goes on to the rounds.
  const double a_token = workload.row_bytes_a_token(type) / 15e9;  // a guess, for the number of calls
  const size_t calls = std::max<size_t>(1, static_cast<size_t>(kMilliseconds * 1e-3 / (a_token * tokens_)));
  std::unique_ptr<RowReads::Plan> best[2];
  double best_seconds[2] = {1e9, 1e9};
  for (const ReadOrder& order : rows.reads->orders(tokens_, setting_.threads)) {
    auto plan = std::make_unique<RowReads::Plan>(rows.reads->plan(order, tokens_, setting_.threads));
    plan->sample(calls);
    const double first = plan->sample(calls), seconds = std::min(first, plan->sample(calls));
    const int family = order.tables_a_pass == 0 ? 0 : 1;
    if (seconds < best_seconds[family]) {
      best_seconds[family] = seconds;
      best[family] = std::move(plan);
    }
  }
  for (auto& plan : best) {
    if (plan == nullptr) continue;
    RowReads::Plan* loop = plan.get();
    rows.loops.push_back({std::move(plan), std::make_unique<Meter>([loop, calls] {
                            loop->sample(12 * calls);  // warms the caches up, as the contenders do
                            return loop->sample(calls) * 1e6;
                          })});
  }
}

void Bounds::add_weights(double bytes) {
  Weights& weights = weights_[static_cast<size_t>(bytes)];
  if (weights.stream != nullptr) return;
  weights.stream = std::make_unique<StreamRead>(static_cast<size_t>(bytes));
  const StreamRead* stream = weights.stream.get();
  const size_t threads = setting_.threads;
  const size_t times = std::max<size_t>(1, static_cast<size_t>(kMilliseconds * 1e-3 * 30e9 / bytes));
  weights.meter = std::make_unique<Meter>([stream, threads, times] {
    stream->sample(threads, 1);
    return stream->sample(threads, times) * 1e6;
  });
}

std::vector<Meter*> Bounds::meters() {
  std::vector<Meter*> all;
  for (auto& [name, meter] : peaks_) all.push_back(meter.get());
  for (auto& [type, rows] : rows_) {
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
  if (needs.rows) {
    const RowLoop& loop = rows_.at(needs.row_type).fastest();
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
  const Workload& workload = setting_.layer.workload;
  for (const auto& [type, rows] : rows_) {
    const double bytes = static_cast<double>(workload.tables * workload.d) * bytes_of(type);
    for (const RowLoop& loop : rows.loops) {
      const double us = loop.meter->median();
      lines.push_back(std::string("row reads, ") + name_of(type) + ", " + rounded(bytes * workload.rows() / (1 << 20)) +
                      " MiB of tables: " + rounded(us) + " us/token, " + rounded(bytes / us * 1e-3) + " GB/s; " +
                      loop.plan->order().name());
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
