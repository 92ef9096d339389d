#include "kernel_description.h"

#include <stdexcept>

#include "compiler_family.h"
#include "weight_types.h"

namespace lookupffn {

const KernelDescription* find_kernel_description(const std::string& kernel) {
  for (const CompilerFamily* family : compiler_families()) {
    for (const KernelDescription& description : family->descriptions) {
      if (kernel == description.name) return &description;
    }
  }
  return nullptr;
}

const KernelDescription& kernel_description(const std::string& kernel) {
  if (const KernelDescription* description = find_kernel_description(kernel)) return *description;
  std::string names;
  for (const std::string& name : kernel_names()) names += (names.empty() ? "" : ", ") + name;
  throw std::runtime_error("there is no kernel '" + kernel + "'; there are " + names);
}

std::vector<std::string> kernel_names() {
  std::vector<std::string> names;
  for (const CompilerFamily* family : compiler_families()) {
    for (const KernelDescription& description : family->descriptions) names.push_back(description.name);
  }
  return names;
}

Work kernel_work(const KernelSpec& spec) {
  const KernelDescription& description = kernel_description(spec.kernel);
  const LayerWork work = layer_work(description.smallest_layer(spec));
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
