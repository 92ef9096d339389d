// Runs each model generic and specialised and compares: kernels MODEL TABLE_TYPE [MODEL TABLE_TYPE ...].
#include <from_model.h>
#include <from_shapes.h>
#include <prebuilt.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <lookupffn/lookupffn.hpp>
#include <string>
#include <vector>

namespace {

std::vector<float> run(const lookupffn::Layer& layer, size_t tokens) {
  const lookupffn::Shape shape = layer.shape();
  std::vector<float> x(tokens * shape.d_in), y(tokens * shape.d_out);
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i) * 1.7f);
  layer.forward(x.data(), y.data(), tokens);
  return y;
}

bool agrees(const std::string& path, const std::string& table_type) {
  const lookupffn::Model model(path);
  lookupffn::PackOptions options{};
  options.table_type = table_type == "i8" ? LOOKUPFFN_I8 : LOOKUPFFN_F32;
  options.kernels = LOOKUPFFN_GENERIC_KERNELS;
  const lookupffn::Layer generic(model, "", options);
  options.kernels = LOOKUPFFN_SPECIALISED_KERNELS;
  const lookupffn::Layer specialised(model, "", options);
  std::printf("%s, %s tables: %s\n", path.c_str(), table_type.c_str(), specialised.info().kernels);
  for (const size_t tokens : {1, 7, 100}) {
    const std::vector<float> expected = run(generic, tokens), y = run(specialised, tokens);
    for (size_t i = 0; i < y.size(); ++i) {
      if (!(std::fabs(y[i] - expected[i]) <= 1e-4f * (1 + std::fabs(expected[i])))) {
        std::fprintf(stderr, "%zu tokens: y[%zu] is %g with specialised kernels, %g with generic ones\n", tokens, i,
                     double(y[i]), double(expected[i]));
        return false;
      }
    }
  }
  return true;
}

}  // namespace

int main(int argc, char** argv) try {
  if (argc < 3) return 2;
  lookupffn::check(from_model_register());
  lookupffn::check(from_shapes_register());
  lookupffn::check(prebuilt_register());
  for (int i = 1; i + 1 < argc; i += 2) {
    if (!agrees(argv[i], argv[i + 1])) return 1;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "kernels: %s\n", error.what());
  return 1;
}
