// What the offline tools know of a kernel of a family beside its schedule space: what it computes, what that should cost, and
// in which layer it can be measured. Each family lists its kernels in its CompilerFamily.
#ifndef LOOKUPFFN_KERNEL_DESCRIPTION_H
#define LOOKUPFFN_KERNEL_DESCRIPTION_H

#include <cstdint>
#include <string>
#include <vector>

#include "kernel_spec.h"
#include "layer_shape.h"
#include "schedule.h"
#include "schedule_spaces.h"

namespace lookupffn {

struct CacheSizes {
  int64_t l1d = 48 << 10, l2 = 2 << 20, l3 = 32 << 20;
};

// What is done for one token (of a layer that takes ids: for one bag of LayerWork::ids ids), by the formula, padding excluded.
struct Work {
  double flops = 0;            // products, and the sums that go with them: two each
  double row_bytes = 0;        // rows of tables read, with their scales
  double weight_bytes = 0;     // other weights read, once a tile of tokens
  double footprint_bytes = 0;  // all that the rows or the weights are picked from, as a model file has it
};

// A layer is an addresser (x or ids -> code, score) and a retriever (code, score, tables -> y). What cannot be told apart is
// the retriever's.
struct LayerWork {
  Work addresser, retriever;
  double ids = 0;  // of a layer that takes ids: of the bag that it is counted for, which is the bag that is timed
};

enum class LayerPart { kAddresser, kRetriever };

// A layer with the types of its weights, which are names of registry/weight_types.def.
struct TypedShape {
  LayerShape shape;
  std::string table_type = "f32", projection_type = "f32";
};

// What a kernel does for one token with one schedule, counted: what the tuner's model learns from, of all kernels alike. What a
// family does not count is 0.
struct LoopNest {
  double multiply_adds = 0;    // vector instructions
  double loads = 0;            // vectors loaded for them
  double live_registers = 0;   // vectors that the innermost loop keeps
  double sums_in_flight = 0;   // of those, sums that do not wait for each other
  double starts = 0;           // innermost loops that begin
  double bytes = 0;            // of weights or rows
  double kept_bytes = 0;       // of results in between, written and read again
  double fetches = 0;          // lines asked for ahead
  double fetched_bytes = 0;    // that are under way because of it
  double inner_footprint = 0;  // bytes that the loop around the innermost comes back to
  double turn_footprint = 0;   // bytes that a turn of the outer loops comes back to
  double footprint = 0;        // of all that is read
};

struct KernelDescription {
  const char* name;  // of the generator
  LayerPart part;    // of the layer's work, that it does
  // The smallest layer that calls a kernel of this problem: what the kernel is measured in.
  TypedShape (*smallest_layer)(const KernelSpec& spec);
  // Nanoseconds a token or so (see autotune/search/cost_model.h; compiler/families/cost_terms.h has the terms). NULL: no
  // estimate.
  double (*cost)(const KernelSpec& spec, const Schedule& schedule, double tokens, const CacheSizes& caches);
  // Whether one of its buffers passes 2 GiB, or may, so that offsets need 64 bits. NULL: never.
  bool (*large_buffers)(const KernelSpec& spec);
  // Whether its generator has the problem parameter one_token: a formula of its own for batch classes of one token.
  bool one_token;
  // The other kernels that a layer must have beside this one for it to be called. NULL: none.
  std::vector<KernelSpec> (*companions)(const ScheduleSpaces& spaces, const KernelSpec& spec);
  // Where families share a kernel: whether this family's layers call it with the problem. NULL: the kernel is not shared.
  bool (*calls)(const KernelSpec& spec) = nullptr;
  // NULL: nothing is counted but the formula's work (kernel_work()).
  LoopNest (*loop_nest)(const KernelSpec& spec, const Schedule& schedule, double tokens) = nullptr;
  // Layers have no use for it but training steps do: a generic kernel of no problem. The smallest layer is then one whose steps
  // it is measured in, larger than what caches hold.
  bool of_training_steps = false;
  // NULL: its part of the layer's work.
  Work (*work)(const TypedShape& layer) = nullptr;
};

// NULL where no family describes such a kernel: then it is a generic kernel whose schedule is not tuned.
const KernelDescription* find_kernel_description(const KernelSpec& spec);

// Throws std::runtime_error.
const KernelDescription& kernel_description(const KernelSpec& spec);

// The names of all kernels of all families that have a schedule space, each once.
std::vector<std::string> kernel_names();

// The kernels of training steps for an ISA, of all families.
std::vector<KernelSpec> training_kernels(const ScheduleSpaces& spaces, const std::string& isa);

// The kernels for one token beside a kernel for more, in its smallest layer. A family names them as companions where such
// kernels do whole tiles of tokens, and those for one token what is left.
std::vector<KernelSpec> one_token_kernels(const ScheduleSpaces& spaces, const KernelSpec& spec);

// What a kernel does for one token of its smallest layer.
Work kernel_work(const KernelSpec& spec);

// Of the dense FFN of a layer's width, d_in -> 4 d_in -> d_out, that lookup layers take the place of.
Work dense_ffn_work(const LayerShape& shape, const std::string& weight_type);

}  // namespace lookupffn
#endif
