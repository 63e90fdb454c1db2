"""What a mouth does for each sound of speech.

The 15 visemes are those of MPEG-4's face animation (ISO/IEC 14496-2, table C-1) as VR toolkits have them; the phones are
ARPAbet's, as the recogniser and CMU's synthesizers name them. The amounts are tuned on the mesh and against the tracker.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from transforms.faces.blendshapes import NAMES

Weights = NDArray[np.float64]
"""(52,) in the order of ``NAMES``."""


class Viseme(NamedTuple):
    """A mouth, and how much it has its way against the sounds before and after."""

    weights: Weights
    dominance: float
    """Of 1 for a vowel; lips that must meet, or the teeth on the lip, win over whatever is next to them."""
    reach: float
    """s outside of its sound in which it fades to 37 %."""


def _viseme(dominance: float, reach: float, **amounts: float) -> Viseme:
    """Names without a side mean both."""
    weights = np.zeros(len(NAMES))
    for name, amount in amounts.items():
        places = [NAMES.index(one) for one in (name, f"{name}Left", f"{name}Right") if one in NAMES]
        assert places, name
        weights[places] = amount
    weights.setflags(write=False)
    return Viseme(weights, dominance, reach)


VISEMES = {
    "sil": _viseme(0.8, 0.035),
    "PP": _viseme(9.0, 0.018, mouthPress=0.35, mouthRollLower=0.15, mouthRollUpper=0.12),
    "FF": _viseme(3.0, 0.025, jawOpen=0.06, mouthRollLower=0.45, mouthUpperUp=0.3),
    "TH": _viseme(1.2, 0.03, jawOpen=0.17, mouthLowerDown=0.2),
    "DD": _viseme(1.0, 0.03, jawOpen=0.14, mouthLowerDown=0.2, mouthStretch=0.1),
    "kk": _viseme(0.8, 0.035, jawOpen=0.2, mouthLowerDown=0.15),
    "CH": _viseme(1.5, 0.04, jawOpen=0.13, mouthFunnel=0.45, mouthPucker=0.15),
    "SS": _viseme(1.5, 0.03, jawOpen=0.08, mouthLowerDown=0.3, mouthUpperUp=0.15, mouthStretch=0.25),
    "nn": _viseme(0.9, 0.03, jawOpen=0.14, mouthLowerDown=0.15),
    "RR": _viseme(0.9, 0.045, jawOpen=0.17, mouthFunnel=0.3, mouthPucker=0.2),
    "aa": _viseme(1.0, 0.045, jawOpen=0.45, mouthLowerDown=0.15, mouthUpperUp=0.12),
    "E": _viseme(1.0, 0.04, jawOpen=0.3, mouthStretch=0.3, mouthLowerDown=0.2, mouthUpperUp=0.15),
    "ih": _viseme(1.0, 0.04, jawOpen=0.19, mouthStretch=0.4, mouthLowerDown=0.2, mouthUpperUp=0.15),
    "oh": _viseme(1.1, 0.05, jawOpen=0.34, mouthFunnel=0.5, mouthPucker=0.1),
    "ou": _viseme(1.3, 0.05, jawOpen=0.13, mouthFunnel=0.3, mouthPucker=0.55),
}

_PHONES = {
    "sil": "SIL PAU",
    "PP": "P B M",
    "FF": "F V",
    "TH": "TH DH",
    "DD": "T D",
    "kk": "K G NG HH",
    "CH": "CH JH SH ZH",
    "SS": "S Z",
    "nn": "N L",
    "RR": "R ER AXR",
    "aa": "AA AE AH AX",
    "E": "EH",
    "ih": "IH IY Y",
    "oh": "AO",
    "ou": "UW UH W",
}

_OF = {phone: viseme for viseme, phones in _PHONES.items() for phone in phones.split()}

_GLIDES = {"AY": ("aa", "ih"), "AW": ("aa", "ou"), "EY": ("E", "ih"), "OW": ("oh", "ou"), "OY": ("oh", "ih")}
"""Diphthongs, from one mouth to another."""

TURN = 0.6
"""Of a diphthong that is its first vowel."""


class Phone(NamedTuple):
    """Something said; times in s."""

    begin: float
    end: float
    name: str
    """ARPAbet, upper case; SIL for silence. What the recogniser takes for noise (+NSN+) is silence too."""


class Articulation(NamedTuple):
    """A viseme from one time to another, s."""

    begin: float
    end: float
    viseme: Viseme


def articulations(phones: list[Phone]) -> list[Articulation]:
    """The mouths of phones: one for each, two for a diphthong."""
    said = []
    for begin, end, name in phones:
        if name in _GLIDES:
            first, second = _GLIDES[name]
            turn = begin + TURN * (end - begin)
            said += [Articulation(begin, turn, VISEMES[first]), Articulation(turn, end, VISEMES[second])]
        else:
            said.append(Articulation(begin, end, VISEMES[_OF.get(name, "sil")]))
    return said


def blended(said: list[Articulation], times: NDArray[np.float64]) -> NDArray[np.float64]:
    """(n, 52) the mouths at n times: every sound near to one has a say, by its dominance and by how far away it is.

    Source: Cohen and Massaro, "Modeling Coarticulation in Synthetic Visual Speech", 1993.
    """
    if not said:
        return np.zeros((len(times), len(NAMES)))
    begin, end, visemes = zip(*said, strict=True)
    dominance, reach = np.array([(viseme.dominance, viseme.reach) for viseme in visemes]).T
    middle, length = (np.array(end) + np.array(begin)) / 2, np.array(end) - np.array(begin)
    # Its core is half of it: at the edges both neighbours are heard.
    away = np.maximum(0.0, np.abs(times[:, None] - middle) - length / 4)
    shares = dominance * np.exp(-away / reach)
    weights = np.stack([viseme.weights for viseme in visemes])
    return np.asarray(shares @ weights / (shares.sum(1, keepdims=True) + 1e-6))
