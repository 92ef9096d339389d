#include "matrix.h"

namespace byte_lm {

Matrix read_matrix(const TensorFile& file, const std::string& name, size_t rows, size_t columns) {
  const std::vector<float> values = file.floats(name, {rows, columns});
  return Eigen::Map<const Matrix>(values.data(), static_cast<Eigen::Index>(rows), static_cast<Eigen::Index>(columns));
}

Row read_row(const TensorFile& file, const std::string& name, size_t columns) {
  const std::vector<float> values = file.floats(name, {columns});
  return Eigen::Map<const Row>(values.data(), static_cast<Eigen::Index>(columns));
}

LayerNorm::LayerNorm(const TensorFile& file, const std::string& prefix, size_t width)
    : weight(read_row(file, prefix + "LayerNorm.weight", width)), bias(read_row(file, prefix + "LayerNorm.bias", width)) {}

Matrix LayerNorm::operator()(const ConstRows& x) const {
  constexpr float kEps = 1e-5f;
  Matrix h(x.rows(), x.cols());
  for (Eigen::Index n = 0; n < x.rows(); ++n) {
    const float mean = x.row(n).mean();
    const float variance = (x.row(n).array() - mean).square().mean();
    h.row(n) = (x.row(n).array() - mean) * (1 / std::sqrt(variance + kEps)) * weight.array() + bias.array();
  }
  return h;
}

Linear::Linear(const TensorFile& file, const std::string& prefix, size_t out, size_t in)
    : weight(read_matrix(file, prefix + "weight", out, in)), bias(read_row(file, prefix + "bias", out)) {}

Matrix Linear::operator()(const ConstRows& x) const {
  Matrix y = bias.replicate(x.rows(), 1);
  y.noalias() += x * weight.transpose();
  return y;
}

}  // namespace byte_lm
