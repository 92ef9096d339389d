// The matrix types of this program and the two operations that all of its parts use.
#ifndef BYTE_LM_MATRIX_H
#define BYTE_LM_MATRIX_H

#include <Eigen/Core>
#include <string>

#include "tensor_file.h"

namespace byte_lm {

using Matrix = Eigen::Matrix<float, Eigen::Dynamic, Eigen::Dynamic, Eigen::RowMajor>;  // a row a token
using Row = Eigen::Matrix<float, 1, Eigen::Dynamic>;
using ConstRows = Eigen::Ref<const Matrix>;

Matrix read_matrix(const TensorFile& file, const std::string& name, size_t rows, size_t columns);
Row read_row(const TensorFile& file, const std::string& name, size_t columns);

// (x - mean) / sqrt(variance + 1e-5) * weight + bias, each row for itself.
struct LayerNorm {
  LayerNorm(const TensorFile& file, const std::string& prefix, size_t width);  // prefix "layer.0.FFN."
  Matrix operator()(const ConstRows& x) const;

  Row weight, bias;
};

// x weight^T + bias.
struct Linear {
  Linear(const TensorFile& file, const std::string& prefix, size_t out, size_t in);  // prefix "...query."
  Matrix operator()(const ConstRows& x) const;

  Matrix weight;  // [out, in]
  Row bias;       // [out]
};

}  // namespace byte_lm
#endif
