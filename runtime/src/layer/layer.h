// A packed layer of any family: what lookupffn_layer stands for.
#ifndef LOOKUPFFN_LAYER_H
#define LOOKUPFFN_LAYER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>

#include "fast_pages.h"
#include "lookupffn/lookupffn.h"
#include "rows.h"
#include "runtime_family.h"
#include "scratch.h"

namespace lookupffn {

// The kernels that a layer runs on.
struct KernelSet {
  virtual ~KernelSet() = default;
  bool specialised = false;  // all of them
  std::string description;   // for lookupffn_layer_info.kernels
  std::string fallback;      // why something is generic that could be specialised, or ""
};

// Bags of ids: bag b has ids[offsets[b]] up to, not including, ids[offsets[b + 1]], the last one all that are left of `count`.
struct IdBags {
  const int64_t* ids;
  size_t count;
  const int64_t* offsets;  // [bags]
  size_t bags;
  const float* weights;  // [count]; NULL: all 1
  bool mean;             // of a bag's rows; else their sum

  size_t begin(size_t bag) const { return size_t(offsets[bag]); }
  size_t end(size_t bag) const { return bag + 1 < bags ? size_t(offsets[bag + 1]) : count; }
};

// What a layer takes of memory, in bytes.
struct PackedSizes {
  size_t tables = 0, projection = 0, all = 0, huge_pages = 0;
  PageChoice weight_pages = {};  // of the weights that every call reads
};

}  // namespace lookupffn

// Immutable but for the scratch pool; a family derives from it. The functions that run it get arguments that were checked, and
// throw Failure.
struct lookupffn_layer {
  lookupffn_layer(const lookupffn::ModelLayer& source, const lookupffn::PackRequest& request);
  virtual ~lookupffn_layer() = default;
  lookupffn_layer(const lookupffn_layer&) = delete;

  // Chooses among the kernels that are registered now; `kernels` stays as it is.
  virtual std::unique_ptr<const lookupffn::KernelSet> choose_kernels(lookupffn_kernels wanted) const = 0;
  virtual lookupffn::PackedSizes sizes() const = 0;

  // What a family does not have is LOOKUPFFN_INVALID_ARGUMENT. tokens is 1 or more.
  virtual void forward(lookupffn_threads& threads, const lookupffn::InputRows& x, const lookupffn::OutputRows& y,
                       size_t tokens) const;
  virtual void forward_ids(lookupffn_threads& threads, const lookupffn::IdBags& bags, const lookupffn::OutputRows& y) const;
  // code, score: [tokens, shape.lookups], either may be NULL.
  virtual void hash(lookupffn_threads& threads, const lookupffn::InputRows& x, int32_t* code, float* score,
                    size_t tokens) const;
  virtual void gather(lookupffn_threads& threads, const int32_t* code, const float* score, const lookupffn::OutputRows& y,
                      size_t tokens) const;

  const std::string prefix;
  lookupffn_shape shape;  // shape.prefix points to `prefix`
  const char* const isa;
  const lookupffn_type table_type, projection_type;
  std::shared_ptr<const lookupffn::KernelSet> kernels;  // the tuner puts others in their place
  double pack_seconds = 0;
  mutable lookupffn::ScratchPool scratch;

 protected:
  [[noreturn]] void refuse(const char* function, const char* instead) const;
};

#endif
