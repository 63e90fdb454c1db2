"""Expressions as settings: ARKit's blendshapes by name, in groups, and moods made of them."""
# ruff: noqa: N815 - ARKit's own names

from __future__ import annotations

from typing import Any, Literal

from pydantic import Field

from transforms.base import Settings
from transforms.faces.blendshapes import NAMES

MOST = 1.5
"""1 is as far as most people go; half as much again still looks like a face."""


def _shape(title: str, description: str) -> Any:
    return Field(default=0.0, ge=0.0, le=MOST, title=title, description=description)


def _left(title: str, description: str) -> Any:
    return _shape(f"{title}, left", f"{description} On the person's own left.")


def _right(title: str, description: str) -> Any:
    return _shape(f"{title}, right", f"{description} On the person's own right.")


_DOWN, _UP = ("Down", "The brow comes down, as in anger."), ("Outer up", "The brow's outer end rises.")


class BrowShapes(Settings):
    browInnerUp: float = _shape("Inner up", "The inner ends of both brows rise, as in worry.")
    browDownLeft: float = _left(*_DOWN)
    browDownRight: float = _right(*_DOWN)
    browOuterUpLeft: float = _left(*_UP)
    browOuterUpRight: float = _right(*_UP)


_BLINK, _WIDE = ("Blink", "The lid closes; from 1 on it is closed."), ("Wide", "The lids open further.")
_SQUINT = ("Squint", "The lower lid rises.")
_LOOK_UP, _LOOK_DOWN = ("Look up", "The eye turns up."), ("Look down", "The eye turns down, and the lid with it.")
_LOOK_IN, _LOOK_OUT = ("Look in", "The eye turns to the nose."), ("Look out", "The eye turns away from the nose.")


class EyeShapes(Settings):
    eyeBlinkLeft: float = _left(*_BLINK)
    eyeBlinkRight: float = _right(*_BLINK)
    eyeWideLeft: float = _left(*_WIDE)
    eyeWideRight: float = _right(*_WIDE)
    eyeSquintLeft: float = _left(*_SQUINT)
    eyeSquintRight: float = _right(*_SQUINT)
    eyeLookUpLeft: float = _left(*_LOOK_UP)
    eyeLookUpRight: float = _right(*_LOOK_UP)
    eyeLookDownLeft: float = _left(*_LOOK_DOWN)
    eyeLookDownRight: float = _right(*_LOOK_DOWN)
    eyeLookInLeft: float = _left(*_LOOK_IN)
    eyeLookInRight: float = _right(*_LOOK_IN)
    eyeLookOutLeft: float = _left(*_LOOK_OUT)
    eyeLookOutRight: float = _right(*_LOOK_OUT)


_CHEEK, _SNEER = ("Cheek raised", "The cheek rises to the eye."), ("Nose wrinkled", "The wing of the nose and the lip rise.")


class CheekShapes(Settings):
    cheekPuff: float = _shape("Puffed", "Both cheeks fill with air.")
    cheekSquintLeft: float = _left(*_CHEEK)
    cheekSquintRight: float = _right(*_CHEEK)
    noseSneerLeft: float = _left(*_SNEER)
    noseSneerRight: float = _right(*_SNEER)


class JawShapes(Settings):
    jawOpen: float = _shape("Open", "The jaw drops; between lips that were closed teeth and tongue are hinted at.")
    jawForward: float = _shape("Forward", "The jaw comes forward.")
    jawLeft: float = _shape("To the left", "The jaw goes to the person's own left.")
    jawRight: float = _shape("To the right", "The jaw goes to the person's own right.")


_SMILE, _FROWN = ("Smile", "The corner of the mouth goes out and up."), ("Frown", "The corner of the mouth goes down.")
_DIMPLE, _STRETCH = ("Dimple", "The corner goes out and back."), ("Stretch", "The corner goes far out.")
_PRESS = ("Press", "The lips press together.")
_UPPER, _LOWER = ("Upper lip up", "The upper lip rises off the teeth."), ("Lower lip down", "The lower lip comes off the teeth.")


class MouthShapes(Settings):
    mouthSmileLeft: float = _left(*_SMILE)
    mouthSmileRight: float = _right(*_SMILE)
    mouthFrownLeft: float = _left(*_FROWN)
    mouthFrownRight: float = _right(*_FROWN)
    mouthDimpleLeft: float = _left(*_DIMPLE)
    mouthDimpleRight: float = _right(*_DIMPLE)
    mouthStretchLeft: float = _left(*_STRETCH)
    mouthStretchRight: float = _right(*_STRETCH)
    mouthPressLeft: float = _left(*_PRESS)
    mouthPressRight: float = _right(*_PRESS)
    mouthUpperUpLeft: float = _left(*_UPPER)
    mouthUpperUpRight: float = _right(*_UPPER)
    mouthLowerDownLeft: float = _left(*_LOWER)
    mouthLowerDownRight: float = _right(*_LOWER)
    mouthClose: float = _shape("Close", "Lips that are apart come together; at 1 they meet.")
    mouthFunnel: float = _shape("Funnel", "The lips make an open ring, as for oh.")
    mouthPucker: float = _shape("Pucker", "The lips make a kiss.")
    mouthLeft: float = _shape("To the left", "The mouth goes to the person's own left.")
    mouthRight: float = _shape("To the right", "The mouth goes to the person's own right.")
    mouthRollUpper: float = _shape("Roll upper", "The upper lip rolls in.")
    mouthRollLower: float = _shape("Roll lower", "The lower lip rolls in.")
    mouthShrugUpper: float = _shape("Shrug upper", "The upper lip is pushed up.")
    mouthShrugLower: float = _shape("Shrug lower", "The lower lip is pushed up, and the chin with it.")


Mood = Literal["none", "neutral", "happy", "sad", "surprised", "angry", "disgusted", "afraid", "sleepy", "wink", "kiss"]

_MOODS: dict[str, dict[str, float]] = {
    "happy": {"mouthSmile": 0.95, "cheekSquint": 0.6, "mouthUpperUp": 0.15, "browOuterUp": 0.15},
    "sad": {"browInnerUp": 0.9, "mouthFrown": 0.8, "mouthShrugLower": 0.4, "eyeBlink": 0.15, "eyeLookDown": 0.25},
    "surprised": {"browInnerUp": 0.9, "browOuterUp": 0.9, "eyeWide": 1.0, "jawOpen": 0.5, "mouthFunnel": 0.3},
    "angry": {"browDown": 1.1, "eyeSquint": 0.35, "noseSneer": 0.6, "mouthPress": 0.6, "mouthFrown": 0.45},
    "disgusted": {"noseSneer": 1.1, "mouthUpperUp": 0.6, "browDown": 0.6, "mouthFrown": 0.4, "eyeSquint": 0.4},
    "afraid": {"browInnerUp": 1.1, "browOuterUp": 0.3, "eyeWide": 1.0, "mouthStretch": 0.7, "jawOpen": 0.15},
    "sleepy": {"eyeBlink": 0.6, "eyeLookDown": 0.2, "mouthFrown": 0.2, "browOuterUp": 0.25},
    "wink": {"eyeBlinkLeft": 1.0, "cheekSquintLeft": 0.8, "mouthSmileLeft": 0.9, "mouthSmileRight": 0.3, "browOuterUpRight": 0.3},
    "kiss": {"mouthPucker": 1.2, "eyeBlink": 0.5, "browInnerUp": 0.2},
}
"""Names without a side mean both."""

_CALMED = ("brow", "cheek", "mouthSmile", "mouthFrown", "mouthStretch", "mouthDimple", "mouthUpperUp", "mouthPress", "noseSneer")
"""Shapes that a neutral mood takes back, by how they begin; what speech needs, and blinks, stay."""


class ExpressionSettings(Settings):
    mood: Mood = Field(
        default="happy",
        title="Mood",
        description="A ready-made expression, added to the live one; neutral takes the live one back, but not speech or blinks.",
    )
    strength: float = Field(
        default=1.0, ge=0.0, le=MOST, title="Strength", description="How strong the mood is: 1 as drawn, more exaggerates."
    )
    brows: BrowShapes = Field(default=BrowShapes(), title="Brows", description="Added to the mood.")
    eyes: EyeShapes = Field(default=EyeShapes(), title="Eyes", description="Added to the mood.")
    cheeks: CheekShapes = Field(default=CheekShapes(), title="Cheeks and nose", description="Added to the mood.")
    jaw: JawShapes = Field(default=JawShapes(), title="Jaw", description="Added to the mood.")
    mouth: MouthShapes = Field(default=MouthShapes(), title="Mouth", description="Added to the mood.")


def weights_of(settings: ExpressionSettings) -> list[float]:
    """The 52 weights that the settings ask for, in the order of ``NAMES``, each at most ``MOST``; then, as the 53rd, how far
    the live expression is to be taken back, 0 to 1."""
    wanted = dict.fromkeys(NAMES, 0.0)
    for name, weight in _MOODS.get(settings.mood, {}).items():
        for one in (name, f"{name}Left", f"{name}Right"):
            if one in wanted:
                wanted[one] += weight * settings.strength
    for group in (settings.brows, settings.eyes, settings.cheeks, settings.jaw, settings.mouth):
        for name, weight in group:
            wanted[name] += weight
    calm = min(1.0, settings.strength) if settings.mood == "neutral" else 0.0
    return [*(min(weight, MOST) for weight in wanted.values()), calm]


CALMED = tuple(name.startswith(_CALMED) for name in NAMES)
"""Which of the 52 a neutral mood takes back."""
