#include "kernel_choice.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>
#include <iterator>

#include "failure.h"
#include "generic_kernels.h"
#include "kernel_registry.h"
#include "kernel_schedule.h"
#include "row_format.h"

namespace lookupffn {
namespace {

GatherKernel gather_kernel(const lookupffn_kernel& kernel) {
  GatherKernel gather;
  gather.kernel = &kernel;
  gather.d_tile = schedule_number(kernel, "d_tile", 0);
  gather.over_slices = schedule_value(kernel, "parallel") == "slices";
  if (gather.d_tile == 0 || gather.d_tile % kLaneMultiple != 0) {
    throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS,
                  std::string("a gather kernel's schedule has no usable d_tile: '") + kernel.schedule + "'");
  }
  return gather;
}

// One kernel for each of the calls, of one tile of tokens, meant for so many tokens; none where one is missing, whose problem
// is then told.
std::vector<HashKernel> hash_kernels(const PackedShape& shape, const std::vector<HashCall>& calls, const char* isa,
                                     const std::string& type, size_t tokens, std::string* missing) {
  std::vector<HashKernel> kernels;
  for (const HashCall& call : calls) {
    const std::string problem = shape.hash_problem(call, type);
    RegisteredKernel found;
    for (const RegisteredKernel& candidate : registered_kernels(shape.hash_kernel(), isa, problem)) {
      if (!found.kernel && is_for(*candidate.kernel, tokens)) found = candidate;
    }
    if (!found.kernel) {
      *missing = problem;
      return {};
    }
    const HashKernel hash{found.kernel, schedule_number(*found.kernel, "token_tile", 0)};
    if (hash.token_tile == 0 || (tokens == 1 && hash.token_tile != 1)) {
      throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS, std::string("kernel library ") + found.library->name +
                                                        ": a hash kernel's schedule has no usable token_tile: '" +
                                                        found.kernel->schedule + "'");
    }
    // The calls of a batch go through the same tile of tokens.
    if (!kernels.empty() && kernels.front().token_tile != hash.token_tile) return {};
    kernels.push_back(hash);
  }
  return kernels;
}

// Fills choice.hash and choice.shared_hash; "" or what is missing.
std::string specialise_hash(const PackedShape& shape, const char* isa, const std::string& type, KernelChoice& choice) {
  std::string description, missing;
  std::set<size_t> starts =
      range_starts(kernels_of(registered_kernels(shape.hash_kernel(), isa, shape.hash_problem(shape.calls.front(), type))));
  starts.insert(1);
  for (const size_t tokens : starts) {
    std::vector<HashKernel> kernels = hash_kernels(shape, shape.calls, isa, type, tokens, &missing);
    if (!kernels.empty()) {
      description += "; " + describe(*kernels.front().kernel);
      choice.hash.add(tokens, std::move(kernels));
    } else if (tokens == 1) {
      // Only the kernels for one token must be there: they can hash any number of them.
      return missing_text(shape.hash_kernel(), isa, missing);
    }
  }
  if (shape.shared_calls.size() > 1) choice.shared_hash = hash_kernels(shape, shape.shared_calls, isa, type, 1, &missing);
  if (choice.hash.size() > 1) {
    // A token by itself costs about two of a tile. On AMX, whose tiles one token does not fill, it costs three with weights
    // of one part, and ten with weights of three.
    const size_t tile = choice.hash[1].front().token_tile, half = tile / 2 + 1;
    // Without a projection it costs no more than one of a tile.
    choice.fill_from = !shape.rules.projection ? tile
                       : !find_storage(type)   ? half
                                               : std::min<size_t>(half, weight_type_of(type).parts > 1 ? 2 : 3);
  }
  choice.specialised_hash = true;
  choice.description += "hash specialised, " + description.substr(2);
  return "";
}

std::string specialise_gather(const PackedShape& shape, const char* isa, const std::string& type, KernelChoice& choice) {
  const std::string problem = shape.gather_problem(type);
  const std::vector<const lookupffn_kernel*> kernels = kernels_of(registered_kernels("gather", isa, problem));
  if (kernels.empty()) return missing_text("gather", isa, problem);
  const bool byte_dots = row_format(type).byte_dots;
  std::string description;
  // Any kernel gathers any number of tokens, so it is no matter where the first range begins.
  for (const size_t tokens : range_starts(kernels)) {
    const auto found =
        std::find_if(kernels.begin(), kernels.end(), [&](const lookupffn_kernel* kernel) { return is_for(*kernel, tokens); });
    const GatherKernel gather = gather_kernel(**found);
    if (shape.row % gather.d_tile != 0 || (byte_dots && gather.d_tile % kDotBytes != 0)) {
      throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS, std::string("a gather kernel's d_tile does not divide rows of ") +
                                                        std::to_string(shape.row) + " floats: '" + (*found)->schedule + "'");
    }
    choice.gather.add(tokens, {gather, gather});
    description += "; " + describe(**found);
  }
  choice.specialised_gather = true;
  choice.description += "gather specialised, " + description.substr(2);
  return "";
}

void generic_hash(const PackedShape& shape, const char* isa, const std::string& type, KernelChoice& choice) {
  const auto only = [&](const char* kernel, const char* problem = "") { return generic_kernels(kernel, isa, problem).front(); };
  GenericHash& hash = choice.generic_hash;
  hash.layer_norm_kernel = only("generic_layer_norm");
  for (const lookupffn_kernel* product : generic_kernels("generic_product", isa, "projection_type=" + type)) {
    (is_for(*product, 1) ? hash.product_one_kernel : hash.product_kernel) = product;
  }
  hash.product_tokens = schedule_number(*hash.product_kernel, "token_registers", 1);
  hash.butterfly_kernel = only("generic_butterfly");
  hash.code_and_score_kernel = only("generic_code_and_score", shape.rules.zero_is_one ? "zero=one" : "");
  choice.description += "hash generic, " + (shape.rules.projection ? "product " + describe(*hash.product_kernel)
                                                                   : describe(*hash.code_and_score_kernel));
}

void generic_gather(const char* isa, const std::string& type, KernelChoice& choice) {
  const std::vector<const lookupffn_kernel*> kernels = generic_kernels("gather", isa, "table_type=" + type);
  const auto narrower = [](const lookupffn_kernel* a, const lookupffn_kernel* b) {
    return gather_kernel(*a).d_tile < gather_kernel(*b).d_tile;
  };
  std::string description;
  for (const size_t tokens : range_starts(kernels)) {
    std::vector<const lookupffn_kernel*> fitting;
    std::copy_if(kernels.begin(), kernels.end(), std::back_inserter(fitting),
                 [&](const lookupffn_kernel* kernel) { return is_for(*kernel, tokens); });
    const lookupffn_kernel* wide = *std::max_element(fitting.begin(), fitting.end(), narrower);
    const lookupffn_kernel* rest = *std::min_element(fitting.begin(), fitting.end(), narrower);
    choice.gather.add(tokens, {gather_kernel(*wide), gather_kernel(*rest)});
    description += "; " + describe(*wide);
  }
  choice.description += "gather generic, " + description.substr(2);
}

}  // namespace

KernelChoice choose_kernels(const PackedShape& shape, const char* isa, lookupffn_type table_type,
                            lookupffn_type projection_type, lookupffn_kernels wanted) {
  KernelChoice choice;
  const std::string stored = shape.stored_table_type(weight_type(table_type).name, isa_row(isa));
  std::string hash_missing, gather_missing;
  if (wanted != LOOKUPFFN_GENERIC_KERNELS) {
    hash_missing =
        specialise_hash(shape, isa, shape.stored_projection_type(weight_type(projection_type).name, isa_row(isa)), choice);
  }
  if (!choice.specialised_hash) generic_hash(shape, isa, weight_type(projection_type).name, choice);
  choice.description += " | ";
  if (wanted != LOOKUPFFN_GENERIC_KERNELS) {
    gather_missing = specialise_gather(shape, isa, stored, choice);
  }
  if (!choice.specialised_gather) generic_gather(isa, stored, choice);
  choice.specialised = choice.specialised_hash && choice.specialised_gather;
  if (wanted == LOOKUPFFN_GENERIC_KERNELS) {
    choice.fallback = "generic kernels were asked for";
  } else {
    choice.fallback = hash_missing + (!hash_missing.empty() && !gather_missing.empty() ? "; " : "") + gather_missing;
    if (wanted == LOOKUPFFN_SPECIALISED_KERNELS && !choice.fallback.empty()) {
      throw Failure(LOOKUPFFN_NO_KERNEL,
                    choice.fallback + ": make one with lookupffn build and register or load it, or allow generic kernels");
    }
  }
  return choice;
}

}  // namespace lookupffn
