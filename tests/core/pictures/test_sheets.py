"""Sheets pixel by pixel, with and without captions."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from PIL import Image, ImageDraw, ImageFont

from ebmsuite.errors import DataError
from ebmsuite.pictures.sheets import LINE, captioned, sheet, titled

CELLS = torch.tensor([[[1, 2]], [[3, 4]], [[5, 6]]], dtype=torch.uint8)  # three pictures of 1x2 pixels


def line(text: str) -> np.ndarray:
    """The text as Pillow draws it."""
    font = ImageFont.load_default()
    picture = Image.new("L", (int(np.ceil(font.getlength(text))), LINE), 255)
    ImageDraw.Draw(picture).text((0, 0), text, fill=0, font=font)
    return np.array(picture)


def test_a_sheet_is_filled_row_by_row() -> None:
    w = 255
    assert sheet(CELLS, columns=2, pad=1).tolist() == [
        [w, w, w, w, w, w, w],
        [w, 1, 2, w, 3, 4, w],
        [w, w, w, w, w, w, w],
        [w, 5, 6, w, w, w, w],
        [w, w, w, w, w, w, w],
    ]
    assert sheet(CELLS).shape == (2 * 3 + 2, 2 * 4 + 2)
    assert sheet(CELLS, columns=9).shape == (5, 3 * 4 + 2)


def test_one_picture_has_no_frame_and_colours_stay() -> None:
    assert sheet(CELLS[:1]).tolist() == [[1, 2]]
    colour = torch.arange(24, dtype=torch.uint8).view(4, 1, 2, 3)
    made = sheet(colour, 4, pad=1)
    assert made.shape == (3, 13, 3)
    assert made[1, 1:3].tolist() == colour[0, 0].tolist()
    assert (made[0] == 255).all()


def test_captions_stand_below_and_widen_the_cells() -> None:
    texts = ["1.5", "", "frog"]
    made = captioned(CELLS, texts)
    width = max(line(text).shape[1] for text in texts) + 4
    assert made.shape == (3, 1 + LINE, width)
    np.testing.assert_array_equal(made[2, 1:, 2:-2], line("frog"))
    left = (width - line("1.5").shape[1]) // 2
    np.testing.assert_array_equal(made[0, 1:, left : left + line("1.5").shape[1]], line("1.5"))
    assert (made[1, 1:] == 255).all()
    assert made[1, 0, (width - 2) // 2 : (width - 2) // 2 + 2].tolist() == [3, 4]
    assert (made[0] < 255).sum() > 10  # ink
    np.testing.assert_array_equal(sheet(CELLS, 3, captions=texts), sheet(made, 3))
    wide = captioned(torch.zeros(1, 3, 200, 3, dtype=torch.uint8), ["Ünïcode −1 …"])
    assert wide.shape == (1, 3 + LINE, 200, 3)
    assert (wide[0, :3] == 0).all()
    with pytest.raises(ValueError, match="1 captions for 3 pictures"):
        captioned(CELLS, ["a"])


def test_a_title_stands_above() -> None:
    made = titled(np.zeros((4, 50), np.uint8), "a title")
    assert made.shape == (4 + LINE, 50)
    assert (made[LINE:] == 0).all()
    assert (made[:LINE] < 255).any()
    np.testing.assert_array_equal(made, titled(np.zeros((4, 50), np.uint8), "a title"))


def test_sheets_that_cannot_be_made() -> None:
    with pytest.raises(DataError, match="at least one picture"):
        sheet(CELLS[:0])
    with pytest.raises(DataError, match="200 pictures of 1000x1000 is too large; draw fewer"):
        sheet(torch.zeros(1, 1, 1, dtype=torch.uint8).expand(200, 1000, 1000))
