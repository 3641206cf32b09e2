"""One table about all scans of a run, whoever read them: each process leaves its part, the last one joins them."""

import hashlib
import io
import json
import logging
from collections.abc import Sequence
from importlib.util import find_spec
from typing import Any

from hf_mri.modeling.mri_reading import Reading
from hf_mri.predict.scan_list import Job
from hf_mri.reports.headline import write_finding, write_remark
from hf_mri.storage.outputs import Output
from hf_mri.storage.places import Place
from hf_mri.storage.processes import Share
from hf_mri.tasks.registry import find_task

logger = logging.getLogger(__name__)

SUMMARY = "summary.parquet"
PARTS = ".summary"

Row = dict[str, Any]


def describe_reading(name: str, reading: Reading) -> Row:
    """One scan's row: what was found, how large, how sure, and what is doubtful."""
    facts = reading.to_dict()
    row = {
        "scan": name,
        "status": "read",
        "finding": write_finding(facts),
        "remark": write_remark(facts),
        "slices": len(facts["slices"]),
        "positive_slices": sum(page["positive"] for page in facts["slices"]),
        "phases": facts["phases"],
        "confidence": facts["confidence"],
        "novelty": facts["novelty"],
        "doubts": " ".join(facts["doubts"]),
        "warnings": " ".join(facts["warnings"]),
    }
    for label, volume in facts["volumes"][0].items() if facts["phases"] == 1 else ():
        row |= {f"{label}_voxels": volume["voxels"], f"{label}_ml": volume["ml"]}
    labels = facts["labels"] or [facts["finding"] or "finding"]
    for label, measures in find_task(labels).measure(facts).items():
        row |= {f"{label}_{measure.name}".replace(" ", "_"): measure.value for measure in measures}
    return row


def describe_failure(name: str, reason: str) -> Row:
    """The row of a scan that could not be read or written."""
    return {"scan": name, "status": "failed", "reason": reason}


def write_summary(
    output: Output, jobs: Sequence[Job], rows: Sequence[Row], share: Share
) -> tuple[Place, list[Row]] | None:
    """Leave this process's rows; the process that finds all parts there joins them.

    No process waits for another, so the parts may as well come from machines that know nothing of each other.

    Args:
        output: of the run.
        jobs: of all processes: parts of another list of scans are not joined.
        rows: of this process's scans.
        share: which of how many processes this is.

    Returns:
        The table's place and all rows; None of a single scan, and where other processes are still reading.
    """
    if len(jobs) == 1:
        return None
    if find_spec("pyarrow") is None:
        logger.warning('no %s is written: it needs pyarrow; pip install "hf_mri[train]"', SUMMARY)
        return None
    run = hashlib.sha256(repr([job.place for job in jobs]).encode()).hexdigest()[:12]
    parts = [f"{PARTS}/{run}-{rank + 1}-of-{share.count}.json" for rank in range(share.count)]
    if share.count > 1:
        output.write(parts[share.rank], json.dumps(list(rows)).encode())
        found = [output.read(part) for part in parts]
        if None in found:
            return None
        rows = [row for content in found for row in json.loads(content or b"[]")]
    order = {job.name: number for number, job in enumerate(jobs)}
    rows = sorted(rows, key=lambda row: order[row["scan"]])
    return output.write(SUMMARY, _to_parquet(rows)), rows


def _to_parquet(rows: list[Row]) -> bytes:
    """A table with every column that a row has; what a scan does not have is empty there."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    columns = dict.fromkeys(column for row in rows for column in row)
    table = pa.table({column: [row.get(column) for row in rows] for column in columns})
    sink = io.BytesIO()
    pq.write_table(table, sink)
    return sink.getvalue()
