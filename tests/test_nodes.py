"""What the nodes say of themselves is so."""

import json
import subprocess
import sys
from operator import attrgetter

import pytest

from darkroom.components.nodes import NODES, STATES
from darkroom.pipeline import InputState, create_pipeline
from darkroom.tests.workspace import Workspace

STATE = InputState("fingerprint of the data", "7:digest")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    return Workspace(tmp_path_factory.mktemp("nodes"), per_class=1)


@pytest.fixture(scope="module")
def recipe(workspace):
    schema = workspace.folder / "schema.pbtxt"
    schema.touch()
    return workspace.recipe(validation={"schema_path": str(schema)})


@pytest.fixture(scope="module")
def nodes(recipe):
    return {node.id: node for node in create_pipeline(recipe, STATE, "artifacts").components}


def test_the_list_holds_the_nodes_of_the_dag(workspace, nodes):
    inferred = create_pipeline(workspace.recipe(), STATE, "artifacts").components
    assert {*nodes, *(node.id for node in inferred)} == set(NODES)
    assert set(NODES) - set(nodes) == {"SchemaGen"}


def test_the_list_is_in_the_order_of_the_dag(nodes):
    places = {name: place for place, name in enumerate(NODES)}
    for name, node in nodes.items():
        assert all(places[above.id] < places[name] for above in node.upstream_nodes), name


@pytest.mark.parametrize(
    ("name", "place", "section"),
    [(n, place, section) for n, node in NODES.items() for place, section in node.sections.items()],
)
def test_sections_of_the_recipe_stand_where_a_node_says(nodes, recipe, name, place, section):
    found = nodes[name].exec_properties[place[0]]
    for key in place[1:]:
        found = (json.loads(found) if isinstance(found, str) else found)[key]
    wanted = recipe.model_dump(mode="json")
    for key in filter(None, section.split(".")):
        wanted = wanted[key]
    if isinstance(wanted, list | dict):
        found = json.loads(found) if isinstance(found, str) else found
    if isinstance(wanted, dict):
        # ImageExampleGen has no use for the limit that DataGate checks.
        wanted = {key: value for key, value in wanted.items() if key in found}
    assert found == wanted


def test_what_a_node_reads_of_the_world_is_where_it_says(nodes, recipe):
    given = STATE._asdict()
    assert {state.name for state in STATES} == set(given)
    for name, node in nodes.items():
        if state := NODES[name].state:
            assert node.exec_properties[state.property] == given[state.name]
            assert attrgetter(state.location)(recipe)
    assert [len(STATES[0].read(recipe)), STATES[1].read(recipe)] == [64, "none"]


def test_files_beside_the_inputs_are_those_of_the_recipe(recipe):
    found = {name: file for name, node in NODES.items() if (file := node.find_file(recipe))}
    assert found == {
        "ImportSchemaGen": recipe.validation.schema_path,
        "Trainer": recipe.trainer.weights_file,
    }


def test_declarations_import_neither_tfx_nor_tensorflow():
    code = "import sys, darkroom.components.nodes; print({'tfx', 'tensorflow'} & set(sys.modules))"
    found = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert found.stdout == "set()\n"
