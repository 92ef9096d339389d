// The embedding bag as anybody would write it, bags in parallel by OpenMP.
#include "bag_work.h"
#include "embedding_bag_compared.h"
#include "plain_bag.h"

namespace lookupffn::bench {
namespace {

class PlainBag : public Contender {
 public:
  PlainBag(const ComparedBags& layer, const Setting& setting) : layer_(layer), threads_(setting.threads) {
    for (size_t b = 0; b < setting.largest_call; ++b) offsets_.push_back(int64_t(b * kIdsOfBag));
    y_.resize(setting.largest_call * d_out());
  }

  void run(Part, size_t first, size_t bags) override {
    const auto threads = ptrdiff_t(threads_);
#pragma omp parallel for num_threads(threads) schedule(static) if (threads > 1)
    for (ptrdiff_t thread = 0; thread < threads; ++thread) {
      const size_t from = bags * size_t(thread) / threads_, to = bags * size_t(thread + 1) / threads_;
      plain_bag(layer_.table(), d_out(), &layer_.ring.ids[(first + from) * kIdsOfBag], (to - from) * kIdsOfBag, offsets_.data(),
                to - from, &y_[from * d_out()]);
    }
  }

  std::vector<float> y(size_t bags) const override { return {y_.begin(), y_.begin() + ptrdiff_t(bags * d_out())}; }
  std::string isa() const override { return "native"; }
  std::string schedule() const override { return "-O3 -march=native"; }

 private:
  size_t d_out() const { return size_t(layer_.shape.d_out); }

  const ComparedBags& layer_;
  const size_t threads_;
  std::vector<int64_t> offsets_;
  std::vector<float> y_;
};

}  // namespace

ContenderKind plain_bag_contender() {
  return plain_contender([](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
    return std::make_unique<PlainBag>(bags_of(layer), setting);
  });
}

}  // namespace lookupffn::bench
