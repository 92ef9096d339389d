// The gradients of a LookupFFN layer as naive loops in double precision: the twin of its training kernels.
#ifndef LOOKUPFFN_LOOKUPFFN_GRADIENTS_H
#define LOOKUPFFN_LOOKUPFFN_GRADIENTS_H

#include <vector>

#include "plain_layer.h"

namespace lookupffn::reference {

// Of the shapes of what they are gradients of.
struct Gradients {
  std::vector<double> x, gamma, beta, weight, projection_bias, table, bias;
};

// d score[t] / d z[t, j] = sign(z[t, j]) prod_k sigmoid(2 |z[t, k]|) (1 + 2 sum_k |z[t, k]| sigmoid(-2 |z[t, j]|)).
// z [tokens, tables, bits], d_score [tokens, tables] -> d_z
std::vector<double> score_gradient(const Layer& layer, const std::vector<double>& z, const std::vector<double>& d_score);

// The gradients of sum_n d_y[n] . y[n], codes held fixed. x [tokens, d_in], d_y [tokens, d_out]
Gradients gradients(const Layer& layer, const std::vector<float>& x, const std::vector<float>& d_y);

}  // namespace lookupffn::reference
#endif
