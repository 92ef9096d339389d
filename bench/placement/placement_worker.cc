// One of the processes that bench/placement/placement compares: packs a layer and times it whenever it is asked to, so that
// many such processes can be timed in turn. Where its pages lie is decided once, when it packs.
//
//     placement_worker SHAPE TABLE_TYPE PROJECTION_TYPE
//
// SHAPE is a workload or a shape of the family lookupffn. For each line "PART TOKENS MILLISECONDS" that it reads it prints the
// microseconds a token that calls of that part take, before the first a line of facts. Ends with its input.
#include <algorithm>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include "layer.h"
#include "lookupffn/lookupffn.hpp"
#include "measuring_clock.h"
#include "part.h"
#include "synthetic_layer.h"
#include "weight_types.h"
#include "workload.h"
#include "workload_kernels_of_build.h"

namespace lookupffn::bench {
namespace {

constexpr size_t kLargestCall = 512;

// KiB of this process's memory that the system holds in huge pages.
size_t huge_kib() {
  std::ifstream file("/proc/self/smaps_rollup");
  std::string line;
  while (std::getline(file, line)) {
    if (line.rfind("AnonHugePages:", 0) == 0) return size_t(std::atoll(line.c_str() + 14));
  }
  return 0;
}

Part part_of(const std::string& name) {
  for (const Part part : {Part::kAll, Part::kHash, Part::kGather}) {
    if (name == name_of(part)) return part;
  }
  throw std::invalid_argument("no part '" + name + "'");
}

class Worker {
 public:
  Worker(const std::string& shape, const std::string& table_type, const std::string& projection_type) {
    const SyntheticLayer layer = make_synthetic_layer(Workload(shape, lookupffn::find_workload(shape)), Codes::kRandom);
    ring_ = make_token_ring(layer, kLargestCall);
    d_in_ = layer.workload.d;
    d_out_ = layer.workload.d_out;
    tables_ = layer.workload.tables;
    lookupffn_pack_options options = {};
    options.table_type = weight_type_of(table_type, WeightRole::kTables).type;
    options.projection_type = weight_type_of(projection_type, WeightRole::kProjections).type;
    layer_ = pack_synthetic_layer(layer, options);
    check(lookupffn_threads_create(1, &threads_));
    y_.resize(kLargestCall * d_out_);
    code_.resize(kLargestCall * tables_);
    score_.resize(code_.size());
  }
  ~Worker() {
    lookupffn_layer_free(layer_);
    lookupffn_threads_free(threads_);
  }

  std::string facts() const {
    lookupffn_layer_info info;
    check(lookupffn_layer_describe(layer_, &info));
    std::ostringstream text;
    text << (info.specialised ? "specialised" : "generic") << " " << info.isa << " huge_kib=" << huge_kib()
         << " page_sets=" << layer_->sizes().weight_pages.sets << " page_spread=" << layer_->sizes().weight_pages.spread();
    return text.str();
  }

  // A third of the time goes before it as a warm-up: the processes before this one have driven its weights out of the caches.
  double time(Part part, size_t tokens, double milliseconds) {
    size_t calls = 0;
    const double start = measuring_clock(1);
    double from = start, now = start;
    for (bool warm = false; now - from < milliseconds * 1e-3 * (warm ? 1 : 0.5);) {
      run(part, tokens);
      ++calls;
      now = measuring_clock(1);
      if (!warm && now - from >= milliseconds * 0.5e-3) {
        warm = true;
        from = now;
        calls = 0;
      }
    }
    return (now - from) * 1e6 / double(calls * tokens);
  }

 private:
  void run(Part part, size_t tokens) {
    if (next_ + tokens > ring_.tokens) next_ = 0;
    const float* x = &ring_.x[next_ * d_in_];
    if (part == Part::kAll) {
      check(lookupffn_forward(layer_, threads_, x, ptrdiff_t(d_in_), y_.data(), ptrdiff_t(d_out_), tokens, 0));
    } else if (part == Part::kHash) {
      check(lookupffn_hash(layer_, threads_, x, ptrdiff_t(d_in_), code_.data(), score_.data(), tokens));
    } else {
      check(lookupffn_gather(layer_, threads_, &ring_.code[next_ * tables_], &ring_.score[next_ * tables_], y_.data(),
                             ptrdiff_t(d_out_), tokens));
    }
    next_ += tokens;
  }

  TokenRing ring_;
  size_t d_in_, d_out_, tables_, next_ = 0;
  lookupffn_layer* layer_ = nullptr;
  lookupffn_threads* threads_ = nullptr;
  std::vector<float> y_, score_;
  std::vector<int32_t> code_;
};

int work(int argc, char** argv) {
  if (argc != 4) throw std::invalid_argument("use: placement_worker SHAPE TABLE_TYPE PROJECTION_TYPE");
  check(register_workload_kernels());
  Worker worker(argv[1], argv[2], argv[3]);
  std::string part;
  size_t tokens;
  double milliseconds;
  bool said = false;
  while (std::cin >> part >> tokens >> milliseconds) {
    const double us = worker.time(part_of(part), std::min(tokens, kLargestCall), milliseconds);
    if (!said) std::cout << worker.facts() << "\n";
    said = true;
    std::cout << us << std::endl;
  }
  return 0;
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  try {
    return lookupffn::bench::work(argc, argv);
  } catch (const std::exception& error) {
    std::cerr << "placement_worker: " << error.what() << "\n";
    return 1;
  }
}
