// Google Benchmark suite over the kernels: every workload, ISA that this machine runs, table type, part and
// number of tokens. Names read small512_t128/gather/avx512/f32/tokens:64, so that
// --benchmark_filter='gather/avx512/' does what it says. --library=DIR loads a kernel library that `lookupffn
// build` made; what it holds is used where it fits.
#include <benchmark/benchmark.h>

#include <cstdio>
#include <cstring>
#include <memory>
#include <stdexcept>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "lookupffn_workloads.h"
#include "part.h"
#include "synthetic_layer.h"
#include "weight_types.h"
#include "workload_kernels_of_build.h"

namespace lookupffn::bench {
namespace {

constexpr size_t kTokens[] = {1, 8, 64, 512, 2048};
constexpr size_t kLargestCall = 2048;
constexpr Part kParts[] = {Part::kAll, Part::kHash, Part::kGather};

struct Case {
  const Workload* workload;
  Part part;
  std::string isa;
  const WeightType* table_type;
};

// What a case runs on. Benchmarks run in the order of their registration, so the last one made is kept: a
// filter that leaves a workload out never makes its layer.
class Bench {
 public:
  explicit Bench(const Workload& workload)
      : layer_(make_synthetic_layer(workload, Codes::kRandom)), ring_(make_token_ring(layer_, kLargestCall)) {
    if (lookupffn_threads_create(1, &threads_) != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
    y_.resize(kLargestCall * workload.d);
    code_.resize(kLargestCall * workload.tables);
    score_.resize(code_.size());
  }
  ~Bench() {
    lookupffn_layer_free(packed_);
    lookupffn_threads_free(threads_);
  }
  Bench(const Bench&) = delete;
  Bench& operator=(const Bench&) = delete;

  const Workload& workload() const { return layer_.workload; }
  size_t ring_tokens() const { return ring_.tokens; }

  void pack(const std::string& isa, lookupffn_type type) {
    if (packed_ != nullptr && isa == isa_ && type == type_) return;
    lookupffn_layer_free(packed_);
    packed_ = nullptr;
    lookupffn_pack_options options = {};
    options.isa = isa.c_str();
    options.table_type = type;
    packed_ = pack_synthetic_layer(layer_, options);
    isa_ = isa;
    type_ = type;
  }

  // What the layer runs on.
  std::string label() const {
    lookupffn_layer_info info;
    lookupffn_layer_describe(packed_, &info);
    return info.specialised ? "specialised" : "generic";
  }

  lookupffn_status run(Part part, size_t first, size_t tokens) {
    const size_t d = workload().d, tables = workload().tables;
    const float* x = &ring_.x[first * d];
    if (part == Part::kAll) return lookupffn_forward(packed_, threads_, x, d, y_.data(), d, tokens, 0);
    if (part == Part::kHash) return lookupffn_hash(packed_, threads_, x, d, code_.data(), score_.data(), tokens);
    return lookupffn_gather(packed_, threads_, &ring_.code[first * tables], &ring_.score[first * tables], y_.data(), d, tokens);
  }

 private:
  SyntheticLayer layer_;
  TokenRing ring_;
  lookupffn_threads* threads_ = nullptr;
  lookupffn_layer* packed_ = nullptr;
  std::string isa_;
  lookupffn_type type_ = LOOKUPFFN_F32;
  std::vector<float> y_, score_;
  std::vector<int32_t> code_;
};

void run_case(benchmark::State& state, const Case& one) {
  static std::unique_ptr<Bench> bench;
  try {
    if (bench == nullptr || &find_workload(bench->workload().name) != one.workload) {
      bench.reset();
      bench = std::make_unique<Bench>(*one.workload);
    }
    bench->pack(one.isa, one.table_type->type);
  } catch (const std::exception& error) {
    state.SkipWithError(error.what());
    return;
  }
  const auto tokens = static_cast<size_t>(state.range(0));
  size_t next = 0;
  for (auto _ : state) {
    if (next + tokens > bench->ring_tokens()) next = 0;
    if (bench->run(one.part, next, tokens) != LOOKUPFFN_OK) {
      state.SkipWithError(lookupffn_last_message());
      break;
    }
    next += tokens;
  }
  state.SetItemsProcessed(static_cast<int64_t>(state.iterations() * tokens));
  state.SetLabel(bench->label());
}

void register_cases() {
  for (const Workload& workload : workloads()) {
    for (size_t i = 0; i < lookupffn_isa_count(); ++i) {
      lookupffn_isa_info isa;
      if (lookupffn_isa_at(i, &isa) != LOOKUPFFN_OK || !isa.built_in || !isa.runnable) continue;
      for (const WeightType& type : kWeightTypes) {
        if (!type.for_tables) continue;
        for (const Part part : kParts) {
          // The hash does not touch the tables.
          if (type.type != LOOKUPFFN_F32 && part == Part::kHash) continue;
          const Case one = {&workload, part, isa.name, &type};
          const std::string name = workload.name + "/" + name_of(part) + "/" + isa.name + "/" + type.name;
          auto* registered =
              benchmark::RegisterBenchmark(name.c_str(), [one](benchmark::State& state) { run_case(state, one); });
          registered->ArgName("tokens")->UseRealTime()->Unit(benchmark::kMicrosecond);
          for (size_t tokens : kTokens) registered->Arg(static_cast<int64_t>(tokens));
        }
      }
    }
  }
}

}  // namespace
}  // namespace lookupffn::bench

int main(int argc, char** argv) {
  if (lookupffn::bench::register_workload_kernels() != LOOKUPFFN_OK) {
    std::fprintf(stderr, "lookupffn_bench: %s\n", lookupffn_last_message());
    return 1;
  }
  const std::string option = "--library=";
  for (int i = 1; i < argc; ++i) {
    if (std::strncmp(argv[i], option.c_str(), option.size()) != 0) continue;
    if (lookupffn_load_kernels(argv[i] + option.size(), nullptr) != LOOKUPFFN_OK) {
      std::fprintf(stderr, "lookupffn_bench: %s\n", lookupffn_last_message());
      return 1;
    }
    for (int j = i; j + 1 < argc; ++j) argv[j] = argv[j + 1];
    --argc;
    --i;
  }
  lookupffn::bench::register_cases();
  benchmark::Initialize(&argc, argv);
  if (benchmark::ReportUnrecognizedArguments(argc, argv)) return 1;
  benchmark::RunSpecifiedBenchmarks();
  benchmark::Shutdown();
  return 0;
}
