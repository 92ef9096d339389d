// A layer with made-up weights and the tokens that it is timed on.
#ifndef LOOKUPFFN_BENCH_SYNTHETIC_LAYER_H
#define LOOKUPFFN_BENCH_SYNTHETIC_LAYER_H

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "lookupffn_workloads.h"

namespace lookupffn::bench {

// How codes are spread over a table's rows.
//   kRandom: evenly; every row is as likely as another.
//   kSkewed: like the trained byte language model's (examples/byte_lm). Over its evaluation text a code of
//   its
//     first layer has 7.21 bits of entropy in the mean, one of its second layer 4.56 (of 8). Here bit j of
//     table t is set with probability Phi(s g[t,j]), g normal; even tables have the s for which the mean
//     entropy is the first layer's, odd tables that of the second. In the layer this is a shift of the
//     projection's bias.
enum class Codes { kRandom, kSkewed };

// Throws std::invalid_argument for a name that is neither "random" nor "skewed".
Codes codes_of_name(const std::string& name);

constexpr float kDecay = 0.7f;
constexpr float kLayerNormEps = 1e-5f;

struct SyntheticLayer {
  Workload workload;
  std::vector<float> gamma, beta;      // [d]
  std::vector<float> weight;           // dense: [tables*bits, d]; BH4: [repeats, 4, p/block, block, block]
  std::vector<float> projection_bias;  // [tables*bits]
  std::vector<float> table;            // [tables, rows, d_out]
  std::vector<float> bias;             // [d_out]
  std::vector<float> bit_probability;  // [tables*bits], that the bit is set

  std::vector<uint8_t> model_bytes() const;  // as a safetensors file, F32
};

// Weights are scaled so that z and y are of the order of 1.
SyntheticLayer make_synthetic_layer(const Workload& workload, Codes codes);

// The layer packed; to be freed with lookupffn_layer_free. Throws std::runtime_error with the library's
// message.
lookupffn_layer* pack_synthetic_layer(const SyntheticLayer& layer, const lookupffn_pack_options& options);

// Tokens that every contender goes round, so that a timed call meets fresh ones: enough of them that their
// codes cover all tables. Codes and scores are for the gather alone: drawn from the layer's distribution of
// codes, not computed from x.
struct TokenRing {
  size_t tokens;
  std::vector<float> x;       // [tokens, d]
  std::vector<int32_t> code;  // [tokens, tables]
  std::vector<float> score;   // [tokens, tables]
};

// At least 4096 tokens (16 for each of 256 rows) and two calls of `largest_call` tokens.
TokenRing make_token_ring(const SyntheticLayer& layer, size_t largest_call);

}  // namespace lookupffn::bench
#endif
