"""A network that builds and trains in seconds."""

from yolov1_fo.architectures import Architecture, Connected, Conv, Dropout, Pool

MICRO = Architecture(
    (
        *(Conv(8, 3, 2), Pool()),
        *(Conv(16, 3), Pool()),
        *(Conv(32, 3), Connected(64), Dropout()),
    )
)
