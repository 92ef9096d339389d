// The layer that is compared, and the inputs that all contenders go round.
#ifndef LOOKUPFFN_BENCH_COMPARED_LAYER_H
#define LOOKUPFFN_BENCH_COMPARED_LAYER_H

#include <cstddef>
#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "dense_network.h"
#include "layer_shape.h"
#include "lookupffn/lookupffn.hpp"
#include "model.h"
#include "part.h"
#include "reference/reference_family.h"

namespace lookupffn::bench {

// A family derives from it where its own contenders need more.
class ComparedLayer {
 public:
  // name: of the workload. file: a model file of this one layer. Throws std::runtime_error.
  ComparedLayer(std::string name, LayerShape shape, std::vector<uint8_t> file);
  virtual ~ComparedLayer() = default;
  ComparedLayer(const ComparedLayer&) = delete;
  ComparedLayer& operator=(const ComparedLayer&) = delete;

  const std::string name;
  const LayerShape shape;
  const lookupffn_model* model() const { return model_.get(); }
  const ModelLayer& source() const { return find_layer(model_.get(), nullptr); }

  // ---- what the family fills in ----
  // Fresh inputs for every call: enough that their rows cover the tables. A layer of ids has bags of one size; the others have
  // x, and code and score, which the gather alone is timed on.
  reference::Input ring;
  std::string unit = "token";         // what a time is given for
  std::string facts;                  // of the inputs: "random codes"
  std::vector<Part> parts;            // that this library can be asked for
  DenseNetwork dense;                 // what the layer takes the place of; empty: nothing
  bool addresser_reads_rows = false;  // of its own, numbered like the retriever's (a tree's nodes)

  // ---- what follows ----
  // Throws std::logic_error where the ring is not as above.
  void finish();
  size_t lookups() const { return lookups_; }  // rows picked for an input
  // Rows of all tables, one behind the other, that the inputs pick: [ring.tokens, lookups], of all_rows().
  const std::vector<uint32_t>& picked_rows() const { return picked_rows_; }
  size_t all_rows() const { return size_t(shape.tables) * size_t(shape.rows); }
  bool takes_ids() const { return shape.d_in == 0; }
  reference::Stage stage(Part part) const;

 private:
  std::vector<uint8_t> file_;
  Model model_;
  size_t lookups_ = 0;
  std::vector<uint32_t> picked_rows_;
};

// For ReferenceFamily::random_model.
lookupffn_shape c_shape(const LayerShape& shape);

// `tokens` rows of x, evenly distributed with deviation 1, and the codes and scores that the layer itself gives for them.
reference::Input hashed_ring(const ComparedLayer& layer, size_t tokens);

}  // namespace lookupffn::bench
#endif
