#include "load_alignment.h"

namespace lookupffn {

using namespace Halide;
using namespace Halide::Internal;

Expr LoadAlignment::visit(const Load* load) {
  const bool strided = load->index.as<Ramp>() && !is_const_one(load->index.as<Ramp>()->stride);
  // Modulus 0 is Halide's word for a constant.
  if (!strided || load->alignment.modulus != 0) return IRMutator::visit(load);
  const int64_t remainder = (load->alignment.remainder % kKnown + kKnown) % kKnown;
  return Load::make(load->type, load->name, mutate(load->index), load->image, load->param, mutate(load->predicate),
                    ModulusRemainder(kKnown, remainder));
}

}  // namespace lookupffn
