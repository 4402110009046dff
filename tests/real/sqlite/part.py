"""SQLite: another program opens the sandbox's database, also while it is written to, and finds the points."""

import sqlite3
import tempfile
from pathlib import Path

from stage.sandbox import GRID, NEXT, NOW, Sandbox, second
from stage.verdicts import check, equal, main

STORED = """
    SELECT s.metric, s.tags, p.ts, p.value FROM series s JOIN points p ON p.series = s.id
"""


def rows(database, query, *values):
    """What a reader that may not write finds."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        return connection.execute(query, values).fetchall()


def part():
    """Two runs, read back beside the sandbox and after it has ended."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "datadog.sqlite"
        said = {}
        with Sandbox("--at", NOW, "--db", database) as sandbox:
            for at in (NOW, NEXT):
                run = sandbox.collect(folder, at)
                check(f"the run at {at} delivers", run.report is not None and run.report["delivery"], run.said)
                samples = run.report["samples"]
                said[second(at)] = {
                    (one["metric"], one["tags"].get("repo")): one["value"]
                    for one in samples
                    if one["kind"] == "gauge" and one["metric"].startswith("github.prs.")
                }
                check(
                    "the database can be read while the sandbox runs",
                    rows(database, "SELECT count(*) FROM points")[0][0] > 100,
                )
                sandbox.advance(GRID)
        equal("it is sound", rows(database, "PRAGMA integrity_check"), [("ok",)])
        for stamp, wanted in said.items():
            stored = {
                (metric, dict(tag.split(":", 1) for tag in tags.split(",")).get("repo")): value
                for metric, tags, ts, value in rows(
                    database, STORED + "WHERE p.ts = ? AND s.metric LIKE 'github.prs.%'", stamp
                )
            }
            different = {key: (value, stored.get(key)) for key, value in wanted.items() if stored.get(key) != value}
            check(
                f"it holds the {len(wanted)} gauges of pull requests at {stamp} as they were said",
                wanted and not different,
                different,
            )
        twice = rows(database, "SELECT series, ts FROM points GROUP BY series, ts HAVING count(*) > 1")
        check("no series has two values for one second", not twice, twice[:3])
        unknown = rows(database, "SELECT metric FROM series WHERE metric NOT IN (SELECT name FROM metrics)")
        check("every series belongs to a metric", not unknown, unknown[:3])
        kinds = dict(rows(database, "SELECT type, count(*) FROM metrics GROUP BY type"))
        check("gauges and counts have their type", kinds.get("gauge", 0) > 20 and kinds.get("count", 0) > 0, kinds)


main(part)
