// Ours, through the public C API, for layers of any family.
#include <algorithm>
#include <cstdio>
#include <stdexcept>

#include "contender.h"
#include "layer.h"

namespace lookupffn::bench {
namespace {

PackOptions pack_options(const Setting& setting, Types types) {
  PackOptions options{};
  options.isa = setting.isa.empty() ? nullptr : setting.isa.c_str();
  options.table_type = types.table;
  options.projection_type = types.projection;
  return options;
}

class OurLayer : public Contender {
 public:
  OurLayer(const ComparedLayer& compared, const Setting& setting, Types types)
      : compared_(compared), threads_(setting.threads) {
    const PackOptions options = pack_options(setting, types);
    lookupffn_layer* layer = nullptr;
    check(lookupffn_layer_pack(compared.model(), "", &options, &layer));
    layer_.reset(layer);
    check(lookupffn_layer_describe(layer, &info_));
    y_.resize(setting.largest_call * info_.shape.d_out);
    code_.resize(setting.largest_call * info_.shape.lookups);
    score_.resize(code_.size());
  }

  void run(Part part, size_t first, size_t tokens) override {
    check(reference::run_stage(compared_.stage(part), layer_.get(), threads_.get(), compared_.ring, first, tokens, code_.data(),
                               score_.data(), y_.data()));
  }

  std::vector<float> y(size_t tokens) const override {
    return {y_.begin(), y_.begin() + ptrdiff_t(tokens * info_.shape.d_out)};
  }
  const int32_t* code() const override { return code_.data(); }
  const float* score() const override { return score_.data(); }
  std::string isa() const override { return info_.isa; }
  std::string schedule() const override { return info_.kernels; }
  std::string variant() const override { return info_.specialised ? "specialised" : "generic"; }
  std::string note() const override { return info_.fallback; }
  std::string pages() const override {
    const PageChoice choice = layer_->sizes().weight_pages;
    if (choice.sets == 0) return "";
    char text[96];
    std::snprintf(text, sizeof text, "the fastest of %zu sets of pages; the slowest is read in %.2f times the time",
                  choice.sets, choice.spread());
    return text;
  }

 private:
  struct Free {
    void operator()(lookupffn_layer* layer) const { lookupffn_layer_free(layer); }
  };

  const ComparedLayer& compared_;
  const Threads threads_;
  std::unique_ptr<lookupffn_layer, Free> layer_;
  lookupffn_layer_info info_ = {};
  std::vector<float> y_, score_;
  std::vector<int32_t> code_;
};

}  // namespace

ContenderKind our_contender() {
  return {"lookupffn",
          "this library",
          ContenderKind::Computes::kOurs,
          {},
          "",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types types) -> std::unique_ptr<Contender> {
            return std::make_unique<OurLayer>(layer, setting, types);
          }};
}

}  // namespace lookupffn::bench
