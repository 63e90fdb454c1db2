"""Parts of the face as loops of landmarks. Left is the person's own left, as in ARKit's names."""

from __future__ import annotations

# fmt: off
FACE_OVAL = (
    10, 338, 297, 332, 284, 251, 389, 356, 454, 323, 361, 288, 397, 365, 379, 378, 400, 377,
    152, 148, 176, 149, 150, 136, 172, 58, 132, 93, 234, 127, 162, 21, 54, 103, 67, 109,
)
"""The rim of the mesh, from the middle of the forehead by the person's left to the chin (152) and back."""

LIPS_OUTER = (61, 146, 91, 181, 84, 17, 314, 405, 321, 375, 291, 409, 270, 269, 267, 0, 37, 39, 40, 185)
LIPS_INNER = (78, 95, 88, 178, 87, 14, 317, 402, 318, 324, 308, 415, 310, 311, 312, 13, 82, 81, 80, 191)
"""From the right corner along the lower lip to the left corner (index 10) and back along the upper one; the same places in
both loops."""

LEFT_EYE = (263, 249, 390, 373, 374, 380, 381, 382, 362, 398, 384, 385, 386, 387, 388, 466)
RIGHT_EYE = (33, 7, 163, 144, 145, 153, 154, 155, 133, 173, 157, 158, 159, 160, 161, 246)
"""From the outer corner along the lower lid to the inner corner (index 8) and back along the upper lid."""

LEFT_EYE_AROUND = (359, 255, 339, 254, 253, 252, 256, 341, 463, 414, 286, 258, 257, 259, 260, 467)
RIGHT_EYE_AROUND = (130, 25, 110, 24, 23, 22, 26, 112, 243, 190, 56, 28, 27, 29, 30, 247)
"""One ring further out than the lids, at the same places."""

LEFT_BROW = (300, 293, 334, 296, 336, 285, 295, 282, 283, 276)
RIGHT_BROW = (70, 63, 105, 66, 107, 55, 65, 52, 53, 46)
"""From the outer end along the upper edge to the inner end (index 4) and back along the lower edge."""

NOSE = (168, 351, 412, 343, 437, 420, 360, 278, 294, 327, 326, 2, 97, 98, 64, 48, 131, 198, 217, 114, 188, 122)
"""The bridge, the wings and the lower edge."""

LEFT_CHEEK = (345, 347, 330, 266, 425, 427, 411, 376, 352)
RIGHT_CHEEK = (116, 118, 101, 36, 205, 207, 187, 147, 123)
"""Where blush goes: below the eye, out to the cheekbone."""
# fmt: on

LEFT_IRIS, RIGHT_IRIS = (474, 475, 476, 477), (469, 470, 471, 472)
"""The rim of the iris; its centre is 473 on the left and 468 on the right."""

CHIN, NOSE_TIP, BRIDGE, FOREHEAD = 152, 1, 168, 10
