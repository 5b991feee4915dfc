// The schema of every op. A kernel registers itself in csrc/<device>/<op>; what the arguments mean, and
// the fake and autograd registrations, stand in mmdet/ops/<op>.py.
#include <torch/csrc/stable/library.h>

STABLE_TORCH_LIBRARY(mmdet_solo, m) {
    m.def("matrix_nms(Tensor masks, Tensor labels, Tensor scores, str kernel, float sigma) -> Tensor");
    m.def("sigmoid_focal_loss(Tensor logits, Tensor labels, float gamma, float alpha) -> Tensor");
    m.def(
        "sigmoid_focal_loss_backward(Tensor grad, Tensor logits, Tensor labels, float gamma, float alpha)"
        " -> Tensor");
    m.def(
        "dice_loss(Tensor predictions, Tensor targets, bool activate, float eps) -> (Tensor, Tensor)");
    m.def(
        "dice_loss_backward(Tensor grad, Tensor predictions, Tensor targets, Tensor sums, bool activate)"
        " -> Tensor");
    m.def(
        "masks_to_rle(Tensor probabilities, int img_height, int img_width, int ori_height, int ori_width,"
        " float threshold) -> (Tensor, Tensor)");
    m.def(
        "group_norm_relu(Tensor input, Tensor weight, Tensor bias, int num_groups, float eps)"
        " -> (Tensor, Tensor, Tensor)");
    m.def(
        "group_norm_relu_again(Tensor input, Tensor weight, Tensor bias, Tensor mean, Tensor rstd) -> Tensor");
    m.def(
        "group_norm_relu_backward(Tensor grad, Tensor input, Tensor weight, Tensor bias, Tensor mean, Tensor rstd)"
        " -> (Tensor, Tensor, Tensor)");
    m.def("conv3x3(Tensor[] inputs, Tensor weight, Tensor? bias) -> Tensor[]");
    m.def("conv3x3_input_gradient(Tensor[] grads, Tensor weight) -> Tensor[]");
    m.def("conv3x3_weight_gradient(Tensor[] grads, Tensor[] inputs) -> Tensor");
    m.def("conv3x3_instructions() -> str");
}
