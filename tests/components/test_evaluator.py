import json
from pathlib import Path

import pytest
from tfx.types import standard_artifacts

from darkroom.components.evaluator.config import EvaluationConfig
from darkroom.components.evaluator.executor import EvaluationError, Executor, baseline_state
from darkroom.components.evaluator.metrics import METRICS
from darkroom.records import progress
from darkroom.records.evaluation import EXAMPLE_COUNT, METRICS_FILE
from darkroom.tests import brightness
from darkroom.tests.artifacts import make_artifact, make_examples

GOOD, WORSE = 128, 75  # WORSE takes the dark picture of level 90 for a bright one.


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    return tmp_path_factory.mktemp("evaluator")


@pytest.fixture(scope="module")
def output(folder):
    return brightness.transform_output(folder)


@pytest.fixture(scope="module")
def examples(folder):
    return make_examples(folder / "examples", brightness.IMAGES, brightness.LABELS)


@pytest.fixture(scope="module")
def models(folder, output):
    found = {}
    for name, boundary in (("good", GOOD), ("worse", WORSE)):
        brightness.export_model(output, folder / name / "Format-Serving", boundary)
        found[name] = make_artifact(standard_artifacts.Model, folder / name)
    (folder / "none").mkdir()
    found["none"] = make_artifact(standard_artifacts.Model, folder / "none")
    return found


@pytest.fixture
def evaluate(tmp_path, output, examples, models):
    def run(
        candidate: str, baseline: str, thresholds: dict, measured=examples
    ) -> tuple[dict, object]:
        graph = make_artifact(
            standard_artifacts.TransformGraph, Path(output.transform_savedmodel_dir).parent
        )
        evaluation = make_artifact(standard_artifacts.ModelEvaluation, tmp_path / "evaluation")
        blessing = make_artifact(standard_artifacts.ModelBlessing, tmp_path / "blessing")
        config = EvaluationConfig.model_validate({"thresholds": thresholds})
        Executor().Do(
            {
                "examples": [measured],
                "model": [models[candidate]],
                "baseline_model": [models[baseline]],
                "transform_graph": [graph],
            },
            {"evaluation_result": [evaluation], "blessing": [blessing]},
            {"evaluation": config.model_dump_json()},
        )
        return json.loads((tmp_path / "evaluation" / METRICS_FILE).read_text()), blessing

    return run


def test_without_a_baseline_only_absolute_bounds_count(evaluate):
    results, blessing = evaluate("good", "none", {"accuracy": {"min": 1.0, "min_improvement": 0.1}})
    assert blessing.get_int_custom_property("blessed") == 1
    assert blessing.get_string_custom_property("reason") == ""
    assert results["gate"] == {"blessed": True, "baseline": "absent", "failures": []}
    assert results["baseline"] is None
    overall = results["candidate"]["overall"]
    assert set(overall) == {*METRICS, EXAMPLE_COUNT}
    assert (overall["accuracy"], overall["auc"], overall["example_count"]) == (1.0, 1.0, 6)
    slices = {entry["slice"]: entry["metrics"] for entry in results["candidate"]["slices"]}
    assert {name: metrics["example_count"] for name, metrics in slices.items()} == {
        "label:bright": 2,
        "label:dark": 4,
    }
    assert not any("auc" in metrics for metrics in slices.values())
    matrix = results["confusion_matrix"]
    by_class = dict(zip(matrix["classes"], matrix["counts"], strict=True))
    assert sorted(by_class["dark"]) == [0, 4]
    assert sum(map(sum, matrix["counts"])) == 6
    assert progress.look().done == 6


def test_a_worse_candidate_is_not_blessed(evaluate):
    results, blessing = evaluate(
        "worse", "good", {"accuracy": {"min": 0.5, "min_improvement": 0.0}}
    )
    assert blessing.get_int_custom_property("blessed") != 1
    assert results["gate"]["baseline"] == "compared"
    assert results["candidate"]["overall"]["accuracy"] == pytest.approx(5 / 6)
    assert results["baseline"]["overall"]["accuracy"] == 1.0
    (failure,) = results["gate"]["failures"]
    assert (failure["metric"], failure["kind"], failure["slice"]) == (
        "accuracy",
        "change",
        "overall",
    )
    assert failure["value"] == pytest.approx(-1 / 6)
    reason = blessing.get_string_custom_property("reason")
    assert reason == "change of accuracy is -0.1667, wanted ≥ +0"
    dark = results["confusion_matrix"]["classes"].index("dark")
    assert sorted(results["confusion_matrix"]["counts"][dark]) == [1, 3]


def test_a_better_candidate_is_blessed_and_a_smaller_loss_is_an_improvement(evaluate):
    results, blessing = evaluate(
        "good", "worse", {"accuracy": {"min_improvement": 0.1}, "loss": {"min_improvement": 0.01}}
    )
    assert blessing.get_int_custom_property("blessed") == 1
    assert results["candidate"]["overall"]["loss"] < results["baseline"]["overall"]["loss"]


def test_the_very_same_model_need_not_improve_on_itself(evaluate):
    results, blessing = evaluate("good", "good", {"accuracy": {"min_improvement": 0.1}})
    assert results["gate"]["baseline"] == "identical"
    assert blessing.get_int_custom_property("blessed") == 1


def test_an_absolute_bound_is_named_when_it_is_missed(evaluate):
    _, blessing = evaluate("worse", "none", {"accuracy": {"min": 0.9}, "loss": {"max": 100}})
    assert blessing.get_int_custom_property("blessed") != 1
    reason = blessing.get_string_custom_property("reason")
    assert reason == "accuracy is 0.8333, wanted ≥ 0.9"


def test_a_test_split_is_judged_where_there_is_one(evaluate, tmp_path):
    measured = make_examples(tmp_path / "test", brightness.IMAGES, brightness.LABELS, ["test"])
    results, _ = evaluate("good", "none", {"accuracy": {"min": 0.9}}, measured)
    assert results["candidate"]["overall"][EXAMPLE_COUNT] == 6


def test_a_baseline_of_other_classes_is_not_compared_with(models):
    good, worse = (Path(models[name].uri) / "Format-Serving" for name in ("good", "worse"))
    assert baseline_state(good, worse, ["dark", "bright"]) == "compared"
    assert baseline_state(good, worse, ["dark", "bright", "grey"]) == "other_classes"


@pytest.mark.parametrize(
    ("image", "label", "words"),
    [
        (brightness.IMAGES[0], "grey", "has the label 'grey'"),
        (b"broken", "dark", "cannot be decoded"),
    ],
)
def test_an_example_that_cannot_be_measured_is_named(evaluate, tmp_path, image, label, words):
    measured = make_examples(
        tmp_path / "measured", [*brightness.IMAGES, image], [*brightness.LABELS, label]
    )
    with pytest.raises(EvaluationError, match=words) as caught:
        evaluate("good", "none", {"accuracy": {"min": 0.9}}, measured)
    assert f"'{label}/6.png'" in str(caught.value)
    assert "\n" not in str(caught.value)
