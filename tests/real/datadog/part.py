"""Datadog: what our collector sends, and what the sandbox takes, refuses and answers, against Datadog's OpenAPI documents."""

import copy
import gzip
import json
import re
import tempfile
import urllib.error
import urllib.request
import zlib
from urllib.parse import quote

from schema import Documents

from stage.recorder import Recorder
from stage.sandbox import GRID, NEXT, NOW, Sandbox, second
from stage.verdicts import check, equal, main

SERIES, DISTRIBUTIONS = "/api/v2/series", "/api/v1/distribution_points"
SECOND = second(NOW)


def normal(name):
    """A metric's name after the rules that Datadog publishes for its own."""
    name = re.sub(r"[^a-zA-Z0-9_.]+|^[^a-zA-Z]+", "_", name)
    return re.sub(r"_*\._*", ".", name).strip("_")


def is_fixed_tag(tag):
    """Whether Datadog would store the tag as it is."""
    return len(tag) <= 200 and re.fullmatch(r"[a-z][a-z0-9_\-./:]*[^:]", tag) is not None


def payloads(documents):
    """What two runs of our collector send, strictly."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Sandbox("--at", NOW) as sandbox,
        Recorder(sandbox.settings["DATADOG_URL"]) as recorder,
    ):
        for at in (NOW, NEXT):
            run = sandbox.collect(folder, at, DATADOG_URL=recorder.url, GITHUB_RUNNERS="on", GITHUB_QUEUE_TIME="on")
            check(f"the run at {at} delivers", run.report is not None and run.report["delivery"], run.said)
            sandbox.advance(GRID)
        exchanges = recorder.exchanges
    for path, name in ((SERIES, "series"), (DISTRIBUTIONS, "distributions")):
        sent = [exchange for exchange in exchanges if exchange.path == path]
        wrong = [problem for exchange in sent for problem in documents.request("POST", path, exchange.json())]
        check(f"{len(sent)} payloads of {name} are valid, strictly", sent and not wrong, "\n".join(wrong[:5]))
        wrong = [problem for one in sent for problem in documents.answer("POST", path, one.status, one.answer_json())]
        check(
            f"each is answered as documented, with 202 ({name})",
            not wrong and {one.status for one in sent} == {202},
            wrong[:5],
        )
    rows = [series for one in exchanges for series in (one.json()["series"] if one.method == "POST" else [])]
    check(f"{len(rows)} series were sent", len(rows) > 100)
    wrong = {row["metric"] for row in rows if normal(row["metric"]) != row["metric"] or len(row["metric"]) > 200}
    check("every name stays as it is in Datadog", not wrong, wrong)
    wrong = {tag for row in rows for tag in row["tags"] if not is_fixed_tag(tag)}
    check("every tag stays as it is in Datadog", not wrong, wrong)
    wrong = [row for row in rows if row["tags"] != sorted(set(row["tags"]))]
    check("tags are sorted and unique", not wrong, wrong[:3])
    kinds = {(row.get("type"), row.get("interval")) for row in rows}
    equal("counts are type 1 with their interval, gauges type 3", kinds, {(1, GRID), (3, None), ("distribution", None)})
    stamps = [point["timestamp"] if isinstance(point, dict) else point[0] for row in rows for point in row["points"]]
    check("every point is on the grid", not [stamp for stamp in stamps if stamp % GRID], stamps[:3])
    seen, twice = set(), set()
    for exchange in (one for one in exchanges if one.path == SERIES):
        for row in exchange.json()["series"]:
            for point in row["points"]:
                key = (row["metric"], *row["tags"], point["timestamp"], row["type"] == 1)
                # A count of an earlier slot is sent again by the next run: it is a recount.
                (twice if key in seen and row["type"] != 1 else seen).add(key)
    check("no gauge is sent twice for one second", not twice, sorted(twice)[:3])


class Intake:
    """The sandbox's Datadog."""

    def __init__(self, sandbox, documents):
        self.base, self.settings, self.documents = sandbox.settings["DATADOG_URL"], sandbox.settings, documents

    def ask(self, method, path, body=None, headers=None, key=None):
        """Status and JSON of an answer, which is held against its description."""
        keys = {
            "dd-api-key": key or self.settings["DD_API_KEY"],
            "dd-application-key": self.settings.get("DD_APP_KEY", ""),
        }
        sent = {"content-type": "application/json", **keys, **(headers or {})}
        sent = {name: value for name, value in sent.items() if value is not None}
        request = urllib.request.Request(self.base + path, data=body, headers=sent, method=method)
        try:
            answer = urllib.request.urlopen(request, timeout=60)
        except urllib.error.HTTPError as error:
            answer = error
        with answer:
            text = answer.read()
        try:
            value = json.loads(text)
        except ValueError:
            return answer.status, text, [f"an answer that is no JSON: {text[:200]}"]
        return answer.status, value, self.documents.answer(method, path, answer.status, value)

    def submit(self, path, value, headers=None, key=None):
        """The same for a payload, as Python value or as bytes."""
        body = value if isinstance(value, bytes) else json.dumps(value).encode()
        return self.ask("POST", path, body, headers, key)


def changed(value, at, new):
    """A copy with one place changed; `...` removes it."""
    value = copy.deepcopy(value)
    *way, last = at
    place = value
    for step in way:
        place = place[step]
    if new is ...:
        del place[last]
    else:
        place[last] = new
    return value


GOOD = {
    SERIES: {
        "series": [
            {
                "metric": "test.level",
                "type": 3,
                "points": [{"timestamp": SECOND, "value": 1.5}],
                "tags": ["repo:acme/web"],
            }
        ]
    },
    DISTRIBUTIONS: {"series": [{"metric": "test.hours", "points": [[SECOND, [1.5, 2.0]]], "tags": ["repo:acme/web"]}]},
}
ROW = ("series", 0)
POINT = (*ROW, "points", 0)

# A place in the payload above, what is put there, and whether Datadog's description allows it.
CHANGES = {
    SERIES: [
        (("series",), ...),
        (("series",), None),
        (("series",), {}),
        ((*ROW, "metric"), ...),
        ((*ROW, "metric"), 7),
        ((*ROW, "metric"), None),
        ((*ROW, "points"), ...),
        ((*ROW, "points"), {}),
        (POINT, 1.5),
        ((*POINT, "value"), "1.5"),
        ((*POINT, "value"), None),
        ((*POINT, "timestamp"), str(SECOND)),
        ((*POINT, "timestamp"), SECOND + 0.5),
        ((*ROW, "type"), "gauge"),
        ((*ROW, "type"), 4),
        ((*ROW, "type"), -1),
        ((*ROW, "tags"), "repo:acme/web"),
        ((*ROW, "tags"), [7]),
        ((*ROW, "interval"), "900"),
        ((*ROW, "unit"), 7),
        ((*ROW, "resources"), "host"),
        ((*ROW, "resources"), [{"name": 7, "type": "host"}]),
        ((*ROW, "source_type_name"), 7),
        ((*ROW, "metadata"), {"origin": {"product": 1001}}),
        ((*ROW, "metadata"), {"origin": {"product": "x"}}),
        ((*ROW, "metadata"), {"origin": {"product": 12, "metric_type": 0, "service": 3}}),
        ((*ROW, "type"), 0),
        ((*ROW, "type"), 2),
        ((*ROW, "tags"), ...),
        ((*ROW, "interval"), 900),
        ((*ROW, "unit"), "hour"),
        ((*ROW, "resources"), [{"name": "web-1", "type": "host"}]),
        ((*POINT, "value"), 2),
    ],
    DISTRIBUTIONS: [
        (("series",), ...),
        (("series",), {}),
        ((*ROW, "metric"), ...),
        ((*ROW, "metric"), 7),
        ((*ROW, "points"), ...),
        ((*ROW, "points"), {}),
        (POINT, [SECOND]),
        (POINT, [SECOND, [1.5], [2.5]]),
        (POINT, ["now", [1.5]]),
        (POINT, [SECOND, ["1.5"]]),
        (POINT, [SECOND, None]),
        ((*ROW, "type"), "gauge"),
        ((*ROW, "tags"), "repo:acme/web"),
        ((*ROW, "host"), 7),
        ((*ROW, "host"), "web-1"),
        ((*ROW, "type"), "distribution"),
        ((*ROW, "tags"), ...),
    ],
}


def submissions(intake):
    """What the sandbox takes and refuses is what Datadog describes."""
    documents = intake.documents
    for path, good in GOOD.items():
        status, _, wrong = intake.submit(path, good)
        check(f"{path} takes a good payload", status == 202 and not wrong, (status, wrong))
        for at, new in CHANGES[path]:
            value = changed(good, at, new)
            wanted = 400 if documents.request("POST", path, value, strict=False) else 202
            status, answer, wrong = intake.submit(path, value)
            what = f"{'.'.join(map(str, at))} {'removed' if new is ... else json.dumps(new)}"
            check(f"{path} answers {wanted} to {what}", status == wanted and not wrong, (status, answer, wrong))
        for what, body, headers, wanted in [
            ("text that is no JSON", b"{", {}, 400),
            ("a value that is not finite", json.dumps(good).replace("1.5", "NaN").encode(), {}, 400),
            (
                "an unpacked body that says it is packed",
                json.dumps(good).encode(),
                {"content-encoding": "deflate"},
                400,
            ),
            ("a deflated body", zlib.compress(json.dumps(good).encode()), {"content-encoding": "deflate"}, 202),
        ]:
            status, answer, wrong = intake.submit(path, body, headers)
            check(f"{path} answers {wanted} to {what}", status == wanted and not wrong, (status, answer, wrong))
        status, answer, wrong = intake.submit(path, good, key="0" * 32)
        check(f"{path} answers 403 to an unknown key", status == 403 and not wrong, (status, answer, wrong))
    status, answer, wrong = intake.submit(
        SERIES, gzip.compress(json.dumps(GOOD[SERIES]).encode()), {"content-encoding": "gzip"}
    )
    check(f"{SERIES} takes a gzipped body", status == 202 and not wrong, (status, answer, wrong))
    row = GOOD[SERIES]["series"][0]
    large = json.dumps({"series": [row] * (5_242_880 // len(json.dumps(row)) + 1)}).encode()
    status, answer, wrong = intake.submit(SERIES, gzip.compress(large), {"content-encoding": "gzip"})
    check(
        f"{SERIES} answers 413 to more than 5,242,880 bytes unpacked",
        status == 413 and not wrong,
        (status, answer, wrong),
    )
    status, answer, wrong = intake.submit(SERIES, large[: large.rfind(b"{", 0, 512_000)] + b" " * 2000)
    check(
        f"{SERIES} answers 413 to more than 512,000 bytes as sent", status == 413 and not wrong, (status, answer, wrong)
    )


def reads(intake):
    """What the sandbox answers to questions is described by Datadog, and what was sent comes back."""
    points = [{"timestamp": SECOND + step * GRID, "value": float(step)} for step in (-2, -1, 0)]
    sent = {"series": [{"metric": "test.read", "type": 3, "points": points, "tags": ["repo:acme/web"], "unit": "hour"}]}
    status, answer, wrong = intake.submit(SERIES, sent)
    check("three points are taken", status == 202 and not wrong, answer)
    window, query = (SECOND - 3600, SECOND + 60), "avg:test.read{*} by {repo}"
    path = f"/api/v1/query?from={window[0]}&to={window[1]}&query={quote(query)}"
    status, answer, wrong = intake.ask("GET", path)
    found = [value for series in answer.get("series", []) for _, value in series["pointlist"]] if status == 200 else []
    check(
        "GET /api/v1/query answers as described, with what was sent",
        found == [-2.0, -1.0, 0.0] and not wrong,
        (answer, wrong),
    )
    attributes = {
        "from": window[0] * 1000,
        "to": window[1] * 1000,
        "interval": GRID * 1000,
        "queries": [{"data_source": "metrics", "query": query, "name": "a"}],
        "formulas": [{"formula": "a"}],
    }
    for kind in ("timeseries", "scalar"):
        asked = copy.deepcopy(attributes)
        if kind == "scalar":
            del asked["interval"]
            asked["queries"][0]["aggregator"] = "last"
        body = {"data": {"type": f"{kind}_request", "attributes": asked}}
        path = f"/api/v2/query/{kind}"
        equal(f"our question to {path} is valid, strictly", intake.documents.request("POST", path, body), [])
        status, answer, wrong = intake.ask("POST", path, json.dumps(body).encode())
        told = json.dumps(answer)
        values = "[-2.0, -1.0, 0.0]" if kind == "timeseries" else "[0.0]"
        check(
            f"POST {path} answers as described, with what was sent",
            status == 200 and values in told and not wrong,
            (answer, wrong),
        )
    status, answer, wrong = intake.ask("GET", "/api/v1/validate")
    check(
        "GET /api/v1/validate answers as described",
        status == 200 and answer == {"valid": True} and not wrong,
        (answer, wrong),
    )
    status, answer, wrong = intake.ask("GET", "/api/v1/validate", key="0" * 32)
    check("GET /api/v1/validate answers 403 to an unknown key", status == 403 and not wrong, (answer, wrong))
    metadata = {"type": "gauge", "unit": "hour", "description": "A test.", "short_name": "test"}
    path = "/api/v1/metrics/test.read"
    equal("our metadata are valid, strictly", intake.documents.request("PUT", path, metadata), [])
    status, answer, wrong = intake.ask("PUT", path, json.dumps(metadata).encode())
    check("PUT metadata answers as described", status == 200 and not wrong, (status, answer, wrong))
    status, answer, wrong = intake.ask("GET", path)
    check(
        "GET metadata gives them back",
        status == 200 and metadata.items() <= answer.items() and not wrong,
        (status, answer, wrong),
    )
    status, answer, wrong = intake.ask("GET", "/api/v1/metrics/test.nothing")
    check("GET metadata of a metric that nobody sent is 404", status == 404 and not wrong, (status, answer, wrong))
    status, answer, wrong = intake.ask("GET", f"/api/v1/metrics?from={window[0]}")
    check(
        "GET /api/v1/metrics names it",
        status == 200 and "test.read" in answer["metrics"] and not wrong,
        (status, answer, wrong),
    )


def part():
    """Reads the documents and holds both sides against them."""
    documents = Documents()
    wrong = documents.request("POST", SERIES, {"series": [{"metric": "a", "points": [], "shoe_size": 44}]})
    check("the documents refuse a field that Datadog does not have", len(wrong) == 1, wrong)
    payloads(documents)
    with Sandbox("--at", NOW) as sandbox:
        submissions(Intake(sandbox, documents))
        reads(Intake(sandbox, documents))


main(part)
