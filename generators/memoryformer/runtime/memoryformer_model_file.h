// A MemoryFormer layer's part of a model file.
#ifndef LOOKUPFFN_MEMORYFORMER_MODEL_FILE_H
#define LOOKUPFFN_MEMORYFORMER_MODEL_FILE_H

#include <string>
#include <vector>

#include "layer_weights.h"
#include "safetensors.h"

namespace lookupffn {

// A layer is there wherever a 2-d tensor PREFIX"tables" is and no PREFIX"LayerNorm.weight"; in the order of prefix_less.
std::vector<std::string> find_memoryformer_layers(const SafetensorsFile& file);

// `tables` [tables 2^bits, d_out] and `bias` [d_out]. Where they are, `hash.projection.weight` [tables bits, d_in] and
// `hash.projection.bias`, or, of PREFIX "a.query_proj.", the tensors "a.hash_proj.weight" and ".bias" that layers share.
// Without a projection the file says the bits: __metadata__ `bits`, or "bits" of the JSON object `config`; a number, or a list
// with one for each layer of the file. Checks and throws as read_lookupffn_layer does.
LayerWeights read_memoryformer_layer(const SafetensorsFile& file, const std::string& prefix);

}  // namespace lookupffn
#endif
