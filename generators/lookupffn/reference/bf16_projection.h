// The projection of a layer that is packed with bf16 weights. What is rounded are the packed matrices, which have the Hadamard
// transform within a block, and decay, folded in: no layer of the model file has just these weights.
#ifndef LOOKUPFFN_BF16_PROJECTION_H
#define LOOKUPFFN_BF16_PROJECTION_H

#include <vector>

#include "lookupffn/lookupffn.h"
#include "lookupffn_formulas.h"
#include "plain_layer.h"

namespace lookupffn::reference {

// h [tokens, d_in] -> z [tokens, tables, bits], with exactly the rounded weights.
std::vector<double> bf16_projection(const Layer& layer, const std::vector<double>& h);

// The whole layer with its projection packed as a type: bf16 rounds weights, f32 and bf16x3 do not.
Result forward(const Layer& layer, const std::vector<float>& x, lookupffn_type projection_type);

}  // namespace lookupffn::reference
#endif
