#include "kernel_choice.h"

#include <algorithm>
#include <cstdlib>
#include <cstring>

#include "failure.h"
#include "kernel_registry.h"
#include "portable_kernels.h"

namespace lookupffn {
namespace {

// The value of a parameter in a schedule's canonical text, or "".
std::string schedule_value(const lookupffn_kernel& kernel, const std::string& name) {
  const std::string text = " " + std::string(kernel.schedule) + " ";
  const size_t at = text.find(" " + name + "=");
  if (at == std::string::npos) return "";
  const size_t from = at + name.size() + 2;
  return text.substr(from, text.find(' ', from) - from);
}

size_t schedule_number(const lookupffn_kernel& kernel, const std::string& name, size_t otherwise) {
  const std::string value = schedule_value(kernel, name);
  return value.empty() ? otherwise : std::strtoull(value.c_str(), nullptr, 10);
}

std::string describe(const lookupffn_kernel& kernel) {
  return std::string(kernel.batch_class) + ": " + kernel.schedule + " [" + kernel.provenance + "]";
}

GatherKernel gather_kernel(const lookupffn_kernel& kernel) {
  GatherKernel gather;
  gather.kernel = &kernel;
  gather.d_tile = schedule_number(kernel, "d_tile", 0);
  gather.over_slices = schedule_value(kernel, "parallel") == "slices";
  if (gather.d_tile == 0 || gather.d_tile % kLaneMultiple != 0) {
    throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS, std::string("a gather kernel's schedule has no usable d_tile: '") +
                                                      kernel.schedule + "'");
  }
  return gather;
}

std::string missing_text(const char* kernel, const char* isa, const std::string& problem) {
  const std::string libraries = registered_library_names();
  return std::string("no ") + kernel + " kernel for '" + problem + "' on " + isa + " in " +
         (libraries.empty() ? "any registered library (none is registered)" : "the registered libraries (" + libraries + ")");
}

// One kernel for each of the calls, of one tile of tokens; none where one is missing, whose problem is then told.
std::vector<HashKernel> hash_kernels(const PackedShape& shape, const std::vector<HashCall>& calls, const char* isa,
                                     const std::string& type, BatchClass batch, std::string* missing) {
  std::vector<HashKernel> kernels;
  for (const HashCall& call : calls) {
    const std::string problem = shape.hash_problem(call, type);
    const RegisteredKernel found = find_registered_kernel("hash", isa, problem, kBatchClassNames[batch]);
    if (!found.kernel) {
      *missing = problem;
      return {};
    }
    const HashKernel hash{found.kernel, schedule_number(*found.kernel, "token_tile", 0)};
    if (hash.token_tile == 0 || (batch == kOne && hash.token_tile != 1)) {
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
  for (const BatchClass batch : {kOne, kSmall, kLarge}) {
    choice.hash[batch] = hash_kernels(shape, shape.calls, isa, type, batch, &missing);
    if (!choice.hash[batch].empty()) {
      description += "; " + describe(*choice.hash[batch].front().kernel);
    } else if (batch == kOne) {
      // Only the kernels for one token must be there: they can hash any number of them.
      return missing_text("hash", isa, missing);
    }
  }
  if (shape.shared_calls.size() > 1) choice.shared_hash = hash_kernels(shape, shape.shared_calls, isa, type, kOne, &missing);
  if (!choice.hash[kSmall].empty()) {
    // A token by itself costs about two of a tile. On AMX, whose tiles one token does not fill, it costs three with weights
    // of one part, and ten with weights of three.
    const size_t half = choice.hash[kSmall].front().token_tile / 2 + 1;
    choice.fill_from = !shape.on_tiles(type, isa) ? half : std::min<size_t>(half, type == "bf16x3" ? 2 : 3);
  }
  choice.specialised_hash = true;
  choice.description += "hash specialised, " + description.substr(2);
  return "";
}

std::string specialise_gather(const PackedShape& shape, const char* isa, const std::string& type, KernelChoice& choice) {
  const std::string problem = shape.gather_problem(type);
  std::string description;
  const lookupffn_kernel* found[kBatchClasses];
  for (int batch = 0; batch < kBatchClasses; ++batch) {
    found[batch] = find_registered_kernel("gather", isa, problem, kBatchClassNames[batch]).kernel;
    // Any class's kernel gathers any number of tokens.
    if (!found[batch] && batch > 0) found[batch] = found[batch - 1];
  }
  for (int batch = kBatchClasses - 2; batch >= 0; --batch) {
    if (!found[batch]) found[batch] = found[batch + 1];
  }
  if (!found[0]) return missing_text("gather", isa, problem);
  for (int batch = 0; batch < kBatchClasses; ++batch) {
    choice.gather[batch] = gather_kernel(*found[batch]);
    const size_t d_tile = choice.gather[batch].d_tile;
    if (shape.row % d_tile != 0 || (type == "i8_dot4" && d_tile % kDotColumns != 0)) {
      throw Failure(LOOKUPFFN_INCOMPATIBLE_KERNELS,
                    std::string("a gather kernel's d_tile does not divide rows of ") + std::to_string(shape.row) +
                        " floats: '" + found[batch]->schedule + "'");
    }
    description += "; " + describe(*found[batch]);
  }
  choice.specialised_gather = true;
  choice.description += "gather specialised, " + description.substr(2);
  return "";
}

void portable_hash(const char* isa, const std::string& type, KernelChoice& choice) {
  PortableHash& hash = choice.portable_hash;
  const std::string problem = "projection_type=" + type;
  hash.layer_norm = &portable_kernel("portable_layer_norm", isa, "", "any");
  hash.product_one = &portable_kernel("portable_product", isa, problem, "one");
  hash.product = &portable_kernel("portable_product", isa, problem, "large");
  hash.product_tokens = schedule_number(*hash.product, "token_registers", 1);
  hash.butterfly = &portable_kernel("portable_butterfly", isa, "", "any");
  hash.code_and_score = &portable_kernel("portable_code_and_score", isa, "", "any");
  choice.description += "hash portable, product " + describe(*hash.product);
}

void portable_gather(const char* isa, const std::string& type, KernelChoice& choice) {
  const std::string problem = "table_type=" + type;
  std::string description;
  for (int batch = 0; batch < kBatchClasses; ++batch) {
    const lookupffn_kernel& kernel = portable_kernel("gather", isa, problem, kBatchClassNames[batch]);
    choice.gather[batch] = gather_kernel(kernel);
    // Rows of i8_dot4 are whole tiles.
    choice.gather_rest[batch] =
        type == "i8_dot4" ? choice.gather[batch] : gather_kernel(portable_kernel("gather", isa, problem, "rest"));
    description += "; " + describe(kernel);
  }
  choice.description += "gather portable, " + description.substr(2);
}

}  // namespace

const char* type_name(lookupffn_type type) {
  switch (type) {
    case LOOKUPFFN_BF16: return "bf16";
    case LOOKUPFFN_I8: return "i8";
    case LOOKUPFFN_BF16X3: return "bf16x3";
    default: return "f32";
  }
}

KernelChoice choose_kernels(const PackedShape& shape, const char* isa, lookupffn_type table_type,
                            lookupffn_type projection_type, lookupffn_kernels wanted) {
  KernelChoice choice;
  const std::string stored = shape.stored_table_type(type_name(table_type), isa);
  std::string hash_missing, gather_missing;
  if (wanted != LOOKUPFFN_PORTABLE_KERNELS) {
    hash_missing = specialise_hash(shape, isa, type_name(projection_type), choice);
  }
  if (!choice.specialised_hash) portable_hash(isa, type_name(projection_type), choice);
  choice.description += " | ";
  if (wanted != LOOKUPFFN_PORTABLE_KERNELS) {
    gather_missing = specialise_gather(shape, isa, stored, choice);
  }
  if (!choice.specialised_gather) portable_gather(isa, stored, choice);
  if (wanted == LOOKUPFFN_PORTABLE_KERNELS) {
    choice.fallback = "portable kernels were asked for";
  } else {
    choice.fallback = hash_missing + (!hash_missing.empty() && !gather_missing.empty() ? "; " : "") + gather_missing;
    if (wanted == LOOKUPFFN_SPECIALISED_KERNELS && !choice.fallback.empty()) {
      throw Failure(LOOKUPFFN_NO_KERNEL, choice.fallback +
                                             ": make one with lookupffn build and register or load it, or allow portable kernels");
    }
  }
  return choice;
}

}  // namespace lookupffn
