"""The buttons of operators above the samples grid."""

import fiftyone.operators.types as types


def button(label: str, icon: str) -> types.Placement:
    """Returns the place of a button that opens an operator's form.

    Args:
        label: its tooltip
        icon: name of a Material icon
    """
    return types.Placement(
        types.Places.SAMPLES_GRID_SECONDARY_ACTIONS,
        types.Button(label=label, icon=icon, prompt=True),
    )
