"""The private names of Keras that this package uses, and why; each has a test.

Two more are hooks that `training.optimizers` overrides: `_all_reduce_sum_gradients` and
`_update_model_variables_moving_average`.
"""

from typing import Any


def producer_of(tensor: Any) -> Any:
    """Returns the layer or operation whose output a symbolic tensor is.

    Keras has no public way from a layer of a functional model to the layer before it.
    """
    return tensor._keras_history.operation


def consumers_of(operation: Any) -> list[Any]:
    """Returns the layers and operations of functional models that use an output.

    Keras has no public way from a layer of a functional model to the layers after it.
    """
    return [node.operation for node in operation._outbound_nodes]


def variable_index(optimizer: Any, variable: Any) -> int:
    """Returns the index of a variable among those that an optimizer was built on.

    `update_step` receives only the variable, and under `tf.distribute` another object
    than `build` did.
    """
    return optimizer._get_variable_index(variable)


def step_count(optimizer: Any) -> Any:
    """Returns the variable that counts the steps of an optimizer.

    The public `iterations` counts updates if gradients are accumulated.
    """
    return optimizer._iterations


def adam_moments(optimizer: Any, index: int) -> tuple[Any, Any]:
    """Returns Adam's first and second moments of a variable.

    TensorFlow's fused update writes them; Keras' public `variables` is a flat list.
    """
    return optimizer._momentums[index], optimizer._velocities[index]


def moving_averages(optimizer: Any) -> list[tuple[Any, Any]]:
    """Returns the trained variables with their moving averages, if `use_ema` is set.

    Keras can only replace the variables by the averages, at the end of an epoch or of
    the training; a validation needs to do so, and to undo it.
    """
    averages = optimizer._model_variables_moving_average
    return list(zip(optimizer._trainable_variables, averages, strict=True))
