"""Keras networks of this package in PyTorch, with the same weights."""

from collections.abc import Callable
from typing import Any

import keras
import torch

nn = torch.nn


class Graph(nn.Module):
    """A functional Keras model in PyTorch.

    It maps (N, 3, H, W) float32 to what the Keras model returns, with channels first.
    Frozen layers are frozen here too, and their batch normalization uses the stored
    statistics.

    Args:
        network: the Keras model; its layers must be in `CONVERTERS`
    """

    def __init__(self, network: keras.Model) -> None:
        super().__init__()
        self.parts = nn.ModuleList()
        self.steps: list[tuple[list[int], int]] = []
        seen: dict[int, int] = {}  # number of a tensor, by its id
        held: list[Any] = []  # ids belong to living objects

        def number(tensor: Any) -> int:
            held.append(tensor)
            return seen.setdefault(id(tensor), len(seen))

        def call(layer: Any, *args: Any, **kwargs: Any) -> Any:
            given = args[0] if isinstance(args[0], list | tuple) else args[:1]
            result = layer(*args, **kwargs)
            self.parts.append(_convert(layer))
            self.steps.append(([number(one) for one in given], number(result)))
            return result

        image = keras.Input(network.input_shape[1:])
        self.image = number(image)
        copy = keras.models.clone_model(
            network,
            input_tensors=image,
            clone_function=lambda layer: layer,
            call_function=call,
        )
        self.output = number(copy.output)

    def forward(self, x: Any) -> Any:
        """Returns the output for images."""
        values = {self.image: x}
        for part, (given, result) in zip(self.parts, self.steps, strict=True):
            values[result] = part(*(values[one] for one in given))
        return values[self.output]

    def train(self, mode: bool = True) -> "Graph":
        """Sets the mode of the layers that are not frozen."""
        super().train(mode)
        for part in self.parts:
            if not any(one.requires_grad for one in part.parameters()):
                part.eval()
        return self


class Same(nn.Module):
    """Pads as Keras' padding "same" does: with a stride, more after than before."""

    def __init__(self, size: int, stride: int) -> None:
        super().__init__()
        self.size, self.stride = size, stride

    def forward(self, x: Any) -> Any:
        """Returns the padded features."""
        sides = []
        for length in (x.shape[-1], x.shape[-2]):
            outputs = -(-length // self.stride)
            total = max((outputs - 1) * self.stride + self.size - length, 0)
            sides += [total // 2, total - total // 2]
        return nn.functional.pad(x, sides)


class Scaled(nn.Module):
    """Computes x * scale + offset, with one number or one per channel."""

    def __init__(self, scale: Any, offset: Any) -> None:
        super().__init__()
        for name, value in (("scale", scale), ("offset", offset)):
            self.register_buffer(name, torch.tensor(value).reshape(1, -1, 1, 1))

    def forward(self, x: Any) -> Any:
        """Returns the scaled features."""
        return x * self.scale + self.offset


class Call(nn.Module):
    """A function without weights."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__()
        self.function = function

    def forward(self, *args: Any) -> Any:
        """Returns the value of the function."""
        return self.function(*args)


def _convert(layer: Any) -> nn.Module:
    """Returns the module of a layer, with its weights."""
    module = CONVERTERS[type(layer).__name__](layer)
    if not getattr(layer, "trainable", True):
        module.requires_grad_(False)
    return module


def _conv(layer: Any) -> nn.Module:
    kernel, *bias = map(torch.tensor, layer.get_weights())
    is_depthwise = isinstance(layer, keras.layers.DepthwiseConv2D)
    weights = kernel.permute(2, 3, 0, 1) if is_depthwise else kernel.permute(3, 2, 0, 1)
    [size, _], [stride, _] = layer.kernel_size, layer.strides
    outputs, inputs = weights.shape[:2]
    groups = outputs if is_depthwise else 1
    is_same = layer.padding == "same"
    plain = is_same and stride == 1
    conv = nn.Conv2d(
        *(inputs * groups, outputs, size, stride),
        padding=size // 2 if plain else 0,
        groups=groups,
        bias=bool(bias),
    )
    _set(conv, weights, *bias)
    before = [Same(size, stride)] if is_same and not plain else []
    after = [ACTIVATIONS[layer.activation.__name__]()]
    return nn.Sequential(*before, conv, *after)


def _dense(layer: Any) -> nn.Module:
    kernel, *bias = map(torch.tensor, layer.get_weights())
    dense = nn.Linear(*kernel.shape, bias=bool(bias))
    _set(dense, kernel.T, *bias)
    return dense


def _batch_norm(layer: Any) -> nn.Module:
    gamma, beta, mean, variance = map(torch.tensor, layer.get_weights())
    norm = nn.BatchNorm2d(len(gamma), layer.epsilon, 1 - layer.momentum)
    _set(norm, gamma, beta)
    norm.running_mean.copy_(mean)
    norm.running_var.copy_(variance)
    return norm


def _set(module: Any, weight: Any, bias: Any = None) -> None:
    module.weight.data = weight.contiguous()
    if bias is not None:
        module.bias.data = bias


def _flat(x: Any) -> Any:
    """Returns (N, values) in Keras' order, which has channels last."""
    return x.permute(0, 2, 3, 1).flatten(1) if x.ndim == 4 else x


def _zero_padding(layer: Any) -> nn.Module:
    return nn.ZeroPad2d([side for pair in layer.padding[::-1] for side in pair])


ACTIVATIONS = {"linear": nn.Identity, "sigmoid": nn.Sigmoid}
CONVERTERS: dict[str, Callable[[Any], nn.Module]] = {
    "Add": lambda _: Call(torch.add),
    "BatchNormalization": _batch_norm,
    "Concatenate": lambda _: Call(lambda *parts: torch.cat(parts, 1)),
    "Conv2D": _conv,
    "Dense": _dense,
    "DepthwiseConv2D": _conv,
    "Dropout": lambda layer: nn.Dropout(layer.rate),
    "Flatten": lambda _: Call(_flat),
    "Functional": Graph,
    "LeakyReLU": lambda layer: nn.LeakyReLU(layer.negative_slope, inplace=True),
    "MaxPooling2D": lambda layer: nn.MaxPool2d(layer.pool_size),
    "Permute": lambda _: Call(lambda x: x.flatten(1)),  # then `Flatten` of a vector
    "ReLU": lambda _: nn.ReLU6(inplace=True),
    "Rescaling": lambda layer: Scaled(layer.scale, layer.offset),
    "SpatialDropout2D": lambda layer: nn.Dropout2d(layer.rate),
    "ZeroPadding2D": _zero_padding,
}
"""What returns the module of a layer, by its class."""
