// Ours, through the public C API.
#include <stdexcept>

#include "contender.h"

namespace lookupffn::bench {
namespace {

void check(lookupffn_status status) {
  if (status != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
}

class Ours : public Contender {
 public:
  Ours(const Setting& setting, Types types) : setting_(setting) {
    lookupffn_pack_options options = {};
    options.isa = setting.isa.empty() ? nullptr : setting.isa.c_str();
    options.table_type = types.table;
    options.projection_type = types.projection;
    layer_.reset(pack_synthetic_layer(setting.layer, options));
    check(lookupffn_layer_describe(layer_.get(), &info_));
    lookupffn_threads* threads = nullptr;
    check(lookupffn_threads_create(setting.threads, &threads));
    threads_.reset(threads);
    y_.resize(setting.largest_call * d());
    code_.resize(setting.largest_call * tables());
    score_.resize(code_.size());
  }

  void run(Part part, size_t first, size_t tokens) override {
    const TokenRing& ring = setting_.ring;
    const float* x = &ring.x[first * d()];
    if (part == Part::kAll) {
      check(lookupffn_forward(layer_.get(), threads_.get(), x, d(), y_.data(), d(), tokens, 0));
    } else if (part == Part::kHash) {
      check(lookupffn_hash(layer_.get(), threads_.get(), x, d(), code_.data(), score_.data(), tokens));
    } else {
      check(lookupffn_gather(layer_.get(), threads_.get(), &ring.code[first * tables()], &ring.score[first * tables()],
                             y_.data(), d(), tokens));
    }
  }

  std::vector<float> y(size_t tokens) const override { return {y_.begin(), y_.begin() + tokens * d()}; }
  const int32_t* code() const override { return code_.data(); }
  const float* score() const override { return score_.data(); }
  std::string isa() const override { return info_.isa; }
  std::string schedule() const override { return info_.kernels; }
  std::string variant() const override { return info_.specialised ? "specialised" : "generic"; }
  std::string note() const override { return info_.fallback; }

 private:
  struct Free {
    void operator()(lookupffn_layer* layer) const { lookupffn_layer_free(layer); }
    void operator()(lookupffn_threads* threads) const { lookupffn_threads_free(threads); }
  };

  size_t d() const { return setting_.layer.workload.d; }
  size_t tables() const { return setting_.layer.workload.tables; }

  const Setting& setting_;
  std::unique_ptr<lookupffn_layer, Free> layer_;
  std::unique_ptr<lookupffn_threads, Free> threads_;
  lookupffn_layer_info info_ = {};
  std::vector<float> y_, score_;
  std::vector<int32_t> code_;
};

}  // namespace

ContenderKind lookupffn_contender() {
  return {
      "lookupffn",
      "this library",
      Computes::kLookupFfn,
      {Part::kAll, Part::kHash, Part::kGather},
      true,
      "",
      "",
      [](const Setting& setting, Types types) -> std::unique_ptr<Contender> { return std::make_unique<Ours>(setting, types); }};
}

}  // namespace lookupffn::bench
