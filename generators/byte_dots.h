// Sums of int8 rows by instructions that multiply four bytes at a time: VPDPBUSD of AVX-512 VNNI, UDOT of Arm.
#ifndef LOOKUPFFN_BYTE_DOTS_H
#define LOOKUPFFN_BYTE_DOTS_H

#include <vector>

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// A quad is what four tables have in a column: a word of four int8, the first table's in the low byte. Rows are stored so that
// four rows become quads by shuffles within 16 bytes: of every 64 columns, column 16 q + 4 l + r is byte 16 l + 4 q + r
// (registry/row_format.h has the same for who packs).
constexpr int kQuadColumns = 64;  // of four rows that are made quads together
constexpr int kQuadVectors = 4;   // of quads that they make
constexpr int kQuadLanes = 16;

// The lanes of the vectors that these functions take: kQuadLanes, or a part of them where vectors are shorter.
int quad_vector_lanes(const Halide::Target& target);

// Quads 16 q + 0..15 of 64 columns, from 16 words of each of four rows. q: a constant.
Halide::Expr quads(const std::vector<Halide::Expr>& rows, int q);

// What is to be added to a quad's bytes before quad_dot: Arm has no product of unsigned and signed bytes before Armv8.6, so
// rows are made unsigned. 0: nothing.
int quad_offset(const Halide::Target& target);
Halide::Expr with_offset(const Halide::Expr& quad, const Halide::Target& target);

// sum + the dot product of weights, four bytes from 0 to 255, and a quad, whose bytes have the offset added.
Halide::Expr quad_dot(const Halide::Expr& sum, const Halide::Expr& weights, const Halide::Expr& quad);

// What these call, for a generator's functions. For vectors of quad_vector_lanes() only.
InlinedFunctions byte_dot_functions(const Halide::Target& target);

}  // namespace lookupffn
#endif
