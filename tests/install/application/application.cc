// An application with the generic kernels only: application MODEL.
#include <cmath>
#include <cstdio>
#include <exception>
#include <lookupffn/lookupffn.hpp>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  const lookupffn::Model model(argv[1]);
  const lookupffn::Layer layer(model);
  const lookupffn::Shape shape = layer.shape();
  const size_t tokens = 5;
  std::vector<float> x(tokens * shape.d_in), y(tokens * shape.d_out, std::nanf(""));
  for (size_t i = 0; i < x.size(); ++i) x[i] = float(i * 37 % 101) / 50 - 1;
  layer.forward(x.data(), y.data(), tokens);
  for (const float value : y) {
    if (!std::isfinite(value)) {
      std::fprintf(stderr, "an output is not finite\n");
      return 1;
    }
  }
  std::printf("lookupffn %s: %zu tokens through %zu tables on %s\n", lookupffn_version(), tokens, shape.tables,
              layer.info().isa);
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "application: %s\n", error.what());
  return 1;
}
