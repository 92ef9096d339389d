#include "row_prefetch.h"

#include <algorithm>
#include <vector>

#include "halide_version.h"
#include "lowered_loops.h"

namespace lookupffn {
namespace {

using namespace Halide;
using namespace Halide::Internal;

constexpr int kCacheLine = 64;  // bytes
constexpr const char* kPrefetch = "lookupffn_prefetch";

// Finds whether a statement loads from one of the buffers, and whether it holds a loop.
class Contents : public IRVisitor {
 public:
  explicit Contents(const std::vector<std::string>& buffers) : buffers_(buffers) {}
  bool loads = false, loops = false;

 private:
  using IRVisitor::visit;
  void visit(const Load* load) override {
    loads = loads || std::find(buffers_.begin(), buffers_.end(), load->name) != buffers_.end();
    IRVisitor::visit(load);
  }
  void visit(const For* loop) override {
    loops = true;
    IRVisitor::visit(loop);
  }
  const std::vector<std::string>& buffers_;
};

// Turns stores, and lets of what is loaded from the buffer, into fetches of it; the other lets stay.
class LoadsToFetches : public IRMutator {
 public:
  LoadsToFetches(const std::string& buffer, int line_step) : buffer_(buffer), line_step_(line_step) {}

 private:
  struct Place {
    Type type;
    Expr index;
  };

  class Loads : public IRVisitor {
   public:
    Loads(const std::string& buffer, std::vector<Place>& found) : buffer_(buffer), found_(found) {}

   private:
    using IRVisitor::visit;
    void visit(const Load* load) override {
      if (load->name == buffer_) {
        Expr index = load->index;
        for (size_t k = lets_.size(); k-- > 0;) index = substitute(lets_[k]->name, lets_[k]->value, index);
        found_.push_back({load->type, index});
      }
      IRVisitor::visit(load);
    }
    void visit(const Let* let) override {
      let->value.accept(this);
      lets_.push_back(let);
      let->body.accept(this);
      lets_.pop_back();
    }
    const std::string buffer_;
    std::vector<Place>& found_;
    std::vector<const Let*> lets_;  // around what is being visited
  };

  using IRMutator::visit;
  Stmt visit(const Store* store) override {
    const Stmt fetches = fetches_of(store->value);
    return fetches.defined() ? fetches : Evaluate::make(0);
  }

  Stmt visit(const LetStmt* let) override {
    const Stmt fetches = fetches_of(let->value);
    if (!fetches.defined() && !expr_uses_vars(let->value, loaded_)) {
      lets_.push_back(let);
      const Stmt kept = IRMutator::visit(let);
      lets_.pop_back();
      return kept;
    }
    ScopedBinding<> bind(loaded_, let->name);
    lets_.push_back(let);
    const Stmt body = mutate(let->body);
    lets_.pop_back();
    return fetches.defined() ? Block::make(fetches, body) : body;
  }

  Stmt fetches_of(const Expr& value) {
    std::vector<Place> loads;
    Loads finder(buffer_, loads);
    value.accept(&finder);
    Stmt fetches;
    for (const Place& load : loads) {
      const Ramp* ramp = load.index.as<Ramp>();
      Expr first = ramp ? ramp->base : load.index;
      // Under names of their own, unrolled steps may load the same.
      Expr place = first;
      for (size_t k = lets_.size(); k-- > 0;) place = substitute(lets_[k]->name, lets_[k]->value, place);
      const auto same = [&](const Expr& other) { return equal(other, place); };
      if (std::any_of(fetched_.begin(), fetched_.end(), same)) continue;
      fetched_.push_back(place);
      const int bytes = load.type.bytes() * load.type.lanes();
      // Vectors narrower than a line follow each other: one of them fetches it.
      const bool starts_line = bytes_seen_ % kCacheLine == 0;
      bytes_seen_ += bytes;
      for (int offset = 0; offset < (starts_line ? std::max(bytes, kCacheLine) : 0); offset += kCacheLine) {
        if (lines_seen_++ % line_step_ != 0) continue;
        Expr byte = cast<int64_t>(first) * load.type.element_of().bytes() + offset;
        Stmt fetch = Evaluate::make(Call::make(Int(32), kPrefetch, {address_of(buffer_, byte)}, Call::Extern));
        fetches = fetches.defined() ? Block::make(fetches, fetch) : fetch;
      }
    }
    return fetches;
  }

  const std::string buffer_;
  const int line_step_;
  Scope<> loaded_;                    // lets of what was loaded
  std::vector<const LetStmt*> lets_;  // around what is being visited
  std::vector<Expr> fetched_;
  int bytes_seen_ = 0, lines_seen_ = 0;
};

// Keeps loads from a list within it.
class UpToTheEnd : public IRMutator {
 public:
  explicit UpToTheEnd(const std::string& list) : list_(list) {}

 private:
  using IRMutator::visit;
  Expr visit(const Load* load) override {
    if (load->name != list_) return IRMutator::visit(load);
    const Expr last = cast(load->index.type(), Variable::make(Int(32), list_ + ".extent.0")) - 1;
    return Load::make(load->type, load->name, min(load->index, last), load->image, load->param, load->predicate,
                      load->alignment);
  }
  const std::string list_;
};

}  // namespace

Stmt RowPrefetch::visit(const For* loop) {
  const For* outer = around_;
  if (is_loop_over(loop, variable_)) around_ = loop;
  Stmt result;
  Contents contents(buffers_);
  loop->body.accept(&contents);
  if (contents.loads && !contents.loops && around_) {
    Expr ahead = Variable::make(Int(32), around_->name) + distance_;
    if (list_.empty() && at_the_end_ == AtTheEnd::kStay) ahead = min(ahead, around_->min + around_->extent - 1);
    Stmt body = loop->body;
    for (const std::string& buffer : buffers_) {
      Stmt fetches = substitute(around_->name, ahead, LoadsToFetches(buffer, line_step_).mutate(loop->body));
      if (!list_.empty()) fetches = UpToTheEnd(list_).mutate(fetches);
      body = Block::make(fetches, body);
    }
    result = loop_with_body(loop, body);
  } else {
    result = IRMutator::visit(loop);
  }
  around_ = outer;
  return result;
}

InlinedFunctions prefetch_function(const Target& target, int cache) {
  const std::string pointer = llvm_pointer(), intrinsic = "@llvm.prefetch." + llvm_pointer_suffix();
  const auto function = [&](const std::string& body) {
    return inlined_functions(target, kPrefetch,
                             std::string("define weak_odr i32 @") + kPrefetch + "(" + pointer + " %p) alwaysinline {\n" + body +
                                 "  ret i32 0\n}\ndeclare void " + intrinsic + "(" + pointer + ", i32, i32, i32)\n");
  };
  // LLVM takes llvm.prefetch for a reader of memory, before which it would store what is summed in registers. Not so these.
  const auto instruction = [&](const std::string& text, const std::string& operand) {
    return function("  call void asm sideeffect \"" + text + "\", \"" + operand +
                    " %p) inaccessiblememonly nounwind willreturn\n");
  };
  switch (target.arch) {
    case Target::X86:
      return instruction("prefetcht" + std::to_string(cache - 1) + " $0", "*m\"(" + pointer + " elementtype(i8)");
    case Target::ARM:
      return instruction("prfm pldl" + std::to_string(cache) + "keep, [$0]", "r\"(" + pointer);
    case Target::RISCV:  // RV64GCV has no instruction for it
      return function("");
    default:  // read; 3 for all cache levels, 1 for the third only; data
      return function("  call void " + intrinsic + "(" + pointer + " %p, i32 0, i32 " + std::to_string(4 - cache) +
                      ", i32 1)\n");
  }
}

}  // namespace lookupffn
