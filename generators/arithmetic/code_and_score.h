// From projections to a table's row and its weight.
#ifndef LOOKUPFFN_CODE_AND_SCORE_H
#define LOOKUPFFN_CODE_AND_SCORE_H

#include <map>
#include <string>
#include <vector>

#include "Halide.h"
#include "exp_of_negative.h"

namespace lookupffn {

// The bit of a z that is 0, or -0.
enum class ZeroBit { kZero, kOne };

inline const std::map<std::string, ZeroBit>& zero_bit_names() {
  static const std::map<std::string, ZeroBit> names = {{"zero", ZeroBit::kZero}, {"one", ZeroBit::kOne}};
  return names;
}

// Whether z sets its bit. Never where it is NaN.
inline Halide::Expr sets_bit(const Halide::Expr& z, ZeroBit zero) { return zero == ZeroBit::kOne ? z >= 0.0f : z > 0.0f; }

// code  = sum_j (z[j] > 0) << (bits - 1 - j), or z[j] >= 0
// score = sum_j |z[j]| / prod_j (1 + exp(-2 |z[j]|))
struct CodeAndScore {
  std::vector<Halide::Func> parted;  // see part(); the last is z[t * bits + j]: t, j, n
  Halide::Func factor{"factor"};     // j, t, n
  Halide::Expr code, score;          // of table t, token n

  // z: [tokens, tables * bits]
  CodeAndScore(const Halide::Func& z, int bits, ZeroBit zero, const Halide::Var& t, const Halide::Var& n) {
    using namespace Halide;
    Var j("j");
    part(z, bits, t, j, n);
    const auto z_of = [&](const Expr& bit) { return parted.empty() ? z(t * bits + bit, n) : parted.back()(t, bit, n); };
    // factor[j] = 1 + exp(-2 |z[j]|)
    factor(j, t, n) = strict_float(1.0f + exp_of_negative(-2.0f * abs(z_of(j))));
    code = cast<uint16_t>(0);
    Expr sum = 0.0f, product = 1.0f;
    for (int bit = 0; bit < bits; ++bit) {
      Expr value = z_of(bit);
      code = code | cast<uint16_t>(select(sets_bit(value, zero), 1 << (bits - 1 - bit), 0));
      sum += abs(value);
      product *= factor(bit, t, n);
    }
    score = strict_float(sum / product);
  }

  // Computes the factors of a vector of tables in registers, inside `consumer`'s loop over vectors of tables.
  void schedule(Halide::Func consumer, const Halide::Var& loop, int lanes) {
    Halide::Var j = factor.args()[0], t = factor.args()[1];
    factor.compute_at(consumer, loop).reorder_storage(t, j, factor.args()[2]).store_in(Halide::MemoryType::Register).unroll(j);
    if (lanes > 1) factor.vectorize(t, lanes);
    for (Halide::Func f : parted) {
      f.compute_at(consumer, loop).store_in(Halide::MemoryType::Register).unroll(f.args()[1]);
      if (lanes > 1) f.vectorize(f.args()[0], lanes);
      f.unroll(f.args()[0]);
    }
  }

 private:
  // A vector of tables reads every bits-th z, which is a slow instruction. Where bits is a power of two, z is
  // taken apart into even and odd elements, these again, and so on: two loads and a shuffle each.
  //
  //   parted[l][k, j] = z[k 2^(l+1) + j],  j < 2^(l+1)
  void part(const Halide::Func& z, int bits, const Halide::Var& t, const Halide::Var& j, const Halide::Var& n) {
    using namespace Halide;
    if ((bits & (bits - 1)) != 0) return;
    for (int size = 1; size < bits; size *= 2) {
      Func next("parted" + std::to_string(2 * size));
      Expr even_or_odd = j / size;
      next(t, j, n) = parted.empty() ? z(2 * t + even_or_odd, n) : parted.back()(2 * t + even_or_odd, j % size, n);
      parted.push_back(next);
    }
  }
};

}  // namespace lookupffn
#endif
