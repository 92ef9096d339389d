// Panels multiplied as floats, by vectors of outputs.
#ifndef LOOKUPFFN_FLOAT_PRODUCT_H
#define LOOKUPFFN_FLOAT_PRODUCT_H

#include <algorithm>

#include "Halide.h"
#include "multiply_add.h"
#include "panel_product.h"
#include "stack_storage.h"

namespace lookupffn {

class FloatProduct : public PanelProduct {
 public:
  explicit FloatProduct(const Panels& of)
      : outputs_(of.outputs), sum(of.name), i(0, packed_inputs(of.inputs, of.type), of.name + "_i") {
    using namespace Halide;
    // sum[panel, o] = sum_i W[panel, o, i] in[i]
    sum(o, low, high, n, repeat) = sum_start();
    sum(o, low, high, n, repeat) = multiply_add(unpacked_weight(of.weight, o, i, of.panel, of.inputs, of.type),
                                                of.in(packed_input(i, of.inputs, of.type)), sum(o, low, high, n, repeat));
  }

  Halide::Func result() override { return sum; }
  Halide::Func in_memory() override { return sum.in(); }
  std::string reduction() const override { return i.x.name(); }

  // A register tile: tokens x panels x vectors of outputs.
  void schedule(const ProductSchedule& by) override {
    using namespace Halide;
    const int lanes = by.lanes, vectors = std::max(1, std::min(by.output_vectors, outputs_ / lanes));
    Var ov("ov"), oo("oo"), nn("nn"), nr("nr"), mr("mr");
    Func copied = in_memory();
    keep_on_stack(copied.reorder_storage(o, n, low, high, repeat));
    copied.split(o, oo, o, lanes * vectors)
        .split(o, o, ov, lanes)
        .vectorize(ov)
        .unroll(o)
        .split(n, nn, nr, by.token_registers)
        .unroll(nr)
        .split(low, low, mr, by.panels, TailStrategy::GuardWithIf)
        .unroll(mr)
        .reorder(ov, o, nr, mr, nn, oo, low, high, repeat);
    if (by.order == ProductOrder::kOutputs) copied.reorder(oo, nn);
    if (by.order == ProductOrder::kTokens) copied.reorder(oo, low, high, nn);
    const Var innermost = by.order == ProductOrder::kPanels ? nn : oo;
    sum.compute_at(copied, innermost).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    sum.update().reorder(o, n, low, i).vectorize(o, lanes).unroll(o).unroll(n).unroll(low);
    if (by.reduction_unroll > 1) sum.update().unroll(i, by.reduction_unroll);
  }

 private:
  const int outputs_;
  Halide::Func sum;
  Halide::RDom i;
};

}  // namespace lookupffn
#endif
