"""What an ONNX file says of itself, and what of it is refused without ONNX Runtime having seen it."""

from __future__ import annotations

import random
from contextlib import suppress
from pathlib import Path

import onnx
import pytest
from onnx import TensorProto, helper

from tests.transforms.packages.networks import inverting, lips, network, restorer
from transforms.errors import ModelRefused
from transforms.packages import limits, onnx_graph
from transforms.packages.onnx_graph import Value


def read(data: bytes, tmp_path: Path) -> onnx_graph.Graph:
    path = tmp_path / "network.onnx"
    path.write_bytes(data)
    return onnx_graph.read(path)


def refusal(data: bytes, tmp_path: Path) -> str:
    with pytest.raises(ModelRefused) as caught:
        read(data, tmp_path)
    assert "network.onnx" in str(caught.value)
    return str(caught.value)


def changed(data: bytes) -> onnx.ModelProto:
    return onnx.load_model_from_string(data)


def test_inputs_outputs_and_operators(tmp_path: Path) -> None:
    graph = read(lips(), tmp_path)
    assert graph.inputs == {"mel": Value("float32", (None, 1, 80, 16)), "face": Value("float32", (None, 6, 96, 96))}
    assert graph.outputs == {"output": Value("float32", (None, 3, 96, 96))}
    assert graph.operators == {"Slice", "ReduceMean", "Add", "Mul"}
    assert graph.weights == {"first", "last", "axis", "four", "slope"}


def test_weights_among_the_inputs_are_none(tmp_path: Path) -> None:
    model = changed(inverting())
    model.graph.input.append(helper.make_tensor_value_info("one", TensorProto.FLOAT, [1]))
    assert list(read(model.SerializeToString(), tmp_path).inputs) == ["input"]


def test_operators_that_need_code(tmp_path: Path) -> None:
    model = changed(inverting())
    model.opset_import.append(helper.make_opsetid("my.own", 1))
    assert read(model.SerializeToString(), tmp_path).operators == {"Sub"}, "a domain that nothing uses does no harm"
    model.graph.node[0].domain = "my.own"
    assert "the domain 'my.own', which needs code that is not here" in refusal(model.SerializeToString(), tmp_path)


def test_functions(tmp_path: Path) -> None:
    node = helper.make_node("Identity", ["a"], ["b"])
    function = helper.make_function("", "f", ["a"], ["b"], [node], [helper.make_opsetid("", 17)])
    assert "functions of its own" in refusal(network([node], {"a": [1]}, {"b": [1]}, functions=[function]), tmp_path)


def test_loops(tmp_path: Path) -> None:
    body = helper.make_graph(
        [helper.make_node("Identity", ["go"], ["more"])],
        "body",
        [helper.make_tensor_value_info(n, t, []) for n, t in (("i", TensorProto.INT64), ("go", TensorProto.BOOL))],
        [helper.make_tensor_value_info("more", TensorProto.BOOL, [])],
    )
    node = helper.make_node("Loop", ["", "yes"], ["y"], body=body)
    assert "Loop has no end" in refusal(network([node], {"x": [1]}, {"y": [1]}), tmp_path)


def nested(depth: int) -> bytes:
    output = [helper.make_tensor_value_info("y", TensorProto.FLOAT, [1])]
    graph = helper.make_graph([helper.make_node("Identity", ["x"], ["y"])], "g", [], output)
    for _ in range(depth):
        node = helper.make_node("If", ["x"], ["y"], then_branch=graph, else_branch=graph)
        graph = helper.make_graph([node], "g", [], output)
    return bytes(helper.make_model(graph).SerializeToString())


def test_graphs_inside_graphs(tmp_path: Path) -> None:
    assert read(nested(limits.MAX_DEPTH), tmp_path).operators == {"If", "Identity"}
    assert "deeper than" in refusal(nested(limits.MAX_DEPTH + 1), tmp_path)


@pytest.mark.parametrize("shape", [[1 << 20, 1 << 20], [-1], [1 << 40], [1] * 9])
def test_huge_weights(shape: list[int], tmp_path: Path) -> None:
    model = changed(inverting())
    del model.graph.initializer[0].dims[:]
    model.graph.initializer[0].dims.extend(shape)
    told = refusal(model.SerializeToString(), tmp_path)
    assert "larger than any may be" in told or "more than 8 dimensions" in told
    assert "'one'" in told


def test_huge_constants_in_operators(tmp_path: Path) -> None:
    tensor = TensorProto(name="big", data_type=TensorProto.FLOAT, dims=[1 << 30])
    node = helper.make_node("Constant", [], ["y"], value=tensor)
    assert "larger than any may be" in refusal(network([node], {"x": [1]}, {"y": [1]}), tmp_path)


def test_weights_in_other_files(tmp_path: Path) -> None:
    model = changed(inverting())
    weights = model.graph.initializer[0]
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../etc/passwd")
    assert "are in another file" in refusal(model.SerializeToString(), tmp_path)


def test_too_many_operators(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(onnx_graph, "MAX_NODES", 3)
    nodes = [helper.make_node("Identity", ["x"], [f"y{number}"]) for number in range(4)]
    assert "more than 3" in refusal(network(nodes, {"x": [1]}, {"y0": [1]}), tmp_path)


@pytest.mark.parametrize("data", [b"", b"\x80" * 20, b"not a network at all", b"\x00" * 100, b"\x3a\xff\xff\xff\xff\x0f"])
def test_what_is_no_onnx_file(data: bytes, tmp_path: Path) -> None:
    refusal(data, tmp_path)


def test_any_damage_is_refused_or_read_and_never_worse(tmp_path: Path) -> None:
    chosen = random.Random(0)
    data = restorer()
    for _ in range(300):
        broken = bytearray(data[: chosen.randrange(1, len(data) + 1)])
        for _ in range(3):
            broken[chosen.randrange(len(broken))] = chosen.randrange(256)
        with suppress(ModelRefused):
            read(bytes(broken), tmp_path)


def test_half_precision_is_told(tmp_path: Path) -> None:
    model = changed(inverting())
    model.graph.input[0].type.tensor_type.elem_type = TensorProto.FLOAT16
    assert read(model.SerializeToString(), tmp_path).inputs["input"].dtype == "float16"
