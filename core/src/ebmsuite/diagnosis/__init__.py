"""Diagnosis of a run: whether its chains converge, and whether its energy is a log-density.

`diagnose` does all of it and writes a page. The module `chains` runs the sampler far longer than training does,
`volume` bounds log Z, `words` interprets the numbers, and `page` draws them.
"""

from ebmsuite.diagnosis.diagnose import diagnose
from ebmsuite.diagnosis.long_run import LongRun, Moment
from ebmsuite.diagnosis.record import Diagnosis
from ebmsuite.diagnosis.volume import Volume
from ebmsuite.diagnosis.words import Finding

__all__ = ["Diagnosis", "Finding", "LongRun", "Moment", "Volume", "diagnose"]
