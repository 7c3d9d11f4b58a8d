"""Pictures of events, drawn by their codec (`ebmsuite.dataset.Shows`, `ebmsuite.dataset.Films`)."""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from ebmsuite.dataset import Codec, Films, Shows
from ebmsuite.errors import PluginError, UserError
from ebmsuite.pictures.picture_files import FILMS, write_film, write_png
from ebmsuite.pictures.sheets import sheet
from ebmsuite.space import Batch

__all__ = ["check_drawable", "draw", "drawn_by", "film_events", "write_events"]


def check_drawable(codec: Codec | None, what: str) -> Shows:
    """Return the codec if it can draw events. `UserError` if not; ``what`` is the name of a component in the message.

    Call this before the work starts.
    """
    if isinstance(codec, Shows):
        return codec
    lacks = "these events have no codec" if codec is None else f'the codec "{codec.name}" has no method show'
    raise UserError(f"{what} draws events, but {lacks}; docs/plugins.md, section Pictures, describes the method")


def draw(codec: Codec | None, x: Tensor, batch: Batch | None = None) -> Tensor:
    """Draw events x [N, *event]: uint8 [N, H, W] or [N, H, W, 3], on the CPU. ``batch`` is that of the same rows.

    Errors: `UserError` if the codec cannot draw, `PluginError` if what it draws has another type or shape.
    """
    made = check_drawable(codec, "a picture").show(x.detach().cpu(), None if batch is None else batch.to("cpu"))
    return _checked(made, len(x), 3, codec, "show")


def film_events(codec: Films, x: Tensor) -> Tensor:
    """Draw events x [N, *event] that are films: uint8 [N, T, H, W] or [N, T, H, W, 3], on the CPU."""
    return _checked(codec.frames(x.detach().cpu()), len(x), 4, codec, "frames")


def drawn_by(codec: Codec | None, ending: str) -> bool:
    """Whether `write_events` can write events of this codec to a file with this ending (lower case, with the dot)."""
    return isinstance(codec, Shows) if ending == ".png" else ending in FILMS and isinstance(codec, Films)


def write_events(
    codec: Codec | None, x: Tensor, path: Path, columns: int | None = None, batch: Batch | None = None
) -> None:
    """Draw events x [N, *event] to a file: a sheet (.png), or a sheet of films that all play at once (`FILMS`).

    ``batch`` is that of the same rows. A codec with an attribute ``fps`` sets the frames per second.
    """
    if path.suffix.lower() == ".png":
        write_png(sheet(draw(codec, x, batch), columns), path)
    elif isinstance(codec, Films):
        films = film_events(codec, x)
        pictures = [sheet(films[:, t], columns) for t in range(films.shape[1])]
        rate = getattr(codec, "fps", None)
        if rate is None:
            write_film(pictures, path)
        else:
            write_film(pictures, path, 1000 / rate, 1000 / rate)
    else:
        raise UserError(f"{path}: a moving picture of events needs a codec with a method frames")


def _checked(made: object, n: int, axes: int, codec: object, method: str) -> Tensor:
    named = f'codec "{getattr(codec, "name", type(codec).__name__)}": {method}'
    shape = ", ".join(["N", *(["T"] if axes == 4 else []), "H", "W"])
    wanted = f"must return uint8 [{shape}] or [{shape}, 3]"
    if not isinstance(made, Tensor):
        raise PluginError(f"{named} {wanted}, not {type(made).__name__}")
    fits = made.dim() == axes or (made.dim() == axes + 1 and made.shape[-1] == 3)
    if made.dtype != torch.uint8 or not fits or len(made) != n or (n and made.numel() == 0):
        raise PluginError(f"{named} {wanted} with N = {n}, not {made.dtype} {list(made.shape)}")
    return made.cpu()
