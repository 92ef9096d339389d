// The dense feed-forward layer d -> 4 d -> d in oneDNN: two inner products, the exact GELU fused into the
// first, weights packed beforehand in the format that oneDNN asks for. LayerNorm is left out, which favours
// this peer: ours is timed with its LayerNorm. In bf16 inputs come as bf16 and results stay bf16 (no
// conversion is timed), and oneDNN uses AMX where the machine has it. Primitives are compiled for the number
// of tokens.
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

class OneDnn : public Contender {
 public:
  OneDnn(const Setting& setting, memory::data_type type)
      : setting_(setting), type_(type), engine_(dnnl::engine::kind::cpu, 0), stream_(engine_) {
    if (is_bf16()) {
      x_bf16_.resize(setting.ring.x.size());
      std::transform(setting.ring.x.begin(), setting.ring.x.end(), x_bf16_.begin(), bf16_of_float);
    }
    y_.resize(setting.largest_call * setting.ffn.d * sizeof(float));
    up_.resize(setting.largest_call * setting.ffn.hidden * sizeof(float));
  }

  void set_tokens(size_t tokens) override {
    const DenseFfn& ffn = setting_.ffn;
    dnnl::primitive_attr gelu;
    dnnl::post_ops operations;
    operations.append_eltwise(1.0f, dnnl::algorithm::eltwise_gelu_erf, 0, 0);
    gelu.set_post_ops(operations);
    first_ = make_step(tokens, ffn.d, ffn.hidden, ffn.w1, ffn.b1, gelu);
    second_ = make_step(tokens, ffn.hidden, ffn.d, ffn.w2, ffn.b2, {});
    implementation_ = first_.implementation;
  }

  void run(Part, size_t first, size_t /*tokens*/) override {
    const size_t offset = first * setting_.ffn.d;
    // oneDNN takes no pointer to const; it does not write to its source.
    void* x =
        is_bf16() ? static_cast<void*>(const_cast<uint16_t*>(&x_bf16_[offset])) : const_cast<float*>(&setting_.ring.x[offset]);
    execute(first_, x, up_.data());
    execute(second_, up_.data(), y_.data());
    stream_.wait();
  }

  std::vector<float> y(size_t tokens) const override {
    std::vector<float> result(tokens * setting_.ffn.d);
    if (is_bf16()) {
      const auto* values = reinterpret_cast<const uint16_t*>(y_.data());
      std::transform(values, values + result.size(), result.begin(), float_of_bf16);
    } else {
      std::memcpy(result.data(), y_.data(), result.size() * sizeof(float));
    }
    return result;
  }

  // "brgemm:avx512_core_bf16_amx_bf16" and the like: what the first inner product runs on.
  std::string isa() const override { return implementation_.substr(implementation_.find(':') + 1); }
  std::string schedule() const override {
    const dnnl_version_t* v = dnnl_version();
    return "oneDNN " + std::to_string(v->major) + "." + std::to_string(v->minor) + "." + std::to_string(v->patch) + ", " +
           implementation_;
  }

 private:
  struct Step {
    dnnl::inner_product_forward primitive;
    memory source, weights, bias, destination;
    std::string implementation;
  };

  bool is_bf16() const { return type_ == memory::data_type::bf16; }

  Step make_step(memory::dim tokens, memory::dim in, memory::dim out, const std::vector<float>& w, const std::vector<float>& b,
                 const dnnl::primitive_attr& attributes) {
    using tag = memory::format_tag;
    const auto f32 = memory::data_type::f32;
    const memory::desc source({tokens, in}, type_, tag::ab), destination({tokens, out}, type_, tag::ab);
    const memory::desc any_weights({out, in}, type_, tag::any), bias({out}, f32, tag::a);
    const dnnl::inner_product_forward::primitive_desc description(
        {dnnl::prop_kind::forward_inference, source, any_weights, bias, destination}, attributes, engine_);
    Step step;
    step.primitive = dnnl::inner_product_forward(description);
    step.implementation = description.impl_info_str();
    step.source = memory(source, engine_, nullptr);
    step.destination = memory(destination, engine_, nullptr);
    step.weights = memory(description.weights_desc(), engine_);
    step.bias = memory(bias, engine_);
    std::memcpy(step.bias.get_data_handle(), b.data(), b.size() * sizeof(float));
    memory plain({{out, in}, f32, tag::ab}, engine_, const_cast<float*>(w.data()));
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

  const Setting& setting_;
  memory::data_type type_;
  dnnl::engine engine_;
  dnnl::stream stream_;
  std::vector<uint16_t> x_bf16_;
  std::vector<uint8_t> y_, up_;
  Step first_, second_;
  std::string implementation_;
};

}  // namespace

ContenderKind onednn_f32_contender() {
  return {"onednn_f32",
          "dense FFN, oneDNN f32",
          Computes::kDenseFfn,
          {Part::kAll},
          false,
          "f32",
          "",
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<OneDnn>(setting, memory::data_type::f32);
          }};
}

ContenderKind onednn_bf16_contender() {
  return {"onednn_bf16",
          "dense FFN, oneDNN bf16",
          Computes::kDenseFfn,
          {Part::kAll},
          false,
          "bf16",
          "",
          [](const Setting& setting, Types) -> std::unique_ptr<Contender> {
            return std::make_unique<OneDnn>(setting, memory::data_type::bf16);
          }};
}

}  // namespace lookupffn::bench
