// Embedding bags beside libtorch's embedding_bag, a plain loop, and the fastest read of the same rows. All of a line are
// sampled in turn, so its ratios hold; usage: lookupffn_compare_bags [rows] [d_out] [ids a bag] [threads].
#include <algorithm>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <functional>
#include <memory>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include "bag_kernels.h"
#include "lookupffn/lookupffn.hpp"
#include "meter.h"
#include "native_build.h"
#include "plain_bag.h"
#include "reference/reference_family.h"
#include "row_reads.h"
#ifdef LOOKUPFFN_BENCH_TORCH
#include <torch/torch.h>
#endif

namespace lookupffn::bench {
namespace {

struct Options {
  size_t rows = 1000000, d_out = 128, ids = 20, threads = 1;
};

// More rows than a cache holds, so that none finds there what another has just read.
constexpr size_t kRing = 65536;

// Fresh bags for each call, whose ids cover the table.
struct Ring {
  size_t bags;
  std::vector<int64_t> ids, offsets;
  std::vector<int32_t> codes;  // ids

  Ring(size_t bags_of_ring, const Options& options, uint64_t seed) : bags(bags_of_ring) {
    std::mt19937_64 random(seed);
    for (size_t i = 0; i < bags * options.ids; ++i) ids.push_back(int64_t(random() % options.rows));
    for (size_t b = 0; b < bags; ++b) offsets.push_back(int64_t(b * options.ids));
    codes.assign(ids.begin(), ids.end());
  }
};

struct Contender {
  std::string name;
  size_t row_bytes;
  std::function<void(const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y)> call;
};

void run(const Options& options) {
  lookupffn_shape shape{};
  shape.rows = options.rows;
  shape.d_out = options.d_out;
  const std::vector<uint8_t> bytes = reference::reference_family("embedding_bag").random_model(shape, 1);
  const Model model(bytes.data(), bytes.size());
  if (bag_kernels_register() != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
  // The table is at the end of the file.
  const size_t floats = options.rows * options.d_out;
  const float* const table = reinterpret_cast<const float*>(bytes.data() + bytes.size() - floats * sizeof(float));
  const Threads threads(options.threads);

  std::vector<Contender> contenders;
  std::vector<std::unique_ptr<Layer>> layers;
  for (const lookupffn_kernels kernels : {LOOKUPFFN_ANY_KERNELS, LOOKUPFFN_GENERIC_KERNELS}) {
    for (const TypeInfo& type : types()) {
      if (!type.for_tables) continue;
      PackOptions pack{};
      pack.kernels = kernels;
      pack.table_type = type.type;
      layers.push_back(std::make_unique<Layer>(model, "", pack));
      const Layer* const layer = layers.back().get();
      const std::string kind = layer->info().specialised ? " specialised" : " generic";
      contenders.push_back({std::string("lookupffn ") + type.name + kind, options.d_out * size_t(type.bits) / 8,
                            [=, &threads](const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y) {
                              layer->forward_ids(&threads, ids, count, offsets, bags, nullptr, y, ptrdiff_t(options.d_out));
                            }});
    }
  }
  const size_t row_bytes = options.d_out * sizeof(float);
  // Huge pages for the plain loop as for ours.
  HugeBuffer copy(floats * sizeof(float));
  std::memcpy(const_cast<char*>(copy.data()), table, floats * sizeof(float));
  const float* const huge = reinterpret_cast<const float*>(copy.data());
  if (native_build_missing().empty() && options.threads == 1) {
    contenders.push_back(
        {"plain loop", row_bytes, [=](const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y) {
           plain_bag(huge, options.d_out, ids, count, offsets, bags, y);
         }});
  }
#ifdef LOOKUPFFN_BENCH_TORCH
  at::set_num_threads(int(options.threads));
  const int64_t d = int64_t(options.d_out);
  const torch::Tensor weight = torch::from_blob(const_cast<float*>(huge), {int64_t(options.rows), d}, torch::kFloat32);
  contenders.push_back({"libtorch " TORCH_VERSION, row_bytes,
                        [=](const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y) {
                          const c10::InferenceMode no_gradients;
                          const auto index = torch::from_blob(const_cast<int64_t*>(ids), {int64_t(count)}, torch::kInt64);
                          const auto offset = torch::from_blob(const_cast<int64_t*>(offsets), {int64_t(bags)}, torch::kInt64);
                          // mode 0: sum
                          const torch::Tensor sums = std::get<0>(at::embedding_bag(weight, index, offset, false, 0, false));
                          y[0] = sums.data_ptr<float>()[0];
                          if (y[1] == -1) std::memcpy(y, sums.data_ptr<float>(), bags * options.d_out * sizeof(float));
                        }});
#endif

  for (const size_t bags : {1, 32, 1024}) {
    const Ring ring(kRing, options, 1);
    std::vector<float> y(bags * options.d_out), first;
    std::vector<Meter> meters;
    for (const Contender& contender : contenders) {
      const auto call = [&](size_t from) {
        const size_t begin = from * options.ids;
        contender.call(ring.ids.data() + begin, bags * options.ids, ring.offsets.data(), bags, y.data());
      };
      std::fill(y.begin(), y.end(), -1.0f);
      call(0);
      if (first.empty()) first = y;
      double error = 0;
      for (size_t k = 0; k < y.size(); ++k) error = std::max(error, double(std::abs(y[k] - first[k])));
      if (contender.row_bytes == row_bytes && !(error < 1e-3)) throw std::runtime_error(contender.name + " is wrong");
      meters.emplace_back(time_calls(call, bags, ring.bags));
    }
    const size_t padded = (row_bytes + 63) / 64 * 64;
    std::vector<std::unique_ptr<Ring>> rings;
    std::vector<std::unique_ptr<RowReads>> reads;
    std::vector<RowReads::Plan> plans;
    for (const size_t ahead : {0, 8, 16}) {
      rings.push_back(std::make_unique<Ring>(kRing, options, 2 + ahead));
      reads.push_back(
          std::make_unique<RowReads>(1, options.rows, padded, rings.back()->codes.data(), rings.back()->codes.size()));
      plans.push_back(reads.back()->plan({1, padded, ahead, false}, bags * options.ids, options.threads));
    }
    const size_t calls = std::max<size_t>(1, 20000 / (bags * options.ids));
    for (RowReads::Plan& plan : plans) {
      meters.emplace_back([&plan, calls, &options] { return 1e6 * plan.sample(calls) * double(options.ids); });
    }
    std::vector<Meter*> all;
    for (Meter& meter : meters) all.push_back(&meter);
    sample_in_turn(all, 21, options.threads);
    double bound = 1e30;
    for (size_t k = contenders.size(); k < meters.size(); ++k) bound = std::min(bound, meters[k].median());
    std::printf("%zu bags of %zu ids a call, table [%zu, %zu], %zu threads, ISA %s\n", bags, options.ids, options.rows,
                options.d_out, options.threads, active_isa());
    for (size_t k = 0; k < contenders.size(); ++k) {
      const double us = meters[k].median();
      std::printf("  %-28s %8.3f us a bag, spread %4.1f %%, %6.1f GB/s of rows, f32 rows' bound is %.2f of it\n",
                  contenders[k].name.c_str(), us, 100 * meters[k].spread(),
                  double(contenders[k].row_bytes * options.ids) / us / 1e3, bound / us);
    }
    std::printf("  %-28s %8.3f us a bag, %6.1f GB/s\n", "reading f32 rows", bound,
                double(row_bytes * options.ids) / bound / 1e3);
  }
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  try {
    lookupffn::bench::Options options;
    size_t* const values[] = {&options.rows, &options.d_out, &options.ids, &options.threads};
    for (int k = 1; k < argc && k <= 4; ++k) *values[k - 1] = std::max<size_t>(1, std::strtoull(argv[k], nullptr, 10));
    lookupffn::bench::run(options);
    return 0;
  } catch (const std::exception& error) {
    std::fprintf(stderr, "%s\n", error.what());
    return 1;
  }
}
