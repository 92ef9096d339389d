// Weights of a sum of rows as whole numbers.
#ifndef LOOKUPFFN_QUANTISED_WEIGHTS_H
#define LOOKUPFFN_QUANTISED_WEIGHTS_H

#include <vector>

#include "Halide.h"

namespace lookupffn {

// w[t] is about unit[t / kGroup] q[t], q from 0 to 65535: off by at most half a unit, which is the group's largest weight
// in 65535. Weights must not be negative; one that is not finite makes its group's unit so.
struct QuantisedWeights {
  static constexpr int kGroup = 16;

  Halide::Func largest{"largest"}, unit{"unit"}, units_a_weight{"units_a_weight"};  // group, n
  Halide::Func bytes{"bytes"};                                                      // t, byte (0: the low one), n
  Halide::Func sum{"sum"};                                                          // group, n: of q

  QuantisedWeights(const Halide::Func& w, const Halide::Var& t, const Halide::Var& n) : w_(w), n_(n) {
    using namespace Halide;
    Var group("group"), byte("byte");
    // largest[g] = max over the weights w[t] of group g. As integers, floats from 0 on are in the same order, and what is not
    // finite comes last.
    std::vector<Expr> numbers;
    for (int k = 0; k < kGroup; ++k) numbers.push_back(reinterpret<int32_t>(w(group * kGroup + k, n)));
    for (; numbers.size() > 1; numbers.resize(numbers.size() / 2)) {
      for (size_t k = 0; k < numbers.size() / 2; ++k) numbers[k] = max(numbers[2 * k], numbers[2 * k + 1]);
    }
    largest(group, n) = reinterpret<float>(numbers[0]);
    // unit[g] = largest[g] / 65535
    unit(group, n) = strict_float(largest(group, n) * (1.0f / 65535));
    // units_a_weight[g] = 65535 / largest[g]. Beneath 1e-30 the quotient would overflow, and rows of such weights are nothing
    // beside any other.
    units_a_weight(group, n) = strict_float(select(largest(group, n) > 1e-30f, 65535.0f / largest(group, n), 0.0f));
    // bytes[t] = the low and the high byte of q[t] = round(w[t] units_a_weight[g])
    Expr units = units_a_weight(t / kGroup, n);
    Expr number = cast<uint32_t>(strict_float(select(units > 0.0f, w(t, n) * units + 0.5f, 0.0f)));
    bytes(t, byte, n) = cast<uint8_t>(select(byte == 0, number, number >> 8) & 255);
    // sum[g] = sum over the tables t of group g of q[t]
    Expr all = 0;
    for (int k = 0; k < kGroup; ++k) {
      Expr at = group * kGroup + k;
      all += cast<int32_t>(bytes(at, 0, n)) + (cast<int32_t>(bytes(at, 1, n)) << 8);
    }
    sum(group, n) = all;
    byte_ = byte;
    group_ = group;
    t_ = t;
  }

  // The same byte of the numbers of tables t..t+3, in a word.
  Halide::Expr quad(const Halide::Expr& t, int byte) const {
    using namespace Halide;
    Expr word = cast<uint32_t>(bytes(t, byte, n_));
    for (int k = 1; k < 4; ++k) word = word | cast<uint32_t>(bytes(t + k, byte, n_)) << (8 * k);
    return word;
  }

  // Computes those of so many groups inside a loop of `consumer` (over tokens, blocks of them or groups), on the stack.
  void compute_at(Halide::Func consumer, const Halide::VarOrRVar& loop, int groups) {
    const Halide::LoopLevel level(consumer, loop);
    for (Halide::Func* f : {&w_, &largest, &unit, &units_a_weight, &bytes, &sum}) {
      f->compute_at(level).store_in(Halide::MemoryType::Register);
    }
    for (Halide::Func* f : {&w_, &bytes}) f->bound_extent(t_, groups * kGroup).vectorize(t_, kGroup);
    for (Halide::Func* f : {&largest, &unit, &units_a_weight, &sum}) f->bound_extent(group_, groups);
    bytes.unroll(byte_);
  }

 private:
  Halide::Func w_;
  Halide::Var n_, byte_, group_, t_;
};

}  // namespace lookupffn
#endif
