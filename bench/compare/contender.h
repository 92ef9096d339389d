// What the comparison times: one small file a contender behind this interface.
#ifndef LOOKUPFFN_BENCH_CONTENDER_H
#define LOOKUPFFN_BENCH_CONTENDER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "compared_layer.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn::bench {

// What every contender is given besides the layer.
struct Setting {
  size_t threads;
  size_t largest_call;  // inputs
  std::string isa;      // ours: "" is the active one
};

// Our types; contenders that have but one kind of weights are made once, with the defaults.
struct Types {
  lookupffn_type table = LOOKUPFFN_F32, projection = LOOKUPFFN_F32;
};

class Contender {
 public:
  virtual ~Contender() = default;
  // Before calls of that many inputs: whatever depends on it is made here and not timed.
  virtual void set_tokens(size_t /*tokens*/) {}
  // Computes the ring's inputs first..first+tokens-1; throws std::runtime_error. Hash and all read x, or ids; the gather
  // reads code and score.
  virtual void run(Part part, size_t first, size_t tokens) = 0;
  // The last run's results, as floats where the contender keeps another type.
  virtual std::vector<float> y(size_t tokens) const = 0;   // [tokens, d_out]
  virtual const int32_t* code() const { return nullptr; }  // [tokens, lookups]
  virtual const float* score() const { return nullptr; }   // [tokens, lookups]
  virtual std::string isa() const = 0;
  virtual std::string schedule() const = 0;           // one line: what ran
  virtual std::string variant() const { return ""; }  // ours: "specialised" or "generic"
  virtual std::string note() const { return ""; }     // ours: why it fell back to generic kernels, or ""
  virtual std::string pages() const { return ""; }    // ours: what the pages of its weights were chosen from, or ""
};

struct ContenderKind {
  enum class Computes {
    kOurs,   // the layer, by this library: made once for each of the types asked for
    kLayer,  // the layer
    kDense   // the dense network in its place (ComparedLayer::dense)
  };

  std::string name;
  std::string about;
  Computes computes;
  std::vector<Part> parts;  // ours: those of the layer
  std::string weight_type;  // others: the type that their weights are kept in
  std::string missing;      // why it cannot be had here, "" where it can
  // Both outlive the contender.
  std::unique_ptr<Contender> (*make)(const ComparedLayer& layer, const Setting& setting, Types types);
  bool (*takes)(const LayerShape& shape) = nullptr;  // NULL: every shape of the family
};

ContenderKind our_contender();

// Others that compute the dense network in place of a layer. Those whose library was not found when this was built are named,
// not forgotten: `missing` says why.
std::vector<ContenderKind> dense_contenders();

// For lists of contenders: one whose library was not found, and the package that it is in.
ContenderKind left_out(const std::string& name, const std::string& about, const std::string& package);

// For lists of contenders: the whole layer in plain C++, compiled for this machine's CPU, with OpenMP. `make` is NULL where
// this was built without OpenMP.
ContenderKind plain_contender(decltype(ContenderKind::make) make);

// One function a file; dense_contenders.cc lists them.
ContenderKind onednn_f32_contender();
ContenderKind onednn_bf16_contender();
ContenderKind libtorch_contender();
ContenderKind openblas_contender();

}  // namespace lookupffn::bench
#endif
