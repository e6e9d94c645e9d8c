"""The settings of a network: its grid, its input and its layers."""

from dataclasses import dataclass

from yolov1_fo import architectures
from yolov1_fo.config.settings import Settings, setting

MAX_IMAGE_SIZE = 2**14
"""Largest side of a network's input, in pixels."""
MAX_OUTPUTS = 2**24
"""Largest number of output values per image."""
OUTPUT_ACTIVATIONS = ("linear", "sigmoid")
PRETRAIN_IMAGE_SIZE = 224
"""Input of the classifier in pixels: half of the detector's (section 2.2)."""


@dataclass(frozen=True, kw_only=True)
class GridConfig(Settings):
    """The grid that an image is divided into.

    Source: paper section 2; sqrt and softmax of Darknet's [detection]
    """

    S: int = setting(7, "grid cells per side")
    B: int = setting(2, "boxes per grid cell")
    C: int = setting(20, "number of classes")
    sqrt: bool = setting(True, "predict the square roots of box width and height")
    softmax: bool = setting(
        False, "apply a softmax to the class probabilities; not in the paper"
    )

    def __post_init__(self) -> None:
        self._check_integers(1, "S", "B", "C")
        self._check_bools("sqrt", "softmax")


def grid_sizes(network: str, image_size: int) -> tuple[int, ...]:
    """Returns the possible S of a transfer network; empty if every S is possible.

    The backbone ends at stride 32; the head can halve or double that resolution.

    Args:
        network: a name in `architectures.NETWORKS`
        image_size: side of the square input, in pixels

    Example:
        >>> grid_sizes("yolov1-efficientnet-lite0", 320)
        (5, 10, 20)
    """
    if not architectures.NETWORKS[network].backbone:
        return ()
    cells = image_size // 32
    return -(-cells // 2), cells, 2 * cells


@dataclass(frozen=True, kw_only=True)
class NetworkConfig(GridConfig):
    """The layers of a network.

    Source: paper section 2.1
    """

    network: str = setting("yolov1", "a name in `architectures.NETWORKS`")
    image_size: int = setting(448, "side of the square input, in pixels")
    B: int = setting(
        0,
        "boxes per grid cell; 0 uses the network's default: 3 for darknet-yolov1, "
        "else 2",
    )
    batch_norm: bool = setting(
        False,
        "batch normalization after each convolution; not in the paper, but needed with "
        "random weights; always on in Darknet's networks",
    )
    dropout: float = setting(
        0.5, "dropout rate before the output layer, or the head of a transfer network"
    )
    head_filters: int = setting(256, "filters in the head of a transfer network")
    separable_head: bool = setting(
        False,
        "depthwise separable convolutions in the head of a transfer network: an eighth "
        "of the multiplications",
    )
    pretrained: bool = setting(
        True, "initialize a transfer network with ImageNet weights"
    )
    output_activation: str = setting(
        "linear",
        "linear (the paper's) or, for transfer networks, sigmoid: class probabilities "
        "and confidences are sigmoids, x and y are 2 sigmoid - 0.5, and the roots of w "
        "and h are sigmoids",
    )
    letterbox: bool = setting(
        False,
        "keep the aspect ratio of images and fill the rest of the square with gray, "
        "instead of stretching them",
    )

    def __post_init__(self) -> None:
        self._check_choice("network", tuple(architectures.NETWORKS))
        if self.B == 0:
            default = architectures.NETWORKS[self.network].B
            object.__setattr__(self, "B", default)
        super().__post_init__()
        self._check_integers(32, "image_size")
        self._check_integers(1, "head_filters")
        self._check_bools("batch_norm", "pretrained", "letterbox", "separable_head")
        self._check_range(0, 0.95, "dropout")
        self._check_choice("output_activation", OUTPUT_ACTIVATIONS)
        self._check_image_size()
        self._check_grid()
        self._check_output()

    @property
    def has_backbone(self) -> bool:
        """Whether it is a transfer network: a head on a pretrained backbone."""
        return bool(architectures.NETWORKS[self.network].backbone)

    @property
    def image_size_step(self) -> int:
        """The image size must be a multiple of this, in pixels."""
        if self.has_backbone:
            return 32
        layers = architectures.NETWORKS[self.network].layers
        return min(32, architectures.output_stride(layers))

    @property
    def grid_sizes(self) -> tuple[int, ...]:
        """The possible S of a transfer network; empty if every S is possible."""
        return grid_sizes(self.network, self.image_size)

    @property
    def backbone_stride(self) -> int:
        """Stride of a transfer network's features: 16 for its finest grid, else 32."""
        return 16 if self.grid_sizes[-1] == self.S else 32

    def _check_image_size(self) -> None:
        size, step = self.image_size, self.image_size_step
        if size > MAX_IMAGE_SIZE:
            raise ValueError(f"image_size must be at most {MAX_IMAGE_SIZE}, got {size}")
        if size < self.S:
            raise ValueError(f"S must be at most image_size, {size}, got {self.S}")
        if size % step:
            raise ValueError(
                f"image_size must be a multiple of {step} pixels, got {size}"
            )

    def _check_output(self) -> None:
        if self.output_activation != "linear" and not self.has_backbone:
            raise ValueError(
                f"output_activation '{self.output_activation}' is for transfer "
                f"networks; {self.network} has linear outputs"
            )
        if self.output_activation != "linear" and self.softmax:
            raise ValueError(
                f"softmax needs output_activation 'linear', got "
                f"'{self.output_activation}'"
            )

    def _check_grid(self) -> None:
        if self.S**2 * (5 * self.B + self.C) > MAX_OUTPUTS:
            raise ValueError(
                f"a grid of {self.S} x {self.S} cells with {self.B} boxes and {self.C} "
                f"classes has more than {MAX_OUTPUTS} outputs"
            )
        possible = self.grid_sizes
        if possible and self.S not in possible:
            raise ValueError(
                f"S must be {possible[0]}, {possible[1]} or {possible[2]} for "
                f"{self.network} at image_size {self.image_size}, got {self.S}"
            )
