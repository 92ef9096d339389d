#include <Halide.h>

// Parallel, and with a heap allocation, so that it needs Halide's thread pool and allocator.
class Blur : public Halide::Generator<Blur> {
 public:
  Input<Halide::Buffer<float>> in{"in", 1};
  Output<Halide::Buffer<float>> out{"out", 1};

  void generate() {
    Halide::Var i, o;
    Halide::Func twice;
    twice(i) = in(i)*2.0f;
    out(i) = (twice(i) + twice(i + 1)) * 0.25f;
    twice.compute_root();
    out.split(i, o, i, 64).parallel(o);
  }
};
HALIDE_REGISTER_GENERATOR(Blur, blur)
