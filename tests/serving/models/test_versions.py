"""Which of the versions found may be served."""

import pytest

from serving.model_server.models.versions import All, Latest, Specific, list_versions


@pytest.mark.parametrize(
    ("policy", "chosen", "limit"),
    [
        (Latest(), [9, 5, 1], 1),
        (Latest(2), [9, 5, 1], 2),
        (All(), [9, 5, 1], None),
        (Specific(frozenset({1, 9, 7})), [9, 1], None),
        (Specific(frozenset()), [], None),
    ],
)
def test_policies_prefer_the_newest(policy, chosen, limit):
    assert policy.choose({5, 1, 9}) == chosen
    assert policy.limit == limit
    assert policy.choose(()) == []


def test_of_two_folders_with_one_number_the_last_by_name_counts(tmp_path):
    for name in ("007", "7"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "saved_model.pbtxt").touch()
    assert list_versions(tmp_path) == {7: tmp_path / "7"}
    assert list_versions(tmp_path, ["model.tflite"]) == {}
    assert list_versions(tmp_path / "nowhere") is None
