// What the CUDA kernels share: the stream they are launched on, and the check after a launch.
#pragma once

#include <cuda_runtime.h>

#include "../common.h"

// Weak: a torch without CUDA lacks these, and the library still loads there and serves the CPU.
#pragma weak aoti_torch_get_current_cuda_stream
#pragma weak torch_c10_cuda_check_msg
#pragma weak torch_c10_cuda_free_error_msg

namespace mmdet_solo {

// Makes the tensor's device the current one as long as it lives; launches go to PyTorch's stream of it.
class LaunchGuard {
  public:
    explicit LaunchGuard(const Tensor &tensor) : guard_(tensor.get_device_index()) {
        void *stream = nullptr;
        STABLE_TORCH_ERROR_CODE_CHECK(
            aoti_torch_get_current_cuda_stream(tensor.get_device_index(), &stream));
        stream_ = static_cast<cudaStream_t>(stream);
    }

    cudaStream_t stream() const { return stream_; }

  private:
    torch::stable::accelerator::DeviceGuard guard_;
    cudaStream_t stream_;
};

// A grid's first dimension that covers `count` elements; kernels loop where they need more blocks.
inline unsigned blocks(int64_t count, int64_t per_block) {
    constexpr int64_t kMost = (int64_t{1} << 31) - 1;
    const int64_t wanted = (count + per_block - 1) / per_block;
    return static_cast<unsigned>(wanted < kMost ? wanted : kMost);
}

}  // namespace mmdet_solo
