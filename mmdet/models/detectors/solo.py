"""The detector: backbone, neck, head."""

from collections.abc import Sequence

from mmengine.model import BaseModel
from torch import Tensor

from mmdet.models.freed_memory import give_back_freed_memory
from mmdet.models.memory_format import (
    guard_strided_convolutions,
    in_sound_precision,
    keep_strides_of_gradients,
)
from mmdet.registry import MODELS
from mmdet.structures import DetDataSample


@MODELS.register_module(name=['SOLO', 'SOLOv2'])
class SOLO(BaseModel):
    """A detector of the SOLO family; which one, its head decides.

    Args:
        backbone: config of the backbone.
        neck: config of the feature pyramid.
        mask_head: config of the head.
        train_cfg: handed to the head.
        test_cfg: handed to the head; see `DecodeConfig`.
        data_preprocessor: config of the preprocessor.
        init_cfg: see mmengine's `BaseModule`.
    """

    def __init__(
        self,
        backbone: dict,
        neck: dict,
        mask_head: dict,
        train_cfg: dict | None = None,
        test_cfg: dict | None = None,
        data_preprocessor: dict | None = None,
        init_cfg: dict | list[dict] | None = None,
    ) -> None:
        # pyrefly: ignore[bad-argument-type]  # mmengine's BaseModule, which reads it, takes a list
        super().__init__(data_preprocessor=data_preprocessor, init_cfg=init_cfg)
        self.backbone = MODELS.build(backbone)
        self.neck = MODELS.build(neck)
        self.mask_head = MODELS.build({**mask_head, 'train_cfg': train_cfg, 'test_cfg': test_cfg})
        guard_strided_convolutions(self)
        keep_strides_of_gradients(self)

    def train(self, mode: bool = True) -> 'SOLO':
        """Set the mode; also after parts were replaced, training is safe on a CPU."""
        guard_strided_convolutions(self)
        return super().train(mode)

    def extract_feat(self, inputs: Tensor) -> tuple[Tensor, ...]:
        """Return the pyramid levels of (B, 3, H, W) preprocessed images."""
        with in_sound_precision(inputs):
            return self.neck(self.backbone(inputs))

    # pyrefly: ignore[bad-override]  # mmengine's docstring allows more for `tensor` than its hints
    def forward(
        self,
        inputs: Tensor,
        data_samples: Sequence[DetDataSample] | None = None,
        mode: str = 'tensor',
    ) -> dict[str, Tensor] | list[DetDataSample] | object:
        """Run the network on (B, 3, H, W) images.

        Args:
            inputs: preprocessed images.
            data_samples: of the images; needed by the modes `loss` and `predict`.
            mode: `loss` returns the losses by name, `predict` the samples with
                `pred_instances`, `tensor` the head's raw outputs.
        """
        if mode == 'loss':
            # Before the network: they wait for the device, which has nothing to do as yet.
            targets = self.mask_head.targets(data_samples)
            feats = self.extract_feat(inputs)
            give_back_freed_memory(feats[0])
            losses = self.mask_head.loss(feats, data_samples, targets)
            give_back_freed_memory(feats[0])
            return losses
        feats = self.extract_feat(inputs)
        if mode == 'predict':
            assert data_samples is not None
            results = [sample.new() for sample in data_samples]
            predictions = self.mask_head.predict(feats, data_samples)
            for result, instances in zip(results, predictions, strict=True):
                result.pred_instances = instances
            return results
        if mode == 'tensor':
            return self.mask_head(feats)
        raise ValueError(f"mode must be 'loss', 'predict' or 'tensor', not {mode!r}")
