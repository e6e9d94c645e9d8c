"""Backbones of transfer networks: pretrained classifiers without their head.

A backbone expects float32 RGB in [0, 1], rescales it as in the training of the
classifier, and returns features at an output stride of 32 or 16.
"""

import keras

from yolov1_fo.networks import efficientnet_lite

# constructor in keras.applications; scale and offset of pixels in [0, 1]
APPLICATIONS = {
    "mobilenetv2": ("MobileNetV2", 2.0, -1.0),
    "mobilenetv3-large": ("MobileNetV3Large", 255.0, 0.0),
    "efficientnetv2-b0": ("EfficientNetV2B0", 255.0, 0.0),
    "resnet50v2": ("ResNet50V2", 2.0, -1.0),
}


def build(
    name: str, image_size: int, *, pretrained: bool = True, stride: int = 32
) -> keras.Model:
    """Returns a backbone.

    Args:
        name: a key of `efficientnet_lite.VARIANTS` or of `APPLICATIONS`
        image_size: side of the input, in pixels
        pretrained (True): loads the ImageNet weights
        stride (32): output stride; 16 omits the layers after the last such block

    Returns:
        a model from (N, image_size, image_size, 3) float32 RGB in [0, 1] to
        (N, image_size / stride, image_size / stride, channels)

    Raises:
        ImportError: if the package with the weights is missing
        OSError: if the weights can't be downloaded
    """
    if name in efficientnet_lite.VARIANTS:
        lite = efficientnet_lite.build(name, image_size, pretrained=pretrained)
        return _cut(lite, stride)
    constructor, scale, offset = APPLICATIONS[name]
    image = keras.Input((image_size, image_size, 3), name="image")
    scaled = keras.layers.Rescaling(scale, offset, name="preprocess")(image)
    try:
        classifier = getattr(keras.applications, constructor)(
            include_top=False,
            weights="imagenet" if pretrained else None,
            input_tensor=scaled,
        )
    except Exception as error:
        if not pretrained:
            raise
        raise OSError(
            f"the ImageNet weights of '{name}' can't be downloaded; connect to the "
            f"internet once, or use pretrained=False ({error})"
        ) from error
    return _cut(keras.Model(image, classifier.output, name="backbone"), stride)


def _cut(backbone: keras.Model, stride: int) -> keras.Model:
    """Returns a backbone up to its last residual block at an output stride."""
    size = backbone.input_shape[1] // stride
    if backbone.output_shape[1] == size:
        return backbone
    blocks = [
        layer.output
        for layer in backbone.layers
        if isinstance(layer, keras.layers.Add) and layer.output.shape[1] == size
    ]
    return keras.Model(backbone.input, blocks[-1], name="backbone")
