// What the comparison times: one small file a contender behind this interface.
#ifndef LOOKUPFFN_BENCH_CONTENDER_H
#define LOOKUPFFN_BENCH_CONTENDER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dense_ffn.h"
#include "lookupffn/lookupffn.h"
#include "synthetic_layer.h"

namespace lookupffn::bench {

// What every contender is given; outlives them.
struct Setting {
  const SyntheticLayer& layer;
  const DenseFfn& ffn;
  const TokenRing& ring;
  size_t threads;
  size_t largest_call;  // tokens
  std::string isa;      // ours: "" is the active one
};

// Our types; contenders that have but one kind of weights are made once, with the defaults.
struct Types {
  lookupffn_type table = LOOKUPFFN_F32, projection = LOOKUPFFN_F32;
};

enum class Computes { kLookupFfn, kDenseFfn };

class Contender {
 public:
  virtual ~Contender() = default;
  // Before calls of that many tokens: whatever depends on it is made here and not timed.
  virtual void set_tokens(size_t /*tokens*/) {}
  // Computes ring tokens first..first+tokens-1; throws std::runtime_error. Hash and all read ring.x, the
  // gather reads ring.code and ring.score.
  virtual void run(Part part, size_t first, size_t tokens) = 0;
  // The last run's results, as floats where the contender keeps another type.
  virtual std::vector<float> y(size_t tokens) const = 0;   // [tokens, d]
  virtual const int32_t* code() const { return nullptr; }  // [tokens, tables]
  virtual const float* score() const { return nullptr; }   // [tokens, tables]
  virtual std::string isa() const = 0;
  virtual std::string schedule() const = 0;           // one line: what ran
  virtual std::string variant() const { return ""; }  // ours: "specialised" or "generic"
  virtual std::string note() const { return ""; }     // ours: why it fell back to generic kernels, or ""
};

struct ContenderKind {
  std::string name;
  std::string about;
  Computes computes;
  std::vector<Part> parts;
  bool takes_types;         // ours: made once for each of the types asked for
  std::string weight_type;  // others: the type that their weights are kept in
  std::string missing;      // why it cannot be had here, "" where it can
  std::unique_ptr<Contender> (*make)(const Setting& setting, Types types);
};

// One function a file; contenders.cc lists them.
ContenderKind lookupffn_contender();
ContenderKind onednn_f32_contender();
ContenderKind onednn_bf16_contender();
ContenderKind plain_loop_contender();
ContenderKind libtorch_contender();
ContenderKind embedding_bag_contender();
ContenderKind openblas_contender();
ContenderKind libxsmm_contender();

// All that this source knows, also those left out of the build: `missing` says why.
std::vector<ContenderKind> contender_kinds();

}  // namespace lookupffn::bench
#endif
