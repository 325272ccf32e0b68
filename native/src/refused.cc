#include "refused.h"

#include <string>

#include "errors.h"
#include "unsafe_arguments.h"

namespace sae_eval {

namespace {

using Values = std::vector<c10::IValue>;

// Found by test/torch/walk, each seen to end a process; docs/internals/dispatcher-walk.md lists
// them.
const std::vector<Refusal>& refusals() {
  static const std::vector<Refusal> table{
      {"aten::native_batch_norm", "*", unsafe::batchNorm,
       "it does not check that weight, bias and statistics have one value a channel, nor, without "
       "training, that the statistics are there"},
      {"aten::_native_batch_norm_legit", "", unsafe::batchNorm,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::_native_batch_norm_legit", "out", unsafe::batchNorm,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::_native_batch_norm_legit_functional", "*", unsafe::batchNorm,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::_native_batch_norm_legit", "no_stats", unsafe::batchNormNoStatistics,
       "it does not check that weight, bias and statistics have one value a channel, nor that it "
       "is training"},
      {"aten::_native_batch_norm_legit", "no_stats_out", unsafe::batchNormNoStatistics,
       "it does not check that weight, bias and statistics have one value a channel, nor that it "
       "is training"},
      {"aten::_batch_norm_no_update", "*", unsafe::batchNormNoUpdate,
       "it does not check that weight, bias and statistics have one value a channel, nor that the "
       "statistics are there"},
      {"aten::_batch_norm_with_update", "*", unsafe::batchNormWithUpdate,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::_batch_norm_with_update_functional", "*", unsafe::batchNormWithUpdate,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::batch_norm_update_stats", "*", unsafe::batchNormStatistics,
       "it does not check that weight, bias and statistics have one value a channel"},
      {"aten::native_batch_norm_backward", "*", unsafe::batchNormBackward,
       "it does not check that the gradient has the input's shape and each statistic it needs one "
       "value a channel"},
      {"aten::batch_norm_backward", "*", unsafe::batchNormBackward,
       "it does not check that the gradient has the input's shape and each statistic it needs one "
       "value a channel"},
      {"aten::_batch_norm_impl_index_backward", "*", unsafe::batchNormIndexBackward,
       "it does not check that the gradient has the input's shape and each statistic it needs one "
       "value a channel"},
      {"aten::_cummax_helper", "*", unsafe::cumulativeHelper,
       "it writes to values and indices without looking at their shapes, along a dimension it does "
       "not check"},
      {"aten::_cummin_helper", "*", unsafe::cumulativeHelper,
       "it writes to values and indices without looking at their shapes, along a dimension it does "
       "not check"},
      {"aten::_cholesky_solve_helper", "*", unsafe::choleskyHelper,
       "it does not check that the factor is square and matches"},
      {"aten::_chunk_cat", "*", unsafe::withoutDimensions,
       "it reads the first dimension of tensors that have none"},
      {"aten::_convert_indices_from_csr_to_coo", "*", unsafe::csrIndices,
       "it follows row pointers that do not rise from 0 to the number of columns given"},
      {"aten::_convert_indices_from_coo_to_csr", "*", unsafe::cooIndices,
       "it writes where rows outside the size point"},
      {"aten::_fft_r2c", "*", unsafe::transformDims, "it does not check the dimensions"},
      {"aten::_foreach_copy", "*", unsafe::listsDifferInLength,
       "it reads past the shorter of two lists"},
      {"aten::_fused_sgd", "*", unsafe::threeListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_sgd_", "*", unsafe::threeListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adagrad", "*", unsafe::threeListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adagrad_", "*", unsafe::threeListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adam", "*", unsafe::fourListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adam_", "*", unsafe::fourListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adamw", "*", unsafe::fourListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_fused_adamw_", "*", unsafe::fourListsDiffer,
       "it does not compare the shapes and dtypes of its lists"},
      {"aten::_log_softmax_backward_data", "*", unsafe::firstTwoDiffer,
       "it does not compare the shapes of gradient and output"},
      {"aten::_softmax_backward_data", "*", unsafe::firstTwoDiffer,
       "it does not compare the shapes of gradient and output"},
      {"aten::_lazy_clone", "*", unsafe::lentMemory,
       "its copy on write would free memory that a typed array lies over"},
      {"aten::_masked_softmax", "*", unsafe::empty, "it divides by the size of an empty tensor"},
      {"aten::_masked_softmax_backward", "*", unsafe::firstTwoDiffer,
       "it does not compare the shapes of gradient and output"},
      {"aten::_nnpack_spatial_convolution", "*", unsafe::packConvolution,
       "it does not check its input: four dimensions, float32, channels that match"},
      {"aten::_pad_packed_sequence", "*", unsafe::packedBatches,
       "it follows batch sizes that do not fall and add up to the rows"},
      {"aten::_pdist_backward", "*", unsafe::pairDistances,
       "it does not compare the number of distances with the number of rows"},
      {"aten::_cdist_backward", "*", unsafe::crossDistances,
       "it does not compare the shape of the distances with the rows"},
      {"aten::_reshape_alias", "*", unsafe::aliasOutside,
       "its view would reach outside the storage"},
      {"aten::_reshape_alias_copy", "*", unsafe::aliasOutside,
       "its view would reach outside the storage"},
      {"aten::_segment_reduce_backward", "*", nullptr,
       "it follows lengths and offsets without a check; backward() of segment_reduce is safe"},
      {"aten::segment_reduce", "*", unsafe::segments,
       "it follows offsets, and with unsafe lengths, that lead outside the data"},
      {"aten::_dyn_quant_matmul_4bit", "*", unsafe::packed4Bit,
       "it does not check that the packed weights have the size it reads"},
      {"aten::_dyn_quant_pack_4bit_weight", "*", unsafe::pack4Bit,
       "it divides by a block or a size that is 0"},
      {"aten::adaptive_max_pool2d_backward", "*", unsafe::pooledGradient2d,
       "it writes where indices outside the plane point"},
      {"aten::adaptive_max_pool3d_backward", "*", unsafe::pooledGradient3d,
       "it writes where indices outside the plane point"},
      {"aten::_nested_compute_contiguous_strides_offsets", "*", unsafe::nestedSizes,
       "it wants sizes as a matrix of int64, not empty"},
      {"aten::_remove_batch_dim", "*", nullptr,
       "it belongs to Python's vmap, and takes tensors for batched ones"},
      {"aten::_ctc_loss_backward", "*", nullptr,
       "it checks neither targets nor lengths; backward() of ctc_loss is safe"},
      {"aten::_compute_linear_combination", "*", unsafe::combination,
       "it compares neither coefficients nor out with the input"},
      {"aten::embedding_dense_backward", "*", unsafe::embeddingGradient,
       "it writes where indices outside the table point"},
      {"aten::embedding_backward", "*", unsafe::embeddingGradient,
       "it writes where indices outside the table point"},
      {"aten::choose_qparams_optimized", "*", unsafe::quantizedParameters,
       "it reads as many elements as it is told, and may search for ever"},
      {"aten::_weight_norm", "*", unsafe::weightNorm,
       "it does not check that there is one norm for each slice"},
      {"aten::_weight_norm_interface", "*", unsafe::weightNorm,
       "it does not check that there is one norm for each slice"},
      {"aten::_weight_norm_interface_backward", "*", unsafe::weightNormBackward,
       "it does not check that there is one norm for each slice"},
      {"aten::rrelu_with_noise", "out", unsafe::noiseIntoOut,
       "in training it writes to out without giving it a size"},
      {"aten::slow_conv_transpose3d", "*", unsafe::kernelOfOtherSize,
       "it trusts kernel_size, which is not the weight's"},
      {"aten::smooth_l1_loss_backward", "*", unsafe::integers,
       "it divides integers by a beta that became 0"},
      {"aten::range", "step", unsafe::rangeStepBelowOne,
       "as an integer the step is 0, by which it divides"},
      {"aten::range", "out", unsafe::rangeOutStepBelowOne,
       "as an integer the step is 0, by which it divides"},
      {"aten::_new_zeros_with_same_feature_meta", "*", unsafe::batchDimsOutside,
       "it does not check the number of batch dimensions"},
      {"aten::_sobol_engine_initialize_state_", "*", unsafe::sobolState,
       "it writes to a state that is not [dimension, 30] of int64"},
      {"aten::replication_pad1d_backward", "*", unsafe::paddedGradient,
       "it does not compare the gradient with the padded shape"},
      {"aten::unfold_backward", "*", unsafe::unfoldedGradient,
       "it does not compare the gradient with the sizes"},
      {"aten::_transform_bias_rescale_qkv", "*", unsafe::projectedHeads,
       "it does not check projection, bias and heads"},
      {"aten::fused_moving_avg_obs_fake_quant", "*", unsafe::observedRanges,
       "it reads ranges and scales that are empty"},
      {"aten::_fused_moving_avg_obs_fq_helper", "*", unsafe::observedRanges,
       "it reads ranges and scales that are empty"},
      {"aten::embedding_bag", "*", unsafe::bags,
       "it wants indices and offsets of one dimension, the last offset, where included, the number "
       "of indices"},
      {"aten::_embedding_bag", "*", unsafe::bags,
       "it wants indices and offsets of one dimension, the last offset, where included, the number "
       "of indices"},
      {"aten::_embedding_bag_forward_only", "*", unsafe::bags,
       "it wants indices and offsets of one dimension, the last offset, where included, the number "
       "of indices"},
      {"aten::lstm", "input", unsafe::recurrentWeights,
       "it reads past a list of weights that is too short"},
      {"aten::gru", "input", unsafe::recurrentWeights,
       "it reads past a list of weights that is too short"},
      {"aten::rnn_tanh", "input", unsafe::recurrentWeights,
       "it reads past a list of weights that is too short"},
      {"aten::rnn_relu", "input", unsafe::recurrentWeights,
       "it reads past a list of weights that is too short"},
      {"aten::lstm", "data", unsafe::packedRecurrentWeights,
       "it follows batch sizes that do not fall and add up, or reads past the weights"},
      {"aten::gru", "data", unsafe::packedRecurrentWeights,
       "it follows batch sizes that do not fall and add up, or reads past the weights"},
      {"aten::rnn_tanh", "data", unsafe::packedRecurrentWeights,
       "it follows batch sizes that do not fall and add up, or reads past the weights"},
      {"aten::rnn_relu", "data", unsafe::packedRecurrentWeights,
       "it follows batch sizes that do not fall and add up, or reads past the weights"},
      {"aten::mkldnn_rnn_layer", "*", nullptr, "it checks no shape; lstm.input calls it safely"},
      {"aten::mkldnn_rnn_layer_backward", "*", nullptr,
       "it checks no shape; backward() of lstm.input calls it safely"},
      {"aten::quantized_lstm_cell", "*", nullptr,
       "it takes tensors for packed weights that they are not"},
      {"aten::_thnn_differentiable_gru_cell_backward", "*", nullptr,
       "it reads biases and gates without a check; backward() of gru_cell is safe"},
      {"aten::_thnn_differentiable_lstm_cell_backward", "*", nullptr,
       "it reads gradients and gates without a check; backward() of lstm_cell is safe"},
  };
  return table;
}

std::string qualified(const Refusal& refusal) {
  const std::string overload = refusal.overload;
  return overload.empty() ? refusal.name : std::string(refusal.name) + "." + overload;
}

}  // namespace

const Refusal* refusalOf(const c10::OperatorName& name) {
  for (const Refusal& refusal : refusals()) {
    if (name.name == refusal.name &&
        (name.overload_name == refusal.overload || std::string(refusal.overload) == "*"))
      return &refusal;
  }
  return nullptr;
}

void requireSafe(const Refusal* refusal, const Values& arguments) {
  if (refusal == nullptr || (refusal->fatal != nullptr && !refusal->fatal(arguments))) return;
  throw CodedError(
      "torch-refused",
      qualified(*refusal) + ": refused, libtorch would end the process: " + refusal->reason);
}

Napi::Value refusedCalls(const Napi::CallbackInfo& info) {
  Napi::Array rows = Napi::Array::New(info.Env());
  for (const Refusal& refusal : refusals()) {
    Napi::Object row = Napi::Object::New(info.Env());
    row.Set("operator", qualified(refusal));
    row.Set("reason", refusal.reason);
    rows.Set(rows.Length(), row);
  }
  return rows;
}

}  // namespace sae_eval
