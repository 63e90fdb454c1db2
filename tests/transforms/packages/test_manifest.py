"""model.toml: what is taken, and in which words the rest is refused."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.transforms.packages.networks import EXAMPLES, NEGATIVE
from transforms.errors import ModelRefused
from transforms.packages.manifest import parse
from transforms.packages.tensors import MelInput, PictureInput

EXAMPLE_NAMES = sorted(path.parent.name for path in EXAMPLES.glob("*/model.toml"))

SHA = "0" * 64


def changed(**lines: str) -> str:
    """The shortest manifest with other lines, or more of them."""
    text = NEGATIVE
    for key, value in lines.items():
        text, count = re.subn(rf"(?m)^{key} = .*$", f"{key} = {value}", text)
        if not count:
            text += f"{key} = {value}\n"
    return text


def refusal(text: str | bytes) -> str:
    with pytest.raises(ModelRefused) as caught:
        parse(text if isinstance(text, bytes) else text.encode())
    return str(caught.value)


def test_the_shortest_manifest_has_ten_lines_and_usual_values() -> None:
    assert len(NEGATIVE.splitlines()) == 10
    manifest = parse(NEGATIVE.encode())
    assert manifest.runtime == "onnx"
    assert manifest.picture_size == (64, 64)
    (given,) = manifest.inputs
    assert isinstance(given, PictureInput)
    assert (given.layout, given.order, given.range, given.parts) == ("nchw", "rgb", (0.0, 1.0), ("face",))


@pytest.mark.parametrize("name", EXAMPLE_NAMES)
def test_the_examples_are_valid(name: str) -> None:
    assert parse((EXAMPLES / name / "model.toml").read_bytes()).id == name


def test_what_is_known_of_wav2lip() -> None:
    mel = parse((EXAMPLES / "lips" / "model.toml").read_bytes()).inputs[0]
    assert isinstance(mel, MelInput)
    assert mel == MelInput(name="mel", kind="mel"), "its values are the defaults"


FACE = 'inputs = [{ name = "input", kind = "picture" }]'


@pytest.mark.parametrize(
    ("lines", "told"),
    [
        ({"colour": '"red"'}, "colour: Extra inputs are not permitted"),
        ({"id": '"../negative"'}, "id: "),
        ({"id": '"Negative"'}, "id: "),
        ({"version": '"1/2"'}, "version: "),
        ({"task": '"dance"'}, "task: "),
        ({"licence": '""'}, "licence: "),
        ({"weights": '"other.onnx"'}, "weights names one of files"),
        ({"weights": '"/etc/passwd"'}, "weights: "),
        ({"files": f'{{ "negative.onnx" = "{SHA}", "../run.sh" = "{SHA}" }}'}, "files"),
        ({"files": f'{{ "negative.onnx" = "{SHA}", "model.py" = "{SHA}" }}'}, "no code and no pickles"),
        ({"files": f'{{ "negative.onnx" = "{SHA}", "model.pt" = "{SHA}" }}'}, "no code and no pickles"),
        ({"files": f'{{ "negative.onnx" = "{SHA}", "model.toml" = "{SHA}" }}'}, "cannot hold its own hash"),
        ({"files": '{ "negative.onnx" = "abc" }'}, "files.negative.onnx: "),
        ({"module": '"os:system"'}, "safetensors, and only they"),
        ({"arguments": "{ a = 1 }"}, "arguments are those of a module"),
        ({"face": '{ template = "arcface_112", size = 100000 }'}, "face.size: "),
        ({"face": '{ template = "nose", size = 64 }'}, "face.template: "),
        ({"face": '{ template = "box", size = 64, margin = [9, 0, 0, 0] }'}, "margins lie between"),
        ({"frame": "{ longest = 64 }"}, "needs [face], only"),
        ({"inputs": "[]"}, "inputs: "),
        ({"inputs": '[{ name = "input", kind = "smell" }]'}, "inputs.0: "),
        ({"inputs": '[{ name = "input", kind = "picture", range = [1, 0] }]'}, "goes from a lower number"),
        ({"inputs": '[{ name = "input", kind = "picture", range = [0, inf] }]'}, "inputs.0.picture.range.1: "),
        ({"inputs": '[{ name = "input", kind = "picture", mean = [0, 0, 0] }]'}, "mean and std belong together"),
        ({"inputs": '[{ name = "input", kind = "number", value = [1] }]'}, "a picture among the inputs"),
        ({"inputs": '[{ name = "input", kind = "picture" }, { name = "n", kind = "number" }]'}, "either a value"),
        ({"inputs": '[{ name = "input", kind = "picture" }, { name = "input", kind = "mesh" }]'}, "share a name"),
        ({"inputs": '[{ name = "input", kind = "picture" }, { name = "m", kind = "mel", steps = 250 }]'}, "longer than 2 s"),
        (
            {
                "inputs": '[{ name = "input", kind = "picture" }, { name = "e", kind = "embedding", length = 4, by = "x", '
                'projection = { file = "y.safetensors", tensor = "t" } }]'
            },
            "y.safetensors is not among files",
        ),
        ({"outputs": '[{ name = "output", kind = "mask" }]'}, "yields one picture"),
        (
            {"outputs": '[{ name = "output", kind = "picture", scale = 4 }]', "face": '{ template = "ffhq", size = 1024 }'},
            "larger",
        ),
        ({"task": '"embedding"'}, "takes a picture and yields one embedding"),
    ],
)
def test_what_does_not_fit_is_refused_in_words(lines: dict[str, str], told: str) -> None:
    assert told in refusal(changed(**lines))


def test_a_frame_has_no_face() -> None:
    text = (EXAMPLES / "frame_style" / "model.toml").read_text()
    assert "those are a face's" in refusal(text + '\n[[inputs]]\nname = "mesh"\nkind = "mesh"\n')
    assert "give width and height" in refusal(text.replace("longest = 512, ", ""))


@pytest.mark.parametrize(
    "data", [b"\xff\xfe", b"id = ", b"[" * 5000, b"a = " + b"[" * 5000, b"#" * 100_000], ids=["bytes", "cut", "[", "deep", "long"]
)
def test_what_is_no_toml_is_refused(data: bytes) -> None:
    assert "model.toml" in refusal(data)


def test_the_page_shows_a_manifest_that_works() -> None:
    page = Path(EXAMPLES, "../../docs/models.md").read_text()
    shown = page.split("```toml\n")[1].split("```")[0]
    assert len(shown.splitlines()) == 10
    parse(shown.encode())
