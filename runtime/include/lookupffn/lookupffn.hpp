/// @file
/// A thin C++17 wrapper around the C API: handles that free themselves, exceptions instead of status codes.
/// What a function does, needs and promises is documented in lookupffn.h, at the corresponding C function.
///
///   lookupffn::Model model("model.safetensors");
///   lookupffn::Layer layer(model, "encoder.layer.3.FFN.");
///   layer.forward(x, y, tokens);
#ifndef LOOKUPFFN_LOOKUPFFN_HPP
#define LOOKUPFFN_LOOKUPFFN_HPP

#include <cstddef>
#include <cstdint>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include "lookupffn/lookupffn.h"

namespace lookupffn {

/// What the functions and constructors here throw. what() is the library's message: one line that says what
/// is wrong and how to fix it.
class Error : public std::runtime_error {
 public:
  /// Makes an error of a message and a status, which is not LOOKUPFFN_OK.
  Error(lookupffn_status status, const std::string& message) : std::runtime_error(message), status_(status) {}
  /// What went wrong, for programs.
  lookupffn_status status() const noexcept { return status_; }

 private:
  lookupffn_status status_;
};

/// Throws Error with this thread's last message unless status is LOOKUPFFN_OK. For C functions that have no
/// wrapper here.
inline void check(lookupffn_status status) {
  if (status != LOOKUPFFN_OK) throw Error(status, lookupffn_last_message());
}

using Shape = lookupffn_shape;               ///< strings in it are owned by the Model or Layer it came from
using LayerInfo = lookupffn_layer_info;      ///< strings in it are owned by the Layer
using PackOptions = lookupffn_pack_options;  ///< PackOptions{} has every default
using IsaInfo = lookupffn_isa_info;          ///< its strings are static

// ---- instruction sets; all thread-safe ----

/// ISAs known to the library, from the plainest to the widest.
inline std::vector<IsaInfo> isas() {
  std::vector<IsaInfo> all(lookupffn_isa_count());
  for (size_t i = 0; i < all.size(); ++i) check(lookupffn_isa_at(i, &all[i]));
  return all;
}

/// The ISA that layers packed now get by default. Throws if the ISA that LOOKUPFFN_ISA names is not available.
inline const char* active_isa() {
  const char* name = nullptr;
  check(lookupffn_active_isa(&name));
  return name;
}

/// Forces the active ISA for the process. Throws Error (LOOKUPFFN_UNSUPPORTED_ISA) if this machine or library
/// lacks it.
inline void force_isa(const std::string& name) { check(lookupffn_force_isa(name.c_str())); }

/// Returns to the automatic choice.
inline void unforce_isa() { check(lookupffn_force_isa(nullptr)); }

// ---- types ----

using TypeInfo = lookupffn_type_info;  ///< its strings are static

/// The types that weights can be packed as.
inline std::vector<TypeInfo> types() {
  std::vector<TypeInfo> all(lookupffn_type_count());
  for (size_t i = 0; i < all.size(); ++i) check(lookupffn_type_at(i, &all[i]));
  return all;
}

/// "f32", ...; "unknown" for a number that is not a type.
inline const char* type_name(lookupffn_type type) { return lookupffn_type_name(type); }

// ---- models ----

/// A model file, open and checked. Movable, not copyable; safe to read from several threads. A
/// moved-from Model may only be assigned to or destroyed; the same holds for Layer and Threads.
class Model {
 public:
  /// Opens the safetensors file at `path`.
  explicit Model(const std::string& path) { check(lookupffn_model_open(path.c_str(), &model_)); }

  /// Opens a model's bytes in memory. They must outlive the Model and must not change.
  Model(const void* bytes, size_t size) { check(lookupffn_model_open_memory(bytes, size, &model_)); }

  /// Takes over what `other` has.
  Model(Model&& other) noexcept : model_(std::exchange(other.model_, nullptr)) {}
  /// Swaps with `other`.
  Model& operator=(Model&& other) noexcept {
    std::swap(model_, other.model_);
    return *this;
  }
  ~Model() { lookupffn_model_close(model_); }

  /// How many layers the model has.
  size_t layer_count() const { return lookupffn_model_layer_count(model_); }

  /// The shape of layer `index`, in the order of the prefixes.
  Shape layer(size_t index) const {
    Shape shape{};
    check(lookupffn_model_layer(model_, index, &shape));
    return shape;
  }

  /// The shapes of all layers.
  std::vector<Shape> layers() const {
    std::vector<Shape> shapes;
    for (size_t i = 0; i < layer_count(); ++i) shapes.push_back(layer(i));
    return shapes;
  }

  /// The C handle, still owned by this object.
  const lookupffn_model* get() const noexcept { return model_; }

 private:
  lookupffn_model* model_ = nullptr;
};

// ---- threads ----

/// Threads that forwards run on. Several forwards may share them.
class Threads {
 public:
  /// A pool of `count` threads, the caller of a forward among them; 0: default_count().
  explicit Threads(size_t count = 0) { check(lookupffn_threads_create(count, &threads_)); }

  /// The application's own pool, which must outlive this object; see lookupffn_threads_wrap.
  Threads(lookupffn_parallel_for parallel_for, void* pool, size_t count) {
    check(lookupffn_threads_wrap(parallel_for, pool, count, &threads_));
  }

  /// Takes over what `other` has.
  Threads(Threads&& other) noexcept : threads_(std::exchange(other.threads_, nullptr)) {}
  /// Swaps with `other`.
  Threads& operator=(Threads&& other) noexcept {
    std::swap(threads_, other.threads_);
    return *this;
  }
  ~Threads() { lookupffn_threads_free(threads_); }

  /// How many threads it has, the caller of a forward among them.
  size_t count() const { return lookupffn_threads_count(threads_); }

  /// The C handle, still owned by this object. Not const, as the C API takes it.
  lookupffn_threads* get() const noexcept { return threads_; }

  /// How many threads this process may use: its affinity mask, limited by its cgroup's quota.
  static size_t default_count() { return lookupffn_default_thread_count(); }

 private:
  lookupffn_threads* threads_ = nullptr;
};

// ---- layers ----

/// A packed layer: immutable, and independent of the Model once made. Share it freely between threads.
///
/// The functions that run it take row-major float32 matrices with strides in floats from one row to the
/// next, and run on the process's default pool unless they are given Threads.
class Layer {
 public:
  /// Packs the layer with this prefix ("": the model's only layer, whatever its prefix).
  explicit Layer(const Model& model, const std::string& prefix = "", const PackOptions& options = {}) {
    check(lookupffn_layer_pack(model.get(), prefix.c_str(), &options, &layer_));
  }

  /// Takes over what `other` has.
  Layer(Layer&& other) noexcept : layer_(std::exchange(other.layer_, nullptr)) {}
  /// Swaps with `other`.
  Layer& operator=(Layer&& other) noexcept {
    std::swap(layer_, other.layer_);
    return *this;
  }
  ~Layer() { lookupffn_layer_free(layer_); }

  /// Shape, types and ISA, which kernels it runs on and why, and how much memory it takes.
  LayerInfo info() const {
    LayerInfo info{};
    check(lookupffn_layer_describe(layer_, &info));
    return info;
  }
  /// The sizes of the layer.
  Shape shape() const { return info().shape; }

  /// y[n, :] = layer(x[n, :]); x [tokens, d_in], y [tokens, d_out], which may be x itself with the same stride and
  /// must not overlap it otherwise. flags: 0 or LOOKUPFFN_ADD_RESIDUAL.
  void forward(const float* x, ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens, unsigned flags = 0) const {
    check(lookupffn_forward(layer_, nullptr, x, x_stride, y, y_stride, tokens, flags));
  }
  /// The same on `threads`.
  void forward(const Threads& threads, const float* x, ptrdiff_t x_stride, float* y, ptrdiff_t y_stride, size_t tokens,
               unsigned flags = 0) const {
    check(lookupffn_forward(layer_, threads.get(), x, x_stride, y, y_stride, tokens, flags));
  }

  /// The same for contiguous x and y.
  void forward(const float* x, float* y, size_t tokens, unsigned flags = 0) const {
    const Shape s = shape();
    forward(x, static_cast<ptrdiff_t>(s.d_in), y, static_cast<ptrdiff_t>(s.d_out), tokens, flags);
  }
  /// The same for contiguous x and y, on `threads`.
  void forward(const Threads& threads, const float* x, float* y, size_t tokens, unsigned flags = 0) const {
    const Shape s = shape();
    forward(threads, x, static_cast<ptrdiff_t>(s.d_in), y, static_cast<ptrdiff_t>(s.d_out), tokens, flags);
  }

  /// For layers that take ids: y[b, :] = the sum of weight * row over the ids of bag b, or with LOOKUPFFN_MEAN the mean of the
  /// rows; y [bags, d_out]. weights null: all 1. threads null: the default pool.
  void forward_ids(const Threads* threads, const int64_t* ids, size_t count, const int64_t* offsets, size_t bags,
                   const float* weights, float* y, ptrdiff_t y_stride, unsigned flags = 0) const {
    check(lookupffn_forward_ids(layer_, threads ? threads->get() : nullptr, ids, count, offsets, bags, weights, y, y_stride,
                                flags));
  }

  /// The same for contiguous y, on the default pool.
  void forward_ids(const int64_t* ids, size_t count, const int64_t* offsets, size_t bags, float* y, unsigned flags = 0) const {
    forward_ids(nullptr, ids, count, offsets, bags, nullptr, y, static_cast<ptrdiff_t>(shape().d_out), flags);
  }

  /// The hash alone: code and score, both [tokens, lookups] and contiguous; either may be null. threads
  /// null: the default pool.
  void hash(const Threads* threads, const float* x, ptrdiff_t x_stride, int32_t* code, float* score, size_t tokens) const {
    check(lookupffn_hash(layer_, threads ? threads->get() : nullptr, x, x_stride, code, score, tokens));
  }

  /// The gather alone: y = bias + sum_t score[n, t] * table[t, code[n, t], :].
  void gather(const Threads* threads, const int32_t* code, const float* score, float* y, ptrdiff_t y_stride,
              size_t tokens) const {
    check(lookupffn_gather(layer_, threads ? threads->get() : nullptr, code, score, y, y_stride, tokens));
  }

  /// The C handle, still owned by this object.
  const lookupffn_layer* get() const noexcept { return layer_; }

 private:
  lookupffn_layer* layer_ = nullptr;
};

// ---- specialised kernels ----

/// Loads and registers every kernel library module of a directory that `lookupffn build` made; returns
/// how many.
inline size_t load_kernels(const std::string& directory) {
  size_t loaded = 0;
  check(lookupffn_load_kernels(directory.c_str(), &loaded));
  return loaded;
}

}  // namespace lookupffn
#endif
