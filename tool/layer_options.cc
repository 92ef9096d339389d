#include "layer_options.h"

#include "option_checks.h"
#include "weight_types.h"

namespace lookupffn {

void LayerOptions::add_to(CLI::App& command) {
  command.add_option("--prefix", prefix,
                     "Prefix of the layer's tensors, such as layer.0.FFN.; not needed where the file holds one layer");
  command.add_option("--isa", isa, "ISA to run on (see lookupffn isas); default: the active one")->check(isa_name());
  command
      .add_option("--kernels", kernels, "generic, specialised, or any: specialised where there are some")
      // "portable" is what generic kernels were called up to version 0.1.
      ->transform([](const std::string& name) { return name == "portable" ? std::string("generic") : name; })
      ->check(CLI::IsMember({"any", "generic", "specialised"}))
      ->capture_default_str();
  command.add_option("--library", library, "Directory of a kernel library made by lookupffn build")->check(not_empty());
  command.add_option("--table-type", table_type, "How tables are stored (see lookupffn types)")
      ->check(CLI::IsMember(weight_type_names(WeightRole::kTables)))
      ->capture_default_str();
  command.add_option("--projection-type", projection_type, "How projection weights are stored (see lookupffn types)")
      ->check(CLI::IsMember(weight_type_names(WeightRole::kProjections)))
      ->capture_default_str();
  command.add_option("--threads", threads, "Threads to run on; 0: as many as this process may use")
      ->check(whole_number(0, 4096))
      ->capture_default_str();
}

Layer LayerOptions::pack(const Model& model, const std::string& layer_prefix) const {
  if (!library.empty()) load_kernels(library);
  PackOptions options{};
  options.isa = isa.empty() ? nullptr : isa.c_str();
  options.kernels = kernels == "generic"       ? LOOKUPFFN_GENERIC_KERNELS
                    : kernels == "specialised" ? LOOKUPFFN_SPECIALISED_KERNELS
                                               : LOOKUPFFN_ANY_KERNELS;
  options.table_type = weight_type_of(table_type, WeightRole::kTables).type;
  options.projection_type = weight_type_of(projection_type, WeightRole::kProjections).type;
  return Layer(model, layer_prefix, options);
}

std::string ran_on(const Layer& layer, size_t threads) {
  const LayerInfo info = layer.info();
  std::string text = std::string(info.isa) + ", " + (info.specialised ? "specialised" : "generic") + " kernels, " +
                     type_name(info.table_type) + " tables, " + type_name(info.projection_type) + " projection, " +
                     std::to_string(threads) + (threads == 1 ? " thread" : " threads");
  if (*info.fallback) text += "\n  generic because: " + std::string(info.fallback);
  return text + "\n  " + info.kernels;
}

}  // namespace lookupffn
