"""What a network is: its grid, its input and its layers."""

from dataclasses import dataclass

from yolov1_fo import architectures
from yolov1_fo.config.settings import Settings, setting

LARGEST_IMAGE_SIZE, MOST_OUTPUTS = 2**14, 2**24
"""Of a network: the side of its input in pixels, and its output values an image."""
PRETRAIN_IMAGE_SIZE = 224
"""The classifier's input in pixels: half of what detection takes (section 2.2)."""


@dataclass(frozen=True, kw_only=True)
class GridConfig(Settings):
    """How an image is divided.

    Source: paper section 2; sqrt and softmax of Darknet's [detection]
    """

    S: int = setting(7, "grid cells a side")
    B: int = setting(2, "boxes a cell")
    C: int = setting(20, "number of classes")
    sqrt: bool = setting(
        True, "the network predicts the square roots of width and height"
    )
    softmax: bool = setting(
        False,
        "apply a softmax to the class probabilities; the paper takes the raw output",
    )

    def __post_init__(self) -> None:
        self._whole(1, "S", "B", "C")
        self._true_or_false("sqrt", "softmax")


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(GridConfig):
    """What a network is made of.

    Source: paper section 2.1
    """

    network: str = setting("yolov1", "a name in `architectures.NETWORKS`")
    image_size: int = setting(448, "side of the square input, in pixels")
    B: int = setting(
        0, "boxes a cell; 0 takes the network's own: 3 for darknet-yolov1, else 2"
    )
    batch_norm: bool = setting(
        False,
        "batch normalization after each convolution; the paper has none, but training "
        "from random weights hardly moves without it; Darknet's networks always have "
        "it",
    )
    dropout: float = setting(
        0.5,
        "dropout rate after the first large connected or local layer, and before the "
        "head of a transfer network",
    )
    head_filters: int = setting(256, "filters of a transfer network's head")
    pretrained: bool = setting(
        True, "start a transfer network from its ImageNet weights"
    )

    def __post_init__(self) -> None:
        self._one_of("network", tuple(architectures.NETWORKS))
        if self.B == 0:
            own = architectures.NETWORKS[self.network].B
            object.__setattr__(self, "B", own)
        super().__post_init__()
        self._whole(32, "image_size")
        self._whole(1, "head_filters")
        self._true_or_false("batch_norm", "pretrained")
        self._within(0, 0.95, "dropout")
        self._check_size()
        self._check_grid()

    @property
    def has_backbone(self) -> bool:
        """Whether the network is a head on a pretrained classifier."""
        return bool(architectures.NETWORKS[self.network].backbone)

    @property
    def image_size_step(self) -> int:
        """The image size must be a multiple of this, in pixels."""
        if self.has_backbone:
            return 32
        layers = architectures.NETWORKS[self.network].layers
        return min(32, architectures.stride(layers))

    @property
    def grid_sizes(self) -> tuple[int, ...]:
        """The S that a transfer network can have; empty where every S fits.

        Its backbone ends at stride 32; the head may halve or double that resolution.
        """
        if not self.has_backbone:
            return ()
        cells = self.image_size // 32
        return -(-cells // 2), cells, 2 * cells

    def _check_size(self) -> None:
        size, step = self.image_size, self.image_size_step
        if size > LARGEST_IMAGE_SIZE:
            raise ValueError(
                f"image_size must be at most {LARGEST_IMAGE_SIZE}, got {size}"
            )
        if size < self.S:
            raise ValueError(f"S must be at most image_size, {size}, got {self.S}")
        if size % step:
            raise ValueError(
                f"image_size must be a multiple of {step} pixels, got {size}"
            )

    def _check_grid(self) -> None:
        if self.S**2 * (5 * self.B + self.C) > MOST_OUTPUTS:
            raise ValueError(
                f"S={self.S}, B={self.B} and C={self.C} give too many outputs; a "
                f"network can have {MOST_OUTPUTS}"
            )
        fits = self.grid_sizes
        if fits and self.S not in fits:
            raise ValueError(
                f"S must be {fits[0]}, {fits[1]} or {fits[2]} for {self.network} "
                f"at image_size {self.image_size}, got {self.S}"
            )
