"""Can the chains of a run be trusted, and what does its energy mean? `diagnose` measures, says and writes a page.

`chains` runs the sampler far longer than it was run in learning, `volume` brackets log Z, `words` says what the
numbers mean, `page` draws them.
"""

from ebmsuite.diagnosis.chains import LongRun, Moment
from ebmsuite.diagnosis.diagnose import diagnose
from ebmsuite.diagnosis.record import Diagnosis
from ebmsuite.diagnosis.volume import Volume
from ebmsuite.diagnosis.words import Finding

__all__ = ["Diagnosis", "Finding", "LongRun", "Moment", "Volume", "diagnose"]
