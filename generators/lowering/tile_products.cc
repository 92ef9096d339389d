#include "tile_products.h"

#include <algorithm>
#include <sstream>

#include "lowered_loops.h"

namespace lookupffn {

using namespace Halide;
using namespace Halide::Internal;

namespace {

constexpr const char* kDot = "lookupffn_bf16_dot";
constexpr const char* kPrefix = "lookupffn_tile_";
constexpr int kWordBytes = 4, kRowBytes = 64;  // a row of any tile

bool is_tile_loop(const For* loop) {
  return is_loop_over(loop, TileProducts::kWord) || is_loop_over(loop, TileProducts::kRow) ||
         is_loop_over(loop, TileProducts::kColumn);
}

const Call* as_dot(const Expr& value) {
  const Call* call = value.as<Call>();
  return call && call->name == kDot ? call : nullptr;
}

// The buffers that are updated by bf16_dot.
class Sums : public IRVisitor {
 public:
  std::set<std::string> names;

 private:
  using IRVisitor::visit;
  void visit(const Store* store) override {
    if (as_dot(store->value)) names.insert(store->name);
    IRVisitor::visit(store);
  }
};

// Whether a statement does nothing but store zeros to a buffer.
class Fills : public IRVisitor {
 public:
  explicit Fills(const std::string& buffer) : buffer_(buffer) {}
  bool zeros = false, others = false;

 private:
  using IRVisitor::visit;
  void visit(const Store* store) override {
    const Broadcast* broadcast = store->value.as<Broadcast>();
    const bool zero = store->name == buffer_ && is_const_zero(broadcast ? broadcast->value : store->value);
    (zero ? zeros : others) = true;
  }
  const std::string buffer_;
};

bool fills(const Stmt& stmt, const std::string& buffer) {
  Fills finder(buffer);
  stmt.accept(&finder);
  return finder.zeros && !finder.others;
}

// Whether a statement stores to a buffer or loads from it.
class Uses : public IRVisitor {
 public:
  explicit Uses(const std::string& buffer) : buffer_(buffer) {}
  bool found = false;

 private:
  using IRVisitor::visit;
  void visit(const Store* store) override {
    found = found || store->name == buffer_;
    IRVisitor::visit(store);
  }
  void visit(const Load* load) override {
    found = found || load->name == buffer_;
    IRVisitor::visit(load);
  }
  const std::string buffer_;
};

bool uses(const Stmt& stmt, const std::string& buffer) {
  Uses finder(buffer);
  stmt.accept(&finder);
  return finder.found;
}

[[noreturn]] void refuse(const std::string& sum, const std::string& reason) {
  throw CompileError("tiles of " + sum + ": " + reason);
}

int64_t constant(const Expr& value, const std::string& sum, const char* what) {
  const auto number = as_const_int(value);
  if (!number) {
    std::ostringstream text;
    text << what << " is no constant: " << value;
    refuse(sum, text.str());
  }
  return *number;
}

Expr word_address(const std::string& buffer, const Expr& word) { return address_of(buffer, cast<int64_t>(word) * kWordBytes); }

Stmt in_sequence(const Stmt& first, const Stmt& second) {
  return !first.defined() ? second : !second.defined() ? first : Block::make(first, second);
}

}  // namespace

Expr bf16_dot(const Expr& sum, const Expr& a, const Expr& b) {
  return Call::make(Float(32), kDot, {sum, a, b}, Call::PureExtern);
}

// Loops of a tile around a single store.
struct TileProducts::Nest {
  explicit Nest(const Lets& around) : lets(around), lets_around(around.size()) {}

  std::vector<const For*> loops;
  Lets lets;  // those around the loops, then those within
  const size_t lets_around;
  const Store* store = nullptr;

  // False where there is anything else in the loops.
  bool match(const Stmt& stmt) {
    if (const For* loop = stmt.as<For>()) {
      if (!is_tile_loop(loop)) return false;
      loops.push_back(loop);
      return match(loop->body);
    }
    if (const LetStmt* let = stmt.as<LetStmt>()) {
      lets.emplace_back(let->name, let->value);
      return match(let->body);
    }
    store = stmt.as<Store>();
    return store != nullptr;
  }

  Expr without_lets(Expr index, size_t first_let = 0) const {
    for (size_t k = lets.size(); k-- > first_let;) index = substitute(lets[k].first, lets[k].second, index);
    return index;
  }

  // An index where the loops begin. Without any lets, so that two can be compared; or as it can be computed there.
  Expr first(const Expr& index) const { return at_start(without_lets(index)); }
  Expr computed_first(const Expr& index) const { return at_start(without_lets(index, lets_around)); }
  Expr at_start(Expr index) const {
    for (const For* loop : loops) index = substitute(loop->name, loop->min, index);
    return simplify(index);
  }

  // How far an index goes with an iteration of the loop of a name; 0 without such a loop.
  int64_t step(const Expr& index, const char* loop_name, const std::string& sum) const {
    for (const For* loop : loops) {
      if (!is_loop_over(loop, loop_name)) continue;
      const Expr here = without_lets(index);
      const Expr next = substitute(loop->name, Variable::make(Int(32), loop->name) + 1, here);
      return constant(simplify(next - here), sum, "a step of a tile's loop");
    }
    return 0;
  }

  int64_t extent(const char* loop_name, const std::string& sum) const {
    for (const For* loop : loops) {
      if (is_loop_over(loop, loop_name)) return constant(loop->extent, sum, "the extent of a tile's loop");
    }
    return 1;
  }
};

Stmt TileProducts::call(const std::string& name, const std::vector<Expr>& arguments) {
  called_.insert(name);
  return Evaluate::make(Call::make(Int(32), kPrefix + name, arguments, Call::Extern));
}

Stmt TileProducts::mutate(const Stmt& stmt) {
  if (inside_) return IRMutator::mutate(stmt);
  Sums sums;
  stmt.accept(&sums);
  if (sums.names.empty()) return stmt;
  sums_ = sums.names;
  inside_ = true;
  Stmt body = IRMutator::mutate(stmt);
  inside_ = false;

  // LDTILECFG's 64 bytes: palette 1; from byte 16 on, bytes of a row as 16 bits a tile; from byte 48 on, rows.
  const std::string shapes = "tile_shapes";
  Stmt configure;
  for (int byte = 0; byte < 64; ++byte) {
    int value = byte == 0 ? 1 : 0;
    if (byte >= 16 && byte < 16 + 2 * kTileRegisters && byte % 2 == 0) value = kRowBytes;
    if (byte >= 48 && byte < 48 + kTileRegisters) {
      const int tile = byte - 48;
      value = tile < sum_tiles_of_all_ + row_tiles_of_all_ ? rows_of_all_ : kTileWords;
    }
    Stmt store = Store::make(shapes, cast<uint8_t>(Expr(value)), byte, Parameter(), const_true(), ModulusRemainder());
    configure = in_sequence(configure, store);
  }
  configure = Block::make(configure, call("configure", {Variable::make(type_of<void*>(), shapes)}));
  body = Block::make({configure, body, call("release", {})});
  functions_->insert(tile_functions());
  return Allocate::make(shapes, UInt(8), MemoryType::Stack, {64}, const_true(), body);
}

Stmt TileProducts::visit(const Allocate* allocation) {
  if (!sums_.count(allocation->name)) return IRMutator::visit(allocation);
  sum_ = allocation->name;
  if (allocation->type != Float(32)) refuse(sum_, "sums are no floats");

  // Where the tiles start, and their rows.
  class Products : public IRVisitor {
   public:
    explicit Products(const std::string& sum) : sum_(sum) {}
    int64_t rows = 0;
    std::map<int64_t, std::set<std::string>> row_starts;  // of each tile, by where it starts, what it reads of A

   private:
    using IRVisitor::visit;
    void visit(const LetStmt* let) override {
      lets_.emplace_back(let->name, let->value);
      IRVisitor::visit(let);
      lets_.pop_back();
    }
    void visit(const For* loop) override {
      Nest nest(lets_);
      if (is_tile_loop(loop) && nest.match(loop) && nest.store->name == sum_ && as_dot(nest.store->value)) {
        const int64_t nest_rows = nest.extent(kRow, sum_);
        if (rows != 0 && rows != nest_rows) refuse(sum_, "its tiles differ in rows");
        rows = nest_rows;
        const int64_t first = constant(nest.first(nest.store->index), sum_, "a tile's place");
        const Call* dot = as_dot(nest.store->value);
        std::ostringstream text;
        text << nest.first(dot->args[1].as<Load>()->index);
        row_starts[first].insert(text.str());
        return;
      }
      IRVisitor::visit(loop);
    }
    const std::string sum_;
    Lets lets_;
  };
  Products products(sum_);
  allocation->body.accept(&products);
  firsts_.clear();
  rows_ = int(products.rows);
  std::set<std::set<std::string>> distinct;  // tiles of the same rows read the same of A
  for (const auto& [first, starts] : products.row_starts) {
    firsts_.push_back(first);
    distinct.insert(starts);
  }
  row_tiles_ = distinct.size();
  if (firsts_.empty()) refuse(sum_, "no loops over tile_word, tile_row and tile_column");
  if (int(firsts_.size() + row_tiles_) >= kTileRegisters) refuse(sum_, "more tiles than there are registers");
  const int tiles = int(firsts_.size()), row_tiles = int(row_tiles_);
  if (rows_of_all_ != 0 && (rows_of_all_ != rows_ || sum_tiles_of_all_ != tiles || row_tiles_of_all_ != row_tiles)) {
    refuse(sum_, "tiles of another shape than those of the sums before");
  }
  rows_of_all_ = rows_;
  sum_tiles_of_all_ = tiles;
  row_tiles_of_all_ = row_tiles;

  forget_operands();
  Stmt body = mutate(allocation->body);
  forget_operands();
  if (uses(body, sum_)) refuse(sum_, "it is used in other ways than as tiles");
  sum_.clear();
  return body;
}

Stmt TileProducts::visit(const LetStmt* let) {
  lets_.emplace_back(let->name, let->value);
  Stmt result = IRMutator::visit(let);
  lets_.pop_back();
  return result;
}

Stmt TileProducts::visit(const Free* free) { return sums_.count(free->name) ? Evaluate::make(0) : IRMutator::visit(free); }

Stmt TileProducts::visit(const For* loop) {
  if (sum_.empty() || !uses(loop, sum_)) return IRMutator::visit(loop);
  if (fills(loop, sum_)) return zeros();
  if (is_tile_loop(loop)) {
    Nest nest(lets_);
    if (!nest.match(loop)) refuse(sum_, "there is more than one store in the loops of a tile");
    if (nest.store->name != sum_) return copy(nest);
    return product(nest);
  }
  // What is in a register when a loop begins need not be there in its next iteration.
  forget_operands();
  Stmt result = IRMutator::visit(loop);
  forget_operands();
  return result;
}

// A tile that one branch has loaded is not there for the other.
Stmt TileProducts::visit(const IfThenElse* branch) {
  if (!sum_.empty() && uses(branch, sum_)) refuse(sum_, "its tiles are used under a condition");
  return IRMutator::visit(branch);
}

Stmt TileProducts::visit(const Store* store) { return !sum_.empty() && fills(store, sum_) ? zeros() : IRMutator::visit(store); }

Stmt TileProducts::zeros() {
  Stmt result;
  for (size_t tile = 0; tile < firsts_.size(); ++tile) result = in_sequence(result, call("zero_" + std::to_string(tile), {}));
  return result;
}

void TileProducts::forget_operands() {
  a_.clear();
  b_.clear();
}

int TileProducts::sum_tile(const Expr& first) const {
  const auto found = std::find(firsts_.begin(), firsts_.end(), constant(first, sum_, "a tile's place"));
  if (found == firsts_.end()) refuse(sum_, "a tile is copied that no product made");
  return int(found - firsts_.begin());
}

Stmt TileProducts::load(std::vector<Operand>& held, size_t most, const Nest& nest, const Load* from, int64_t stride,
                        int* tile) {
  const std::string& buffer = from->name;
  const Expr first = nest.first(from->index);
  const auto found = std::find_if(held.begin(), held.end(), [&](const Operand& operand) {
    return operand.buffer == buffer && equal(operand.first, first);
  });
  if (found != held.end()) {
    *tile = found->tile;
    std::rotate(found, found + 1, held.end());
    return Stmt();
  }
  const int lowest = int(firsts_.size()) + (&held == &b_ ? int(row_tiles_) : 0);
  if (held.size() < most) {
    *tile = lowest + int(held.size());
  } else {
    *tile = held.front().tile;
    held.erase(held.begin());
  }
  held.push_back({buffer, first, *tile});
  return call("load_" + std::to_string(*tile),
              {word_address(buffer, nest.computed_first(from->index)), make_const(Int(64), stride * kWordBytes)});
}

Stmt TileProducts::product(const Nest& nest) {
  const Call* dot = as_dot(nest.store->value);
  if (!dot) refuse(sum_, "it is updated by other things than products");
  const Load* sum = dot->args[0].as<Load>();
  const Load* a = dot->args[1].as<Load>();
  const Load* b = dot->args[2].as<Load>();
  if (!sum || !a || !b || sum->name != sum_ || !equal(sum->index, nest.store->index)) {
    refuse(sum_, "a product is not of loads from memory");
  }
  const auto step = [&](const Expr& index, const char* loop) { return nest.step(index, loop, sum_); };
  const bool shaped = nest.extent(kWord, sum_) == kTileWords && nest.extent(kColumn, sum_) == kTileColumns &&
                      nest.extent(kRow, sum_) <= kTileRows;
  const bool is_product = step(sum->index, kWord) == 0 && step(sum->index, kColumn) == 1 && step(a->index, kWord) == 1 &&
                          step(a->index, kColumn) == 0 && step(b->index, kRow) == 0 && step(b->index, kColumn) == 1;
  if (!shaped || !is_product) refuse(sum_, "the loops of a tile are no matrix product of its size");
  int sum_register = sum_tile(nest.first(sum->index)), a_register = 0, b_register = 0;
  Stmt load_a = load(a_, row_tiles_, nest, a, step(a->index, kRow), &a_register);
  Stmt load_b = load(b_, size_t(kTileRegisters) - firsts_.size() - row_tiles_, nest, b, step(b->index, kWord), &b_register);
  Stmt dot_product =
      call("dot_" + std::to_string(sum_register) + "_" + std::to_string(a_register) + "_" + std::to_string(b_register), {});
  return in_sequence(in_sequence(load_a, load_b), dot_product);
}

Stmt TileProducts::copy(const Nest& nest) {
  const Load* from = nest.store->value.as<Load>();
  if (!from || from->name != sum_ || nest.extent(kColumn, sum_) != kTileColumns || nest.extent(kRow, sum_) != rows_ ||
      nest.step(from->index, kColumn, sum_) != 1 || nest.step(nest.store->index, kColumn, sum_) != 1) {
    refuse(sum_, "it is copied in other pieces than its tiles");
  }
  return call("store_" + std::to_string(sum_tile(nest.first(from->index))),
              {word_address(nest.store->name, nest.computed_first(nest.store->index)),
               make_const(Int(64), nest.step(nest.store->index, kRow, sum_) * kWordBytes)});
}

// What the calls' names say: an instruction and its registers, which are part of it.
InlinedFunctions TileProducts::tile_functions() const {
  const std::string pointer = llvm_pointer();
  std::ostringstream source;
  for (const std::string& name : called_) {
    std::vector<std::string> words;
    std::istringstream text(name);
    for (std::string word; std::getline(text, word, '_');) words.push_back(word);
    std::string parameters, intrinsic, arguments;
    if (words[0] == "configure") {
      parameters = arguments = pointer + " %shapes";
      intrinsic = "ldtilecfg";
    } else if (words[0] == "release") {
      intrinsic = "tilerelease";
    } else if (words[0] == "load" || words[0] == "store") {
      parameters = pointer + " %first, i64 %stride";
      arguments = "i8 " + words[1] + ", " + parameters;
      intrinsic = words[0] == "load" ? "tileloadd64" : "tilestored64";
    } else {
      for (size_t k = 1; k < words.size(); ++k) arguments += (k > 1 ? ", i8 " : "i8 ") + words[k];
      intrinsic = words[0] == "zero" ? "tilezero" : "tdpbf16ps";
    }
    source << "define weak_odr i32 @" << kPrefix << name << "(" << parameters << ") alwaysinline {\n  call void @llvm.x86."
           << intrinsic << "(" << arguments << ")\n  ret i32 0\n}\n";
  }
  source << "declare void @llvm.x86.ldtilecfg(" << pointer << ")\n"
         << "declare void @llvm.x86.tilerelease()\n"
         << "declare void @llvm.x86.tilezero(i8 immarg)\n"
         << "declare void @llvm.x86.tileloadd64(i8 immarg, " << pointer << ", i64)\n"
         << "declare void @llvm.x86.tilestored64(i8 immarg, " << pointer << ", i64)\n"
         << "declare void @llvm.x86.tdpbf16ps(i8 immarg, i8 immarg, i8 immarg)\n";
  return inlined_functions(target_, "lookupffn_tiles", source.str());
}

}  // namespace lookupffn
