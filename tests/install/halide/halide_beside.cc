// Halide's code and ours in turn, in one program: halide_beside MODEL.
#include <HalideBuffer.h>
#include <blur.h>
#include <ffn.h>

#include <cmath>
#include <cstdio>
#include <exception>
#include <lookupffn/lookupffn.hpp>
#include <vector>

int main(int argc, char** argv) try {
  if (argc != 2) return 2;
  lookupffn::check(ffn_register());
  const lookupffn::Model model(argv[1]);
  lookupffn::PackOptions options{};
  options.kernels = LOOKUPFFN_SPECIALISED_KERNELS;
  const lookupffn::Layer layer(model, "", options);
  const lookupffn::Shape shape = layer.shape();
  std::vector<float> x(64 * shape.d_in, 0.5f), y(64 * shape.d_out), again(y.size());
  for (size_t i = 0; i < x.size(); ++i) x[i] = std::sin(float(i));

  Halide::Runtime::Buffer<float> in(4097), out(4096);
  in.for_each_element([&](int i) { in(i) = float(i); });
  layer.forward(x.data(), y.data(), 64);
  if (blur(in, out) != 0) return 1;
  layer.forward(x.data(), again.data(), 64);
  for (int i = 0; i < out.width(); ++i) {
    if (out(i) != float(i) + 0.5f) {
      std::fprintf(stderr, "the application's own kernel gave %g at %d\n", double(out(i)), i);
      return 1;
    }
  }
  if (y != again) {
    std::fprintf(stderr, "the layer's result changed\n");
    return 1;
  }
  return 0;
} catch (const std::exception& error) {
  std::fprintf(stderr, "halide_beside: %s\n", error.what());
  return 1;
}
