// Matrix products on AMX's tile registers.
//
// Halide 14 has such a lowering, but feeds the tiles a sixteenth of their depth. This one takes loops as a schedule left
// them and puts tile instructions in their place.
#ifndef LOOKUPFFN_TILE_PRODUCTS_H
#define LOOKUPFFN_TILE_PRODUCTS_H

#include <map>
#include <memory>
#include <set>
#include <string>
#include <utility>
#include <vector>

#include "Halide.h"
#include "inlined_functions.h"

namespace lookupffn {

// sum + low(a) low(b) + high(a) high(b), a and b words of two bf16: one step of a product for TileProducts to find. What
// AMX makes of kTileWords such steps, TDPBF16PS in Intel's manual, is sum + (low products + high products), both
// added up from 0 word by word with one rounding each.
Halide::Expr bf16_dot(const Halide::Expr& sum, const Halide::Expr& a, const Halide::Expr& b);

constexpr int kTileWords = 16;    // that a product's step goes through
constexpr int kTileColumns = 16;  // of a sum
constexpr int kTileRows = 16;     // of a sum, at most
constexpr int kTileRegisters = 8;

// A lowering pass. For every buffer S that is updated by bf16_dot:
//
//   for tile_word (kTileWords), for tile_row (at most kTileRows), for tile_column (kTileColumns):
//     S[row, column] = bf16_dot(S[row, column], A[row, word], B[word, column])
//
// in any order of the three loops becomes one TDPBF16PS, loops that fill S with 0 become TILEZERO of its tiles, and a loop
// over tile_row and tile_column that copies from S becomes TILESTORED. S itself is nowhere but in tile registers. Loops are
// known by their variables' names; a single row needs no loop. Outside these loops, those over S, A and B are as the
// schedule has them: unrolled, they are products of several tiles, each of which is loaded once as long as registers last.
// Throws Halide::CompileError where S does not fit the registers or is used otherwise.
class TileProducts : public Halide::Internal::IRMutator {
 public:
  // What the statements will call is added to a generator's functions.
  TileProducts(const Halide::Target& target, std::shared_ptr<KernelFunctions> functions)
      : target_(target), functions_(std::move(functions)) {}

  static constexpr const char* kWord = "tile_word";
  static constexpr const char* kRow = "tile_row";
  static constexpr const char* kColumn = "tile_column";

  using Halide::Internal::IRMutator::mutate;
  Halide::Internal::Stmt mutate(const Halide::Internal::Stmt& stmt) override;

 private:
  using Lets = std::vector<std::pair<std::string, Halide::Expr>>;
  struct Nest;
  struct Operand {  // a tile in a register
    std::string buffer;
    Halide::Expr first;
    int tile;
  };

  using Halide::Internal::IRMutator::visit;
  Halide::Internal::Stmt visit(const Halide::Internal::Allocate* allocation) override;
  Halide::Internal::Stmt visit(const Halide::Internal::LetStmt* let) override;
  Halide::Internal::Stmt visit(const Halide::Internal::Free* free) override;
  Halide::Internal::Stmt visit(const Halide::Internal::For* loop) override;
  Halide::Internal::Stmt visit(const Halide::Internal::Store* store) override;
  Halide::Internal::Stmt visit(const Halide::Internal::IfThenElse* branch) override;

  Halide::Internal::Stmt call(const std::string& name, const std::vector<Halide::Expr>& arguments);
  Halide::Internal::Stmt zeros();
  Halide::Internal::Stmt product(const Nest& nest);
  Halide::Internal::Stmt copy(const Nest& nest);
  Halide::Internal::Stmt load(std::vector<Operand>& held, size_t most, const Nest& nest, const Halide::Internal::Load* from,
                              int64_t stride, int* tile);
  int sum_tile(const Halide::Expr& first) const;  // the register of the tile that starts there
  void forget_operands();
  InlinedFunctions tile_functions() const;

  const Halide::Target target_;
  const std::shared_ptr<KernelFunctions> functions_;
  std::set<std::string> called_;  // functions, without their prefix
  bool inside_ = false;           // of the whole statement
  std::set<std::string> sums_;    // buffers updated by bf16_dot
  Lets lets_;                     // around what is being visited
  std::string sum_;               // the one whose allocation is being visited
  std::vector<int64_t> firsts_;   // of its tiles, where they start; tile k is register k
  size_t row_tiles_ = 0;          // tiles of A that are held at a time
  int rows_ = 0;                  // of A's tiles and S's
  // Of the whole statement, as the registers' shapes are set once:
  int sum_tiles_of_all_ = 0, row_tiles_of_all_ = 0, rows_of_all_ = 0;
  std::vector<Operand> a_, b_;  // loaded, the least recently used first
};

}  // namespace lookupffn
#endif
