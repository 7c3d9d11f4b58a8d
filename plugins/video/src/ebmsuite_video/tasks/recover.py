"""The task ``video/recover``: a film with its hidden part recovered."""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass
from pathlib import Path

import torch

from ebmsuite.dataset import first, split_of
from ebmsuite.errors import DataError, UserError
from ebmsuite.files import output, printable
from ebmsuite.model import Facts, Model
from ebmsuite.pictures.picture_files import FILMS
from ebmsuite.space import Batch
from ebmsuite_video.codec import Frames
from ebmsuite_video.data.clip import hidden_part
from ebmsuite_video.drawing import write_frames_and_slices
from ebmsuite_video.energies import GREY
from ebmsuite_video.media import WRITTEN, read_film

__all__ = ["Recover"]


@dataclass(frozen=True)
class Recover:
    """Write the film ``inputs`` with the part recovered that the film or picture ``mask`` shows in white.

    The trainer of the model must be able to recover hidden coordinates: ``unrolled``, ``incomplete``, or ``likelihood``
    with ``convnet-filling``. Without an input, the clip that the model learned from is recovered; a model learns from
    a film and a mask of your own by ``data.data.of: {name: video/clip, path: ..., mask: ...}``. A mask may follow an
    object: it is then a film of as many frames as a clip.

    The film has the size and the number of frames of the model, and the frame rate of the input. Beside ``out``, there
    are a contact sheet (-frames.png) and slices through space and time (-slices.png) of the damaged and the recovered
    clip. ``start`` is the first frame.
    """

    mask: str | None = None
    start: int = 0

    def __call__(self, model: Model, inputs: Path | None, out: Path, rng: torch.Generator) -> Facts:
        path = output(out, (*FILMS, *WRITTEN, ".npz"), "video/recover")
        codec = model.codec_as(Frames)
        batch, codec, name = self._given(model, codec, inputs)
        x = model.trainer.recover(batch.to(model.device), rng).cpu()
        assert batch.known is not None  # recover is an error without
        codec.write(x, path)
        hidden = ~batch.known
        shown = torch.where(batch.known, batch.x, -1 - codec.mean)
        clips, captions = torch.cat([shown, x]), ["damaged"] * len(x) + ["recovered"] * len(x)
        facts: Facts = {
            "film": name,
            "frames": codec.length,
            "frames per second": codec.fps,
            "hidden": round(float(hidden.double().mean()), 4),
        }
        if batch.truth is not None:
            error = GREY * (x.double() - batch.truth.double()).abs()[hidden]
            facts["mean absolute error (0..255)"] = round(float(error.mean()), 3)
            clips, captions = torch.cat([clips, batch.truth]), [*captions, *["truth"] * len(x)]
        beside = [path.with_name(f"{path.stem}-{what}.png") for what in ("frames", "slices")]
        write_frames_and_slices(codec, clips, captions, *beside)
        return facts

    def _given(self, model: Model, codec: Frames, inputs: Path | None) -> tuple[Batch, Frames, str]:
        """The damaged clips, the codec with their rate, and a name for messages."""
        if inputs is None:
            if self.mask is not None:
                raise UserError("video/recover: name the film that the mask belongs to, or leave out the mask")
            return first(split_of(model.data, "train")), codec, "the training clip"
        if self.mask is None:
            raise UserError('video/recover: set "mask" to a film or picture that is white where the film is hidden')
        film = read_film(inputs, self.start, codec.length)
        if len(film.frames) < codec.length:
            raise DataError(
                f"{printable(inputs)}: {len(film.frames)} frames from frame {self.start} are too few; the clips of "
                f"this model have {codec.length}"
            )
        codec = dataclasses.replace(codec, fps=film.fps or codec.fps)
        x = codec.events(codec.pixels(film)[None])
        known = ~hidden_part(Path(self.mask), codec, self.start)[None].expand_as(x)
        return Batch(x * known, known=known), codec, printable(inputs.name)
