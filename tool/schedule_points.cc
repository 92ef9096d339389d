#include "schedule_points.h"

#include <cstdio>
#include <filesystem>
#include <nlohmann/json.hpp>
#include <set>

#include "compiler_family.h"
#include "json_fields.h"
#include "model_shapes.h"
#include "workload.h"

namespace lookupffn {
namespace {

std::vector<LayerShape> shapes_of(const std::string& model) {
  std::error_code error;
  const bool is_file = std::filesystem::exists(model, error) || model.find(".safetensors") != std::string::npos;
  if (is_file) return model_shapes(model);
  return {find_workload(model)};
}

}  // namespace

void print_points(const PointsRequest& request, const ScheduleSpaces& spaces) {
  nlohmann::json list = nlohmann::json::array();
  std::set<KernelSpec> seen;  // layers share kernels, and types share the kernels that do not depend on them
  const auto print = [&](const std::vector<KernelSpec>& specs) {
    for (const KernelSpec& spec : specs) {
      if (!seen.insert(spec).second) continue;
      const size_t points = spaces.of(spec.kernel).legal_count(spec);
      if (request.json) {
        list.push_back({{"kernel", spec.kernel},
                        {"isa", spec.isa},
                        {"batch_class", spec.batch_class},
                        {"problem", spec.problem},
                        {"points", points}});
      } else {
        std::printf("%s: %zu points\n", describe(spec).c_str(), points);
      }
    }
  };
  for (const std::string& isa : resolve_isas({request.isa.empty() ? "native" : request.isa})) {
    if (request.model == kTrainingSteps) {
      print(training_kernels(spaces, isa));
      continue;
    }
    for (const LayerShape& shape : shapes_of(request.model)) {
      for (const std::string& table_type : request.table_types) {
        for (const std::string& projection_type : request.projection_types) {
          print(layer_kernels(spaces, shape, isa, table_type, projection_type));
        }
      }
    }
  }
  if (request.json) std::printf("%s\n", json_text(list).c_str());
}

}  // namespace lookupffn
