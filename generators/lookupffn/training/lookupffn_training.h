// Training steps of LookupFFN layers.
#ifndef LOOKUPFFN_LOOKUPFFN_TRAINING_H
#define LOOKUPFFN_LOOKUPFFN_TRAINING_H

#include <memory>

#include "training.h"

namespace lookupffn {

// See RuntimeFamily::train.
std::unique_ptr<lookupffn_training> make_lookupffn_training(const lookupffn_shape& shape, const char* isa);

}  // namespace lookupffn
#endif
