#include "layer_options.h"

#include "kernel_choice.h"
#include "option_checks.h"

namespace lookupffn {

void LayerOptions::add_to(CLI::App& command) {
  command.add_option("--prefix", prefix, "Prefix of the layer's tensors, such as layer.0.FFN.; not needed where the file holds one layer");
  command.add_option("--isa", isa, "ISA to run on (see lookupffn isas); default: the active one")->check(isa_name());
  command.add_option("--kernels", kernels, "portable, specialised, or any: specialised where there are some")
      ->check(CLI::IsMember({"any", "portable", "specialised"}))->capture_default_str();
  command.add_option("--library", library, "Directory of a kernel library made by lookupffn build")->check(not_empty());
  command.add_option("--table-type", table_type, "How tables are stored: f32, bf16 or i8 with a scale a row")
      ->check(CLI::IsMember({"f32", "bf16", "i8"}))->capture_default_str();
  command.add_option("--projection-type", projection_type, "How projection weights are stored: f32; bf16x3, the same values for AMX; bf16, which may flip codes")
      ->check(CLI::IsMember({"f32", "bf16x3", "bf16"}))->capture_default_str();
  command.add_option("--threads", threads, "Threads to run on; 0: as many as this process may use")
      ->check(whole_number(0, 4096))->capture_default_str();
}

Layer LayerOptions::pack(const Model& model, const std::string& layer_prefix) const {
  if (!library.empty()) load_kernels(library);
  PackOptions options{};
  options.isa = isa.empty() ? nullptr : isa.c_str();
  options.kernels = kernels == "portable"      ? LOOKUPFFN_PORTABLE_KERNELS
                    : kernels == "specialised" ? LOOKUPFFN_SPECIALISED_KERNELS
                                               : LOOKUPFFN_ANY_KERNELS;
  options.table_type = table_type == "bf16" ? LOOKUPFFN_BF16 : table_type == "i8" ? LOOKUPFFN_I8 : LOOKUPFFN_F32;
  options.projection_type = projection_type == "bf16"     ? LOOKUPFFN_BF16
                            : projection_type == "bf16x3" ? LOOKUPFFN_BF16X3
                                                          : LOOKUPFFN_F32;
  return Layer(model, layer_prefix, options);
}

std::string ran_on(const Layer& layer, size_t threads) {
  const LayerInfo info = layer.info();
  std::string text = std::string(info.isa) + ", " + (info.specialised ? "specialised" : "portable") + " kernels, " +
                     type_name(info.table_type) + " tables, " + type_name(info.projection_type) + " projection, " +
                     std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  if (*info.fallback) text += "\n  portable because: " + std::string(info.fallback);
  return text + "\n  " + info.kernels;
}

}  // namespace lookupffn
