// The dense network in oneDNN: inner products, the exact GELU fused into all but the last, weights packed beforehand in the
// format that oneDNN asks for. LayerNorm is left out, which favours this peer: ours is timed with its LayerNorm, where it has
// one. In bf16 inputs come as bf16 and results stay bf16 (no conversion is timed), and oneDNN uses AMX where the machine has
// it. Primitives are compiled for the number of tokens.
#include <algorithm>
#include <cstring>
#include <dnnl.hpp>
#include <stdexcept>

#include "contender.h"

namespace lookupffn::bench {
namespace {

using dnnl::memory;

uint16_t bf16_of_float(float value) {  // to nearest, ties to even; values here are finite
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof bits);
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}

float float_of_bf16(uint16_t value) {
  const uint32_t bits = static_cast<uint32_t>(value) << 16;
  float result;
  std::memcpy(&result, &bits, sizeof bits);
  return result;
}

// What oneDNN 2 (Debian 12) and oneDNN 3 (Debian 13) call differently.
using InnerProduct = dnnl::inner_product_forward::primitive_desc;
#if DNNL_VERSION_MAJOR < 3
void append(dnnl::post_ops& operations, dnnl::algorithm elementwise) { operations.append_eltwise(1.0f, elementwise, 0, 0); }
InnerProduct describe(const dnnl::engine& engine, const memory::desc& source, const memory::desc& weights,
                      const memory::desc& bias, const memory::desc& destination, const dnnl::primitive_attr& attributes) {
  return {{dnnl::prop_kind::forward_inference, source, weights, bias, destination}, attributes, engine};
}
#else
void append(dnnl::post_ops& operations, dnnl::algorithm elementwise) { operations.append_eltwise(elementwise, 0, 0); }
InnerProduct describe(const dnnl::engine& engine, const memory::desc& source, const memory::desc& weights,
                      const memory::desc& bias, const memory::desc& destination, const dnnl::primitive_attr& attributes) {
  return {engine, dnnl::prop_kind::forward_inference, source, weights, bias, destination, attributes};
}
#endif

class OneDnn : public Contender {
 public:
  OneDnn(const ComparedLayer& layer, const Setting& setting, memory::data_type type)
      : x_(layer.ring.x), network_(layer.dense), type_(type), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    if (is_bf16()) {
      x_bf16_.resize(x_.size());
      std::transform(x_.begin(), x_.end(), x_bf16_.begin(), bf16_of_float);
    }
    for (std::vector<uint8_t>& values : values_) values.resize(setting.largest_call * network_.widest() * sizeof(float));
  }

  void set_tokens(size_t tokens) override {
    dnnl::primitive_attr gelu;
    dnnl::post_ops operations;
    append(operations, dnnl::algorithm::eltwise_gelu_erf);
    gelu.set_post_ops(operations);
    steps_.clear();
    for (const DenseNetwork::Product& product : network_.products) {
      const bool last = &product == &network_.products.back();
      steps_.push_back(make_step(memory::dim(tokens), product, last ? dnnl::primitive_attr() : gelu));
    }
  }

  void run(Part, size_t first, size_t /*tokens*/) override {
    const size_t offset = first * network_.d_in();
    // oneDNN takes no pointer to const; it does not write to its source.
    void* from = is_bf16() ? static_cast<void*>(const_cast<uint16_t*>(&x_bf16_[offset])) : const_cast<float*>(&x_[offset]);
    for (size_t k = 0; k < steps_.size(); ++k) {
      execute(steps_[k], from, values_[k % 2].data());
      from = values_[k % 2].data();
    }
    stream_.wait();
  }

  std::vector<float> y(size_t tokens) const override {
    const std::vector<uint8_t>& y = values_[(steps_.size() - 1) % 2];
    std::vector<float> result(tokens * network_.d_out());
    if (is_bf16()) {
      const auto* values = reinterpret_cast<const uint16_t*>(y.data());
      std::transform(values, values + result.size(), result.begin(), float_of_bf16);
    } else {
      std::memcpy(result.data(), y.data(), result.size() * sizeof(float));
    }
    return result;
  }

  // "brgemm:avx512_core_bf16_amx_bf16" and the like: what the first inner product runs on.
  std::string isa() const override { return implementation().substr(implementation().find(':') + 1); }
  std::string schedule() const override {
    const dnnl_version_t* v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) + ", " +
           implementation() + ", " + network_.name();
  }

 private:
  struct Step {
    dnnl::inner_product_forward primitive;
    memory source, weights, bias, destination;
    std::string implementation;
  };

  bool is_bf16() const { return type_ == memory::data_type::bf16; }

  std::string implementation() const { return steps_.empty() ? "" : steps_.front().implementation; }

  Step make_step(memory::dim tokens, const DenseNetwork::Product& product, const dnnl::primitive_attr& attributes) {
    using tag = memory::format_tag;
    const auto in = memory::dim(product.in), out = memory::dim(product.out);
    const auto f32 = memory::data_type::f32;
    const memory::desc source({tokens, in}, type_, tag::ab), destination({tokens, out}, type_, tag::ab);
    const memory::desc any_weights({out, in}, type_, tag::any), bias({out}, f32, tag::a);
    const auto description = describe(engine_, source, any_weights, bias, destination, attributes);
    Step step;
    step.primitive = dnnl::inner_product_forward(description);
    step.implementation = description.impl_info_str();
    step.source = memory(source, engine_, nullptr);
    step.destination = memory(destination, engine_, nullptr);
    step.weights = memory(description.weights_desc(), engine_);
    step.bias = memory(bias, engine_);
    std::memcpy(step.bias.get_data_handle(), product.b.data(), product.b.size() * sizeof(float));
    memory plain({{out, in}, f32, tag::ab}, engine_, const_cast<float*>(product.w.data()));
    dnnl::reorder(plain, step.weights).execute(stream_, plain, step.weights);
    stream_.wait();
    return step;
  }

  void execute(Step& step, void* source, void* destination) {
    step.source.set_data_handle(source);
    step.destination.set_data_handle(destination);
    step.primitive.execute(stream_, {{DNNL_ARG_SRC, step.source},
                                     {DNNL_ARG_WEIGHTS, step.weights},
                                     {DNNL_ARG_BIAS, step.bias},
                                     {DNNL_ARG_DST, step.destination}});
  }

  const std::vector<float>& x_;
  const DenseNetwork& network_;
  memory::data_type type_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<uint16_t> x_bf16_;
  std::vector<uint8_t> values_[2];  // what a step reads and what it writes, in turn
  std::vector<Step> steps_;
};

}  // namespace

ContenderKind onednn_f32_contender() {
  return {"onednn_f32",
          "dense network, oneDNN f32",
          ContenderKind::Computes::kDense,
          {Part::kAll},
          "f32",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<OneDnn>(layer, setting, memory::data_type::f32);
          }};
}

ContenderKind onednn_bf16_contender() {
  return {"onednn_bf16",
          "dense network, oneDNN bf16",
          ContenderKind::Computes::kDense,
          {Part::kAll},
          "bf16",
          "",
          [](const ComparedLayer& layer, const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<OneDnn>(layer, setting, memory::data_type::bf16);
          }};
}

}  // namespace lookupffn::bench
