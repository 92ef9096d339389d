// The projections' inner step: products of small matrices, the panels.
//
//   product[panel, o] = sum_i W[panel, o, i] in[i],     o = 0..outputs-1
//
// A dense projection is cut into panels of as many outputs, which all read h; a BH4 stage has a panel a block, which reads
// its own block. o is contiguous in memory, so a vector of outputs is one load.
#ifndef LOOKUPFFN_PANEL_PRODUCT_H
#define LOOKUPFFN_PANEL_PRODUCT_H

#include <functional>
#include <string>
#include <vector>

#include "Halide.h"
#include "packed_types.h"

namespace lookupffn {

// What is multiplied.
struct Panels {
  std::string name;
  int inputs = 0, outputs = 0;             // of a panel
  PackedType type = PackedType::f32;       // of the weights
  Halide::Expr panel;                      // its index, of low, high and repeat
  std::vector<Halide::Var> in_depends_on;  // of low, high, n, repeat
  std::function<Halide::Expr(Halide::Expr i)> in;
  Halide::Func weight;  // o, i, panel, as packed_types.h says
};

// How it is multiplied: what registers hold of a product at a time, and how many of its steps a loop iteration takes.
enum class ProductOrder { kPanels, kOutputs, kTokens };

struct ProductSchedule {
  int lanes = 1, token_registers = 1, output_vectors = 1, panels = 1, reduction_unroll = 1;
  int token_tile = 1;  // tokens of the whole product
  int word_steps = 1;  // steps of 32 inputs whose words for tiles a loop iteration makes
  // The loops over register tiles of floats, from the outermost: panels, outputs, tokens; panels, tokens, outputs; or tokens,
  // panels, outputs.
  ProductOrder order = ProductOrder::kPanels;
};

class PanelProduct {
 public:
  virtual ~PanelProduct() = default;

  // The product: o, low, high, n, repeat. A panel's index has two digits, as in CrossBlockHadamard.
  virtual Halide::Func result() = 0;

  // The product in memory, and where it takes its inputs in another form, these: for the caller to place.
  virtual Halide::Func in_memory() = 0;
  virtual Halide::Func inputs_in_memory() { return {}; }
  // The loop over inputs that reads weights as they are in memory; "": there is none.
  virtual std::string reduction() const { return ""; }

  // How in_memory() comes from registers, and these from inputs.
  virtual void schedule(const ProductSchedule& by) = 0;

 protected:
  Halide::Var o{"o"}, low{"low"}, high{"high"}, n{"n"}, repeat{"repeat"};
};

}  // namespace lookupffn
#endif
