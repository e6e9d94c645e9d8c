"""Tasks of KerasHub with random weights."""

import keras
import numpy as np


def resnet(hub):
    """Returns a small backbone."""
    keras.utils.set_random_seed(0)
    return hub.models.ResNetBackbone(
        input_conv_filters=[64],
        input_conv_kernel_sizes=[7],
        stackwise_num_filters=[64, 64, 64, 64],
        stackwise_num_blocks=[1, 1, 1, 1],
        stackwise_num_strides=[1, 2, 2, 2],
        block_type="basic_block",
        use_pre_activation=False,
        image_shape=(None, None, 3),
    )


def hub_classifier(hub, backbone):
    converter = hub.layers.ResNetImageConverter(image_size=(32, 32), scale=1 / 255)
    return hub.models.ResNetImageClassifier(
        backbone=backbone,
        num_classes=3,
        preprocessor=hub.models.ResNetImageClassifierPreprocessor(converter),
    )


def hub_detector(hub, backbone, **resizing):
    converter = hub.layers.RetinaNetImageConverter(
        image_size=(128, 128),
        scale=1 / 255,
        **{"crop_to_aspect_ratio": False, **resizing},
    )
    detector = hub.models.RetinaNetObjectDetector(
        backbone=hub.models.RetinaNetBackbone(
            image_encoder=backbone,
            min_level=3,
            max_level=5,
            use_p5=False,
            image_shape=(128, 128, 3),
        ),
        num_classes=3,
        preprocessor=hub.models.RetinaNetObjectDetectorPreprocessor(
            image_converter=converter
        ),
    )
    for weight in detector.box_head.weights:  # boxes are the anchors
        weight.assign(np.zeros(weight.shape))
    return detector


def hub_segmenter(hub, backbone):
    converter = hub.layers.DeepLabV3ImageConverter(image_size=(64, 96), scale=1 / 255)
    return hub.models.DeepLabV3ImageSegmenter(
        backbone=hub.models.DeepLabV3Backbone(
            image_encoder=backbone,
            spatial_pyramid_pooling_key="P4",
            upsampling_size=4,
            dilation_rates=[6, 12, 18],
            low_level_feature_key="P2",
            image_shape=(64, 96, 3),
        ),
        num_classes=3,
        preprocessor=hub.models.DeepLabV3ImageSegmenterPreprocessor(converter),
    )
