// A LookupFFN layer's training steps for those who check and measure.
#ifndef LOOKUPFFN_LOOKUPFFN_TRAINING_TWIN_H
#define LOOKUPFFN_LOOKUPFFN_TRAINING_TWIN_H

#include <memory>

#include "reference/reference_family.h"

namespace lookupffn::reference {

std::unique_ptr<TrainingTwin> lookupffn_training_twin(const ModelLayer& source);

}  // namespace lookupffn::reference
#endif
