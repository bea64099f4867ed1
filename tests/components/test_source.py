import shutil

import pytest

from darkroom.components.source import SourceTree

FILES = {
    "trainer/__init__.py": "",
    "trainer/run.py": "from darkroom.serving.signatures import export",
    "trainer/other.py": "x = 1",
    "serving/__init__.py": "",
    "serving/signatures.py": "import numpy",
    "serving/protos/__init__.py": "",
    "serving/protos/messages.binpb": "data",
    "serving/protos/.hidden": "",
    "serving/protos/generate.py": "",
    "serving/deploy/compose.yaml": "",
    "__init__.py": "",
    "config.py": "",
    "README.md": "",
}


@pytest.fixture
def root(tmp_path):
    for name, text in FILES.items():
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)
    return tmp_path


def found(root, *names):
    return {path.relative_to(root).as_posix() for path in SourceTree(root).files(names)}


SIGNATURES = {"serving/__init__.py", "serving/signatures.py"}
OTHER = {"trainer/other.py"}
PROTOS = {"serving/__init__.py", "serving/protos/__init__.py", "serving/protos/messages.binpb"}


@pytest.mark.parametrize(
    ("text", "more"),
    [
        ("from darkroom.serving.signatures import export", SIGNATURES),
        ("import darkroom.serving.signatures as s", SIGNATURES),
        ("from darkroom.serving import signatures", SIGNATURES),
        ("from . import other", OTHER),
        ("from .other import x", OTHER),
        ("def later():\n    from darkroom.trainer import other", OTHER),
        ("class A:\n    def b(self):\n        import darkroom.trainer.other", OTHER),
        ("try:\n    import darkroom.trainer.other\nexcept ImportError:\n    pass", OTHER),
        ("if TYPE_CHECKING:\n    import darkroom.trainer.other", set()),
        ("if typing.TYPE_CHECKING:\n    import a\nelse:\n    import darkroom.trainer.other", OTHER),
        ('start(["python", "-m", "darkroom.trainer.other"])', OTHER),
        ('look_up("darkroom.trainer.other.Class")', OTHER),
        ('"""The words darkroom.trainer.other in a text."""', set()),
        ('open("config.json"), open("config")', set()),
        ("from darkroom.serving import protos", PROTOS),
        ("import numpy", set()),
    ],
)
def test_what_a_module_imports_in_any_way_is_found(root, text, more):
    (root / "trainer" / "run.py").write_text(text)
    assert (
        found(root, "darkroom.trainer.run.run_fn")
        == {"trainer/__init__.py", "trainer/run.py"} | more
    )


def test_imports_are_followed_and_circles_end(root):
    (root / "serving" / "signatures.py").write_text("import darkroom.trainer.run")
    assert (
        found(root, "darkroom.trainer.run")
        == {"trainer/__init__.py", "trainer/run.py"} | SIGNATURES
    )


def test_what_is_not_ours_has_no_fingerprint(root):
    tree = SourceTree(root)
    assert tree.fingerprint(["numpy.array", "tfx.components.Trainer"]) == ""
    assert len(tree.fingerprint(["darkroom.trainer.run"])) == 64


def test_another_folder_gives_the_same_fingerprint_and_another_line_does_not(root):
    copy = root.with_name("elsewhere")
    shutil.copytree(root, copy)
    before = SourceTree(root).fingerprint(["darkroom.trainer.run"])
    assert SourceTree(copy).fingerprint(["darkroom.trainer.run"]) == before
    (copy / "serving" / "signatures.py").write_text("import numpy  # now")
    assert SourceTree(copy).fingerprint(["darkroom.trainer.run"]) != before
    (copy / "serving" / "signatures.py").write_text("import (")
    with pytest.raises(SyntaxError):
        SourceTree(copy).fingerprint(["darkroom.trainer.run"])
