// Gradients of the tables' rows and of scores.
#ifndef LOOKUPFFN_ROW_GRADIENTS_H
#define LOOKUPFFN_ROW_GRADIENTS_H

#include <cstddef>
#include <cstdint>

#include "hash.h"
#include "lookupffn/lookupffn.h"
#include "rows.h"
#include "training_kernels.h"

namespace lookupffn {

// Pairs of a token and a table, by table, then by row, then by token.
struct PairOrder {
  size_t tables, rows, tokens;
  int32_t* token;   // [tables, tokens]
  uint32_t* begin;  // [tables, rows + 1]: where a row's tokens begin among its table's
  size_t* picked;   // [tables + 1]: how many rows some token picked, of the tables before

  // Bytes that they take.
  static size_t bytes(size_t tables, size_t rows, size_t tokens);
  PairOrder(size_t tables, size_t rows, size_t tokens, char* memory);

  // The tokens of one table. The tables' `picked` are to be added up afterwards.
  void sort(size_t table, const CodeRows& codes);
  void add_up_picked();
};

// What becomes of a row's gradient: one of these, or nothing.
struct RowGradients {
  float* tables;                   // [tables, rows, d_out]
  float* rows;                     // [picked, d_out]
  const lookupffn_row_adam* adam;  // the row is updated
  const char* isa;                 // for adam
};

// d_row = sum of score * d_y, d_score = row . d_y. tables [tables, rows, d_out]; d_score [tokens, stride]. Throws Failure.
void row_gradients(const TrainingKernels& kernels, lookupffn_threads& threads, const PairOrder& order, const CodeRows& codes,
                   const float* tables, size_t d_out, const InputRows& d_y, const RowGradients& to, const FloatRows& d_score);

}  // namespace lookupffn
#endif
