#include "model_shapes.h"

#include <algorithm>
#include <memory>
#include <stdexcept>

#include "isas.h"
#include "lookupffn/lookupffn.h"

namespace lookupffn {
namespace {

void check(lookupffn_status status) {
  if (status != LOOKUPFFN_OK) throw std::runtime_error(lookupffn_last_message());
}

// Where in the list it is now.
template <class Type>
size_t add_once(std::vector<Type>* list, const Type& value) {
  const auto there = std::find(list->begin(), list->end(), value);
  if (there != list->end()) return static_cast<size_t>(there - list->begin());
  list->push_back(value);
  return list->size() - 1;
}

}  // namespace

std::vector<LayerShape> model_shapes(const std::string& path, std::vector<size_t>* layers) {
  lookupffn_model* opened = nullptr;
  check(lookupffn_model_open(path.c_str(), &opened));
  const std::unique_ptr<lookupffn_model, void (*)(lookupffn_model*)> model(opened, lookupffn_model_close);
  std::vector<LayerShape> shapes;
  for (size_t i = 0; i < lookupffn_model_layer_count(model.get()); ++i) {
    lookupffn_shape from;
    check(lookupffn_model_layer(model.get(), i, &from));
    const size_t at = add_once(&shapes, LayerShape(from));
    if (layers == nullptr) continue;
    layers->resize(shapes.size());
    ++(*layers)[at];
  }
  return shapes;
}

std::vector<std::string> resolve_isas(const std::vector<std::string>& names) {
  std::vector<lookupffn_isa_info> built;
  std::string list;
  for (size_t i = 0; i < lookupffn_isa_count(); ++i) {
    lookupffn_isa_info info;
    check(lookupffn_isa_at(i, &info));
    if (!info.built_in) continue;
    built.push_back(info);
    list += std::string(list.empty() ? "" : ", ") + info.name;
  }
  std::vector<std::string> isas;
  for (const std::string& name : names) {
    if (name == "all") {
      for (const lookupffn_isa_info& info : built) add_once(&isas, std::string(info.name));
    } else if (name == "native") {
      const auto widest = std::find_if(built.rbegin(), built.rend(), [](const auto& info) { return info.runnable; });
      if (widest == built.rend()) {
        throw std::runtime_error("this machine runs none of the ISAs " + list + "; name that of another machine: --isa " +
                                 built.front().name);
      }
      add_once(&isas, std::string(widest->name));
    } else {
      const IsaRow* isa = find_isa(name);
      if (!isa) {
        throw std::runtime_error("there is no ISA '" + name + "'; there are " + isa_names_text() + ", native and all");
      }
      if (isa->oldest_halide > LOOKUPFFN_HALIDE_MAJOR) {
        throw std::runtime_error("kernels for " + name + " are made by Halide " + std::to_string(isa->oldest_halide) +
                                 " and newer; this lookupffn has Halide " + std::to_string(LOOKUPFFN_HALIDE_MAJOR) +
                                 ": build it on Debian 13, or with scripts/with-debian13");
      }
      add_once(&isas, name);
    }
  }
  return isas;
}

}  // namespace lookupffn
