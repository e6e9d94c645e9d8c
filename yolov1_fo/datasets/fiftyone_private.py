"""Every use of FiftyOne's private names, each with the reason why it is needed.

Other modules only use FiftyOne's public names.
"""

import atexit
from collections.abc import Iterator
from typing import Any

import bson
import fiftyone as fo
import fiftyone.core.frame as fofr
import fiftyone.core.odm.database as database
import fiftyone.core.sample as fos


def root_dataset(samples: Any) -> fo.Dataset:
    """Returns the dataset of a view; loading it by name queries the database."""
    return samples._root_dataset


def own_dataset(samples: Any) -> fo.Dataset:
    """Returns the dataset of a view's samples, which for frames is not public."""
    return samples._dataset


def root_of_sample(sample: Any) -> fo.Dataset:
    """Returns the dataset of a sample or frame; of a frames view, its videos'."""
    view = getattr(sample, "_view", None)
    return sample.dataset if view is None else view._root_dataset


def all_frames(frames: Any) -> fo.DatasetView:
    """Returns a frames view without its stages; views can only add stages."""
    return frames._base_view


def has_dynamic_groups(samples: Any) -> bool:
    """Returns whether a view uses `group_by`; its `media_type` is that of slices."""
    return bool(samples._is_dynamic_groups)


def serialize_stages(view: fo.DatasetView) -> list[dict[str, Any]]:
    """Returns the stages of a view; publicly they can only be saved."""
    return view._serialize(include_uuids=False)


def view_from_stages(
    dataset: fo.Dataset, stages: list[dict[str, Any]]
) -> fo.DatasetView:
    """Returns the view of some stages; publicly only saved ones can be loaded."""
    return fo.DatasetView._build(dataset, stages)


def dataset_id(dataset: fo.Dataset) -> bson.ObjectId:
    """Returns the id of a dataset in the database; only its name is public."""
    return dataset._doc.id


def loaded_field_names(dataset: fo.Dataset) -> set[str]:
    """Returns the stored fields in memory; `get_field_schema` adds others."""
    return {field.name for field in dataset._doc.sample_fields}


def evaluation_document(dataset: fo.Dataset, eval_key: str) -> Any:
    """Returns a stored evaluation; its public info omits whether it has results."""
    return dataset._doc.evaluations[eval_key]


EVALUATION_PANEL = "model_evaluation_panel_builtin"
"""Name of FiftyOne's Model Evaluation panel, and of the store of its notes."""


def set_evaluation_note(dataset: fo.Dataset, eval_key: str, note: str | None) -> None:
    """Writes or deletes an evaluation's note; only the panel itself does so publicly.

    Args:
        dataset: the dataset
        eval_key: name of a stored evaluation
        note: Markdown; None deletes it
    """
    from fiftyone.operators.store import ExecutionStore

    store = ExecutionStore.create(EVALUATION_PANEL, dataset_id(dataset))
    notes, key = store.get("notes") or {}, evaluation_id(dataset, eval_key)
    if note is None and key not in notes:
        return
    others = {other: text for other, text in notes.items() if other != key}
    store.set("notes", others if note is None else {**others, key: note})


def evaluation_id(dataset: fo.Dataset, eval_key: str) -> str:
    """Returns the id of an evaluation, by which the panel knows it."""
    return str(evaluation_document(dataset, eval_key).id)


def opened_evaluation(dataset: fo.Dataset, eval_key: str) -> dict[str, Any]:
    """Returns the state of a Model Evaluation panel that shows an evaluation.

    The panel has no public way to be opened at an evaluation.
    """
    key = evaluation_id(dataset, eval_key)
    return {
        "view": {"page": "evaluation", "key": eval_key, "id": key, "init": True},
    }


def collection(dataset: fo.Dataset, *, of_frames: bool = False) -> Any:
    """Returns the MongoDB collection; views only show fields of the schema."""
    return dataset._frame_collection if of_frames else dataset._sample_collection


BATCH_SIZE = 1000
"""Number of samples that the database sends at a time."""


def documents(samples: Any, paths: list[str]) -> Iterator[dict[str, Any]]:
    """Yields the samples of a collection as stored, with their ids and some fields.

    Publicly, the values of all samples can only be read at once; `_aggregate` returns a
    cursor.

    Args:
        samples: a dataset or view
        paths: of the fields
    """
    project = {"$project": dict.fromkeys(paths, True)}
    cursor = samples._aggregate(post_pipeline=[project])
    yield from cursor.batch_size(BATCH_SIZE)  # without it, 16 MB at a time


def bulk_write(
    dataset: fo.Dataset,
    updates: list[Any],
    ids: list[str],
    *,
    of_frames: bool = False,
) -> int:
    """Updates samples or frames one by one, in order; refreshes those in memory.

    Publicly, values can only be set, which overwrites what others have just written.

    Args:
        dataset: the dataset
        updates: pymongo's, each of one sample
        ids: of the samples
        of_frames (False): updates frames, given by their ids

    Returns:
        number of updates that have changed a sample
    """
    stored = collection(dataset, of_frames=of_frames)
    results = database.bulk_write(updates, stored, ordered=True)
    if of_frames:
        fofr.Frame._reload_docs(dataset._frame_collection_name, frame_ids=ids)
    else:
        fos.Sample._reload_docs(dataset._sample_collection_name, sample_ids=ids)
    return sum(one.modified_count for one in results)


def reload_samples(dataset: fo.Dataset) -> None:
    """Refreshes samples and frames in memory; publicly only one at a time."""
    fos.Sample._reload_docs(dataset._sample_collection_name)
    if dataset._frame_collection_name:
        fofr.Frame._reload_docs(dataset._frame_collection_name)


def reload_sample_view(sample: Any, dataset: fo.Dataset) -> None:
    """Reloads a sample of a view after a schema change; it has no `reload`."""
    if type(sample._doc) is not dataset._sample_doc_cls:
        raw = dataset._sample_collection.find_one({"_id": bson.ObjectId(sample.id)})
        sample._doc = dataset._sample_dict_to_doc(raw)


def delete_empty_sidebar_group(samples: Any, name: str) -> None:
    """Deletes an evaluation's sidebar group, as FiftyOne's own methods do."""
    samples._delete_empty_sidebar_group(name)


def is_connected() -> bool:
    """Returns whether a database client exists; `get_db_client` creates one."""
    return database._client is not None


def skip_exit_cleanup() -> None:
    """Skips the deletion of datasets at exit, for which there is no setting."""
    atexit.unregister(database._delete_non_persistent_datasets_if_allowed)


def forget_zoo_model(name: str) -> None:
    """Removes a model from the zoo's caches; only downloads do so publicly."""
    import fiftyone.zoo.models as fozm

    forget_zoo_models()
    with_settings = f"({('name', name)!r}, "  # as FiftyOne spells its keys
    for key in list(fozm._MODELS):
        if key == name or key.startswith(with_settings):
            fozm._MODELS.pop(key, None)


def forget_zoo_models() -> None:
    """Makes the zoo read its manifests again; only downloads do so publicly."""
    import fiftyone.zoo.models as fozm

    fozm._invalidate_zoo_models_manifest()


def delegated_operation_id(ctx: Any) -> Any:
    """Returns the id of a delegated operation, or None; there is no getter."""
    return ctx._delegated_operation_id
