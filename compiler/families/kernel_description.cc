#include "kernel_description.h"

#include <algorithm>
#include <stdexcept>

#include "compiler_family.h"
#include "weight_types.h"

namespace lookupffn {

const KernelDescription* find_kernel_description(const KernelSpec& spec) {
  for (const CompilerFamily* family : compiler_families()) {
    for (const KernelDescription& description : family->descriptions) {
      if (spec.kernel == description.name && (!description.calls || description.calls(spec))) return &description;
    }
  }
  return nullptr;
}

const KernelDescription& kernel_description(const KernelSpec& spec) {
  if (const KernelDescription* description = find_kernel_description(spec)) return *description;
  std::string names;
  for (const std::string& name : kernel_names()) names += (names.empty() ? "" : ", ") + name;
  throw std::runtime_error("there is no kernel '" + describe(spec) + "'; there are " + names);
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const CompilerFamily* family : compiler_families()) {
    for (const KernelDescription& description : family->descriptions) {
      if (std::find(names.begin(), names.end(), description.name) == names.end()) names.push_back(description.name);
    }
  }
  return names;
}

std::vector<KernelSpec> training_kernels(const ScheduleSpaces& spaces, const std::string& isa) {
  std::vector<KernelSpec> kernels;
  for (const CompilerFamily* family : compiler_families()) {
    for (const KernelDescription& description : family->descriptions) {
      if (!description.of_training_steps) continue;
      for (const ScheduleSpace::BatchClass& batch : spaces.of(description.name).batch_classes()) {
        kernels.push_back({description.name, isa, batch.name, {}, batch.min_tokens, batch.max_tokens});
      }
    }
  }
  return kernels;
}

std::vector<KernelSpec> one_token_kernels(const ScheduleSpaces& spaces, const KernelSpec& spec) {
  std::vector<KernelSpec> kernels;
  if (spec.max_tokens == 1) return kernels;
  const TypedShape layer = kernel_description(spec).smallest_layer(spec);
  for (const KernelSpec& kernel : layer_kernels(spaces, layer.shape, spec.isa, layer.table_type, layer.projection_type)) {
    if (kernel.kernel == spec.kernel && kernel.max_tokens == 1) kernels.push_back(kernel);
  }
  return kernels;
}

Work kernel_work(const KernelSpec& spec) {
  const KernelDescription& description = kernel_description(spec);
  const TypedShape layer = description.smallest_layer(spec);
  if (description.work) return description.work(layer);
  const LayerWork work = layer_work(layer);
  return description.part == LayerPart::kAddresser ? work.addresser : work.retriever;
}

Work dense_ffn_work(const LayerShape& shape, const std::string& weight_type) {
  const double products = 4 * double(shape.d_in) * double(shape.d_in + shape.d_out);
  Work work;
  work.flops = 2 * products;
  work.weight_bytes = work.footprint_bytes = weight_bytes(weight_type_of(weight_type), products);
  return work;
}

}  // namespace lookupffn
