"""FiftyOne's private names: each one exists and means what the adapter expects."""

import ast
import atexit
import re
from pathlib import Path

import fiftyone as fo
import fiftyone.core.odm as foo
import fiftyone.core.odm.database as fiftyone_database
import fiftyone.operators as operators
import fiftyone.zoo.models as fozm
import pymongo
import pytest
from bson import ObjectId

import yolov1_fo
from yolov1_fo.datasets import fiftyone_private, schema
from yolov1_fo.datasets import samples as fo_samples

ROOT = Path(yolov1_fo.__file__).parent.parent
PRIVATE = (
    *("_root_dataset", "_dataset", "_base_view", "_source_collection", "_doc"),
    *("_is_frames", "_is_patches", "_is_clips", "_is_dynamic_groups", "_is_generated"),
    *("_serialize", "_build", "_stages", "_all_stages", "_pipeline", "_aggregate"),
    *("_sample_collection", "_frame_collection", "_sample_collection_name"),
    "_frame_collection_name",
    *("_sample_doc_cls", "_sample_dict_to_doc", "_reload", "_reload_docs", "_schema"),
    *("_client", "_delete_non_persistent_datasets_if_allowed", "_connect"),
    *("_delete_empty_sidebar_group", "_delegated_operation_id", "_panel_state"),
    *("_invalidate_zoo_models_manifest", "_MODELS", "_load_zoo_models_manifest"),
)
"""FiftyOne's private attributes that only the adapter may use."""


@pytest.fixture
def frames():
    """A frames view of a video dataset, whose frames need no files."""
    dataset = fo.Dataset()
    sample = fo.Sample("film.mp4")
    for number in range(1, 4):
        sample.frames[number] = fo.Frame(filepath=f"{number}.png")
    dataset.add_sample(sample)
    yield dataset.to_frames()
    dataset.delete()


def test_datasets_of_a_view(painted):
    for samples in (painted, painted.limit(2), painted.to_patches("ground_truth")):
        assert fiftyone_private.root_dataset(samples) is painted
    assert fiftyone_private.own_dataset(painted.limit(2)) is painted


def test_samples_and_frames_in_memory_are_refreshed(painted, frames):
    videos = fiftyone_private.root_dataset(frames)
    sample, frame = painted.first(), videos.first().frames[1]
    painted._sample_collection.update_one(
        {"_id": sample._id}, {"$set": {"tags": ["elsewhere"]}}
    )
    videos.add_frame_field("note", fo.StringField)
    videos._frame_collection.update_one({"_id": frame._id}, {"$set": {"note": "new"}})
    for dataset in (painted, videos):
        fiftyone_private.reload_samples(dataset)
    assert sample.tags == ["elsewhere"]
    assert frame.note == "new"


def test_datasets_of_a_frames_view(frames):
    root = fiftyone_private.root_dataset(frames)
    own = fiftyone_private.own_dataset(frames.limit(1))
    assert root.media_type == "video"
    assert own is not root
    assert len(own) == 3
    own.add_sample_field("note", fo.StringField)
    assert frames.has_field("note")
    assert not root.has_frame_field("note")


def test_frames_views_without_their_later_stages(frames):
    part = frames.skip(1).select_fields()
    assert fo_samples.is_frames_view(part)
    every = fiftyone_private.all_frames(part)
    assert every.values("id") == frames.values("id")
    assert every == frames


def test_groups_of_a_view_are_not_group_slices(painted):
    assert fiftyone_private.has_dynamic_groups(painted.group_by("tags"))
    assert not fiftyone_private.has_dynamic_groups(painted.group_by("tags").flatten())
    dataset = fo.Dataset()
    dataset.add_group_field("group", default="left")
    dataset.add_sample(fo.Sample("a.png", group=fo.Group().element("left")))
    assert not fiftyone_private.has_dynamic_groups(dataset)
    assert not fiftyone_private.has_dynamic_groups(dataset.view())
    dataset.delete()


def test_view_stages_are_documents_without_ids_of_their_own(painted):
    view = painted.match_tags("train").limit(2)
    stages = fiftyone_private.serialize_stages(view)
    assert stages == fiftyone_private.serialize_stages(painted.match_tags("train")[:2])
    assert [stage["_cls"].rpartition(".")[2] for stage in stages] == [
        "MatchTags",
        "Limit",
    ]
    assert all(set(stage) == {"_cls", "kwargs"} for stage in stages)
    assert fiftyone_private.view_from_stages(painted, stages) == view


def test_the_id_of_a_dataset_is_that_of_its_document(painted):
    dataset_id = fiftyone_private.dataset_id(painted)
    assert isinstance(dataset_id, ObjectId)
    document = foo.get_db_conn().datasets.find_one({"_id": dataset_id})
    assert document["name"] == painted.name


def test_loaded_fields_are_those_of_the_document(painted):
    query = {"_id": fiftyone_private.dataset_id(painted)}
    stored = foo.get_db_conn().datasets.find_one(query)["sample_fields"]
    names = {field["name"] for field in stored}
    assert fiftyone_private.loaded_field_names(painted) == names
    assert {"id", "filepath", "ground_truth"} <= names


def test_the_document_of_an_evaluation(painted):
    painted.clone_sample_field("ground_truth", "found")
    painted.evaluate_detections(
        "found", gt_field="ground_truth", eval_key="one", progress=False
    )
    document = fiftyone_private.evaluation_document(painted, "one")
    assert document.config["pred_field"] == "found"
    assert document.config["cls"].endswith("COCOEvaluationConfig")
    assert document.results


def test_collections_hold_samples_and_frames(painted, frames):
    samples = fiftyone_private.collection(painted)
    assert samples.count_documents({}) == len(painted)
    document = samples.find_one({"_id": ObjectId(painted.first().id)})
    assert document["filepath"] == painted.first().filepath
    root = fiftyone_private.root_dataset(frames)
    stored = fiftyone_private.collection(root, of_frames=True)
    assert sorted(one["frame_number"] for one in stored.find()) == [1, 2, 3]


def test_samples_of_views_are_reloaded_after_a_schema_change(painted):
    sample = painted.view().first()
    assert not hasattr(type(sample), "reload")  # FiftyOne's own, if there ever is one
    query = {"_id": fiftyone_private.dataset_id(painted)}
    other = fo.Dataset()
    other.add_sample(fo.Sample("a.png", note="new"))
    fields = foo.get_db_conn().datasets.find_one(
        {"_id": fiftyone_private.dataset_id(other)}
    )["sample_fields"]
    field = next(one for one in fields if one["name"] == "note")
    foo.get_db_conn().datasets.update_one(query, {"$push": {"sample_fields": field}})
    fiftyone_private.collection(painted).update_many({}, {"$set": {"note": "new"}})
    schema.refresh_samples([sample])
    assert sample.note == "new"
    sample["note"] = "unsaved"
    schema.refresh_samples([sample])
    assert sample.note == "unsaved"  # nothing has changed since
    other.delete()


def test_empty_sidebar_groups_are_deleted(painted):
    groups = fo.DatasetAppConfig.default_sidebar_groups(painted)
    empty = fo.SidebarGroupDocument(name="empty")
    painted.app_config.sidebar_groups = [*groups, empty]
    painted.save()
    fiftyone_private.delete_empty_sidebar_group(painted.view(), "empty")
    fiftyone_private.delete_empty_sidebar_group(painted.view(), groups[0].name)
    names = [group.name for group in painted.app_config.sidebar_groups]
    assert names == [group.name for group in groups]


def test_a_client_is_only_reported_once_it_exists(monkeypatch):
    fo.list_datasets()
    assert fiftyone_private.is_connected()
    monkeypatch.setattr(fiftyone_database, "_client", None)
    assert not fiftyone_private.is_connected()


def test_the_cleanup_at_exit_is_what_fiftyone_registers(monkeypatch):
    unregistered = []
    monkeypatch.setattr(atexit, "unregister", unregistered.append)
    fiftyone_private.skip_exit_cleanup()
    source = Path(fiftyone_database.__file__).read_text()
    registered = re.findall(r"atexit\.register\((\w+)\)", source)
    assert [one.__name__ for one in unregistered] == registered


def test_a_forgotten_model_is_read_again(monkeypatch):
    class Model:
        pass

    models = [Model() for _ in range(3)]
    keys = [
        fozm._get_cache_key("mine"),
        fozm._get_cache_key("mine", confidence_thresh=0.5),
        fozm._get_cache_key("mine-too", confidence_thresh=0.5),
    ]
    for key, model in zip(keys, models, strict=True):
        fozm._MODELS[key] = model
    before = fozm._load_zoo_models_manifest()
    fiftyone_private.forget_zoo_model("mine")
    assert [key in fozm._MODELS for key in keys] == [False, False, True]
    assert fozm._load_zoo_models_manifest() is not before


def test_updates_refresh_samples_in_memory_and_are_counted(painted):
    sample, other = painted.first(), painted.last()
    updates = [
        pymongo.UpdateOne({"_id": ObjectId(one.id)}, {"$push": {"tags": "new"}})
        for one in (sample, other)
    ]
    updates.append(pymongo.UpdateOne({"_id": ObjectId()}, {"$set": {"tags": []}}))
    assert fiftyone_private.bulk_write(painted, updates, [sample.id, other.id]) == 2
    assert sample.tags == ["train", "new"]
    assert painted.last().tags == ["val", "new"]


def test_the_id_of_a_delegated_operation():
    context = operators.ExecutionContext(delegated_operation_id="7")
    assert fiftyone_private.delegated_operation_id(context) == "7"
    direct = operators.ExecutionContext()
    assert fiftyone_private.delegated_operation_id(direct) is None


def private_names(path):
    """Returns FiftyOne's private names that a module uses, with their lines."""
    found = []
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Attribute):
            owner, name = node.value, node.attr
            is_own = isinstance(owner, ast.Name) and owner.id in ("self", "cls")
            if name in PRIVATE and not is_own:
                found.append((path.name, node.lineno, name))
        elif isinstance(node, ast.Constant) and node.value in PRIVATE:
            found.append((path.name, node.lineno, node.value))  # getattr(x, "_name")
        elif isinstance(node, ast.ImportFrom) and "fiftyone" in (node.module or ""):
            names = [alias.name for alias in node.names]
            found += [
                (path.name, node.lineno, name) for name in names if name[0] == "_"
            ]
    return found


def test_nothing_else_uses_private_names():
    paths = [*ROOT.glob("yolov1_fo/**/*.py"), *ROOT.glob("plugin/**/*.py")]
    adapter = Path(fiftyone_private.__file__)
    nodes = ast.walk(ast.parse(adapter.read_text()))
    names = {node.attr for node in nodes if isinstance(node, ast.Attribute)}
    assert {name for name in names if name.startswith("_")} <= set(PRIVATE)
    uses = [use for path in paths if path != adapter for use in private_names(path)]
    assert uses == []
