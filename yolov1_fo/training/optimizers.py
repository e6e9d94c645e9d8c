"""The paper's optimizer, and Keras' AdamW.

Keras' SGD multiplies the velocity by the learning rate of each step, and applies weight
decay outside of the velocity. Darknet does neither, so its steps differ as soon as the
learning rate changes, or momentum accumulates the decay.
"""

from collections.abc import Collection
from typing import Any

import keras
from keras import ops

from yolov1_fo.boxes import Array
from yolov1_fo.config import TrainConfig
from yolov1_fo.networks import keras_private
from yolov1_fo.training.distribution import averaged
from yolov1_fo.training.schedules import Schedule


class _Trainer:
    """Adds a learning rate for the backbone, and access to the moving averages.

    Args:
        slow: paths of variables with another learning rate
        slow_rate: factor on their learning rate
        shares (False): gradients are averaged over replicas before they are clipped
        alone (False): there is one replica
    """

    def __init__(
        self,
        *args: Any,
        slow: Collection[str],
        slow_rate: float,
        shares: bool = False,
        alone: bool = False,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.slow, self.slow_rate = frozenset(slow), slow_rate
        self.shares, self.alone = shares, alone

    def build(self, variables: list[Any]) -> None:
        """Stores which variables are slow, by index: a step has only the index."""
        if self.built:  # type: ignore[attr-defined]  # a mixin
            return
        super().build(variables)  # type: ignore[misc]  # a mixin
        self.is_slow = [variable.path in self.slow for variable in variables]

    def apply(self, grads: list[Any], trainable_variables: Any = None) -> None:
        """Updates all variables."""
        if self.shares:
            grads = averaged(grads)
        super().apply(grads, trainable_variables)  # type: ignore[misc]  # a mixin

    def _all_reduce_sum_gradients(self, grads_and_vars: list[Any]) -> list[Any]:
        """Returns gradients summed over replicas; those of one replica unchanged.

        Keras on TensorFlow would sum them anyway, and each sum keeps the graph of its
        step in memory until the process ends.
        """
        if self.alone:
            return grads_and_vars
        return super()._all_reduce_sum_gradients(grads_and_vars)  # type: ignore[misc]  # a mixin

    def update_step(self, gradient: Array, variable: Any, learning_rate: Array) -> None:
        """Updates one variable."""
        if self.is_slow[keras_private.variable_index(self, variable)]:
            learning_rate = learning_rate * self.slow_rate
        super().update_step(gradient, variable, learning_rate)  # type: ignore[misc]  # a mixin

    def _update_model_variables_moving_average(self, variables: list[Any]) -> None:
        """Updates the moving averages once per update of the variables.

        Keras does so in each step, also in those that only accumulate gradients.
        """
        steps, momentum = self.gradient_accumulation_steps, self.ema_momentum  # type: ignore[attr-defined, has-type]  # a mixin
        if steps:
            count = ops.convert_to_tensor(keras_private.step_count(self)) + 1
            self.ema_momentum = ops.where(count % steps == 0, momentum, 1.0)
        try:
            super()._update_model_variables_moving_average(variables)  # type: ignore[misc]  # a mixin
        finally:
            self.ema_momentum = momentum

    def averages(self) -> dict[str, Array]:
        """Returns the moving average of each variable, by its path."""
        return {v.path: a.numpy() for v, a in keras_private.moving_averages(self)}

    def swap_averages(self) -> None:
        """Exchanges the variables and their moving averages; twice is nothing."""
        for variable, average in keras_private.moving_averages(self):
            value = variable.numpy()
            variable.assign(average)
            average.assign(value)

    def finalize_variable_values(self, variables: list[Any]) -> None:
        """Does nothing: checkpoints have the averages already."""


class DarknetSGD(keras.optimizers.Optimizer):
    """Stochastic gradient descent as Darknet does it.

    `u <- momentum u + gradient + decay w`, then `w <- w - rate u`; decay on kernels
    only.

    Args:
        learning_rate: a number or a schedule
        momentum: factor on the previous velocity
        decay: weight decay of kernels
        **kwargs: of `keras.optimizers.Optimizer`

    Source: paper section 2.2; Darknet convolutional_layer.c
    """

    fuses = False
    """Whether TensorFlow reads and writes a variable only once a step."""

    def __init__(
        self, learning_rate: Any, momentum: float, decay: float, **kwargs: Any
    ) -> None:
        super().__init__(learning_rate=learning_rate, **kwargs)
        self.momentum, self.decay = momentum, decay

    def build(self, variables: list[Any]) -> None:
        """Creates the velocities."""
        if self.built:
            return
        super().build(variables)
        self.velocities = self.add_optimizer_variables(variables, "velocity")
        self.decays = [is_kernel(variable) for variable in variables]

    def update_step(self, gradient: Array, variable: Any, learning_rate: Array) -> None:
        """Updates one variable."""
        index = keras_private.variable_index(self, variable)
        velocity = self.velocities[index]
        gradient = ops.cast(gradient, variable.dtype)
        if self.decays[index]:
            gradient = gradient + self.decay * variable
        if self.fuses:
            import tensorflow as tf

            tf.raw_ops.ResourceApplyMomentum(
                var=_handle(variable),
                accum=_handle(velocity),
                lr=ops.cast(learning_rate, variable.dtype),
                grad=gradient,
                momentum=self.momentum,
            )
            return
        moved = self.momentum * ops.convert_to_tensor(velocity) + gradient
        self.assign(velocity, moved)
        self.assign_sub(variable, ops.cast(learning_rate, variable.dtype) * moved)


class _AdamW(keras.optimizers.AdamW):
    """Keras' AdamW."""

    fuses = False
    """Whether TensorFlow reads and writes a variable only once a step."""

    def update_step(self, gradient: Array, variable: Any, learning_rate: Array) -> None:
        """Updates one variable."""
        if not self.fuses:
            super().update_step(gradient, variable, learning_rate)
            return
        import tensorflow as tf

        dtype = variable.dtype
        index = keras_private.variable_index(self, variable)
        momentum, velocity = keras_private.adam_moments(self, index)
        step = ops.cast(self.iterations + 1, dtype)
        tf.raw_ops.ResourceApplyAdam(
            var=_handle(variable),
            m=_handle(momentum),
            v=_handle(velocity),
            beta1_power=ops.power(ops.cast(self.beta_1, dtype), step),
            beta2_power=ops.power(ops.cast(self.beta_2, dtype), step),
            lr=ops.cast(learning_rate, dtype),
            beta1=self.beta_1,
            beta2=self.beta_2,
            epsilon=self.epsilon,
            grad=ops.cast(gradient, dtype),
        )


class SGD(_Trainer, DarknetSGD):
    """Darknet's update, with another learning rate for the backbone."""


class Adam(_Trainer, _AdamW):
    """Keras' AdamW, with another learning rate for the backbone."""


def _handle(variable: Any) -> Any:
    """Returns the handle of a variable, for TensorFlow's fused updates."""
    inner = variable.value if isinstance(variable, keras.Variable) else variable
    return inner.handle


def is_kernel(variable: Any) -> bool:
    """Returns whether a variable is a kernel, to which weight decay applies."""
    return variable.path.rsplit("/", 1)[-1] == "kernel"


def build(
    config: TrainConfig,
    steps_per_epoch: int,
    variables: list[Any],
    slow: Collection[str] = (),
    replicas: int = 1,
) -> keras.optimizers.Optimizer:
    """Returns the optimizer of the settings, built on all its variables.

    Args:
        config: optimizer, its rates, decay, clipping and accumulation, precision
        steps_per_epoch: steps in an epoch
        variables: all that may be trained at some time, frozen ones included
        slow (none): paths of the variables that `backbone_lr_multiplier` applies to
        replicas (1): Keras clips the gradients of each, then sums them
    """
    half = config.precision == "mixed_float16"
    schedule = Schedule(config, steps_per_epoch)
    accumulated = config.gradient_accumulation_steps
    common: dict[str, Any] = {
        "learning_rate": schedule,
        "global_clipnorm": config.global_clipnorm / replicas or None,
        "shares": replicas > 1 and config.global_clipnorm > 0 and not half,
        "alone": replicas == 1,
        "use_ema": config.ema_momentum > 0,
        "ema_momentum": config.ema_momentum or 0.99,
        "gradient_accumulation_steps": accumulated if accumulated > 1 else None,
        "slow": slow,
        "slow_rate": config.backbone_lr_multiplier,
    }
    if config.optimizer == "sgd":
        optimizer = SGD(momentum=config.momentum, decay=config.weight_decay, **common)
    else:
        optimizer = Adam(weight_decay=config.weight_decay, **common)
        optimizer.exclude_from_weight_decay([v for v in variables if not is_kernel(v)])
    # The variables of replicas are not TensorFlow resources.
    optimizer.fuses = replicas == 1 and keras.backend.backend() == "tensorflow"
    optimizer.schedule = schedule
    if half:
        scale = SharedLossScale if replicas > 1 else keras.optimizers.LossScaleOptimizer
        optimizer = scale(optimizer)
    optimizer.build(variables)
    return optimizer


class SharedLossScale(keras.optimizers.LossScaleOptimizer):
    """Keras' loss scaling, with the same decision in all replicas.

    Keras checks the gradients of the first replica only.
    """

    def apply(self, grads: list[Any], trainable_variables: Any = None) -> None:
        """Updates all variables, unless a gradient is not finite in any replica."""
        super().apply(averaged(grads), trainable_variables)
