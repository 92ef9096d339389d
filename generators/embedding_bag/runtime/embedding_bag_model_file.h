// An embedding bag's part of a model file.
#ifndef LOOKUPFFN_EMBEDDING_BAG_MODEL_FILE_H
#define LOOKUPFFN_EMBEDDING_BAG_MODEL_FILE_H

#include <string>
#include <vector>

#include "lookupffn/lookupffn.h"
#include "safetensors.h"

namespace lookupffn {

struct BagWeights {
  lookupffn_shape shape;  // prefix is not set
  TensorView table;       // [rows, d_out]
};

// A layer is there wherever a tensor PREFIX"embedding_bag.weight" is and, where __metadata__ says family = embedding_bag, a
// tensor PREFIX"weight", as torch's nn.EmbeddingBag calls it.
std::vector<std::string> find_embedding_bags(const SafetensorsFile& file);

// The shape follows from the tensor, whose type, size and values are checked. Throws Failure LOOKUPFFN_MALFORMED_MODEL with
// file, tensor and reason.
BagWeights read_embedding_bag(const SafetensorsFile& file, const std::string& prefix);

}  // namespace lookupffn
#endif
