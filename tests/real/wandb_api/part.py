"""W&B's own Python client reads the sandbox, and what it reads makes the rows that the collector says."""

import contextlib
import json
import math
import os
import re
import subprocess
import tempfile
from datetime import UTC, datetime, timedelta
from pathlib import Path

from stage.built import program
from stage.sandbox import NOW, Run, Sandbox
from stage.verdicts import check, equal, main, verdict

PROJECT = "acme/arena"
KINDS = ("ptm", "sweep", "stable", "local", "other")
OUTCOMES = {"finished": "good", "failed": "bad", "crashed": "bad", "killed": "stopped", "preempted": "stopped"}
CARD = re.compile(r"(?:system\.)?gpu\.(?P<used>process\.)?(?P<number>\d+)\.(?P<what>\w+)(?:/l:(?P<label>.+))?")


def instant(text):
    """A time of the API; it is in UTC with and without its letter."""
    return datetime.fromisoformat(text.removesuffix("Z")).replace(tzinfo=UTC)


def mean(values):
    """The mean, or nothing of nothing."""
    return sum(values) / len(values) if values else None


class Seen:
    """A run as the client shows it, and what the rows need to know of it."""

    def __init__(self, run, now):
        self.state, self.now = run.state, now
        self.created, self.beat = instant(run.created_at), instant(run.heartbeat_at)
        name = run.name or run.id
        words = [word for word in KINDS[1:4] if word in name]
        of_sweep = ["sweep"] if run.sweep_name else []
        self.kind = "ptm" if name.startswith("github.sky.") else [*of_sweep, *words, "other"][0]
        summary = run.summary_metrics
        self.summary = json.loads(summary) if isinstance(summary, str) else summary
        self.metrics = run.system_metrics
        self.alive = self.state == "running" and now - self.beat <= timedelta(minutes=30)
        trains = self.state not in ("pending", "preempting") and self.kind != "local"
        self.hours = self.within(timedelta(days=7)).total_seconds() / 3600 if trains else 0
        self.today = trains and self.beat >= now - timedelta(days=1)
        self.trains = trains

    def within(self, window):
        """How long it ran in this time before now."""
        return max(min(self.beat, self.now) - max(self.created, self.now - window), timedelta(0))

    def outcome(self):
        """How it ended in the last seven days, if it did."""
        return OUTCOMES.get(self.state) if self.now - timedelta(days=7) <= self.beat < self.now else None

    def value(self, key):
        """A finite number of its summary."""
        value = self.summary.get(key)
        return value if isinstance(value, (int, float)) and math.isfinite(value) else None

    def cards(self):
        """Its cards and how busy they are: those that its processes use, else all of the host; none where it says nothing."""
        if not self.metrics:
            return None
        found = [(match, value) for key, value in self.metrics.items() if (match := CARD.fullmatch(key))]
        used = {(match["label"], match["number"]) for match, _ in found if match["used"]}
        own = used or {(match["label"], match["number"]) for match, _ in found}
        busy = {
            (match["label"], match["number"]): value
            for match, value in found
            if match["what"] == "gpu" and not match["used"]
        }
        return len(own), mean([busy[card] for card in own if card in busy])


def utilisation(runs):
    """The mean utilisation of runs, each counting as often as it has cards."""
    told = [run.cards() for run in runs]
    told = [cards for cards in told if cards and cards[1] is not None]
    weight = sum(number for number, _ in told)
    return sum(number * busy for number, busy in told) / weight if weight else None


def rows(api, now):
    """The rows of the project, out of what the client reads."""
    listed, runs = api.runs(PROJECT, order="-heartbeat_at", per_page=200, lazy=False), []
    for run in listed:
        if run.heartbeat_at is None or instant(run.heartbeat_at) < now - timedelta(days=7):
            break
        runs.append(Seen(run, now))
    ended = sorted((run for run in runs if run.outcome()), key=lambda run: (run.beat, run.created))
    finished = [run for run in ended if run.outcome() == "good"]
    told = [(run.hours, run.cards()) for run in runs if run.hours > 0]
    losses = [run.value("loss") for run in finished if run.value("loss") is not None]
    best = api.runs(PROJECT, {"state": "finished"}, order="-summary_metrics.accuracy", per_page=50, lazy=False)
    accuracies = (Seen(run, now).value("accuracy") for run in best if run.heartbeat_at)
    lengths = [(run.beat - run.created).total_seconds() / 3600 for run in ended]
    wanted = {
        ("wandb.runs.total", ""): len(listed),
        ("wandb.runs.stale", ""): len(api.runs(PROJECT, {"state": "running"})) - sum(run.alive for run in runs),
        ("wandb.metrics.best_accuracy", ""): next(value for value in accuracies if value is not None),
        ("wandb.metrics.avg_accuracy_7d", ""): mean(
            [value for run in finished if (value := run.value("accuracy")) is not None]
        ),
        ("wandb.metrics.latest_loss", ""): losses[-1],
        ("wandb.training.avg_duration_hours", ""): mean([length for length in lengths if length >= 0]),
        ("wandb.training.total_gpu_hours_7d", ""): sum(hours * cards[0] for hours, cards in told if cards),
        ("wandb.training.gpu_utilization_avg", ""): utilisation([run for run in runs if run.today]),
        ("wandb.training.gpu_utilization_pct", ""): utilisation([run for run in runs if run.trains and run.alive]),
    }
    for kind in KINDS:
        of_kind = [run for run in runs if run.kind == kind]
        wanted["wandb.runs.active", kind] = sum(run.alive for run in of_kind)
        wanted["wandb.runs.completed_7d", kind] = sum(run.outcome() == "good" for run in of_kind)
        wanted["wandb.runs.failed_7d", kind] = sum(run.outcome() == "bad" for run in of_kind)
    # A run of no length is asked for by the rows of utilisation, where it is alive or beat within the day.
    wanting = [run for run in runs if run.trains and (run.hours > 0 or run.today or run.alive)]
    silent = sum(run.cards() is None for run in wanting)
    return wanted, silent, runs


def collected(sandbox, folder):
    """The rows of the project, as the collector says them, and how many runs it could not read."""
    command = [program("vitals"), "collect", "wandb", "--at", NOW, "--format", "json"]
    env = sandbox.environment(folder, VITALS_CLOCK=NOW, WANDB_PROJECTS=PROJECT)
    run = Run(subprocess.Popen(command, env=env, cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True))
    assert run.code == 0, run.said
    gauges = [sample for sample in run.report["samples"] if sample["kind"] == "gauge"]
    said = {(sample["metric"], sample["tags"].get("run_type", "")): sample["value"] for sample in gauges}
    return said, run.report["targets"][0]["unread"].get("gpus", 0)


def compare(sandbox, api, folder):
    """Each row that the client's own answers make is said by the collector."""
    wanted, silent, runs = rows(api, instant(NOW))
    cards = [cards for run in runs if (cards := run.cards())]
    check(
        "the client reads runs on shared boxes, on labelled nodes, on CPUs alone, and runs that report nothing",
        any(cards[0] == 1 for cards in cards)
        and any(cards[0] > 8 for cards in cards)
        and any(cards[0] == 0 for cards in cards)
        and any(run.cards() is None for run in runs),
    )
    said, unread = collected(sandbox, folder)
    for key, value in wanted.items():
        good = said.get(key) is not None and math.isclose(said[key], value, rel_tol=1e-9)
        check(f"{' '.join(key).strip()} is {value:g}", good, f"the collector says {said.get(key)}")
    equal("the runs that tell no GPUs are as many", unread, silent)


def client(wandb, sandbox):
    """What the client asks besides is answered or refused as by W&B's own server."""
    address, key = sandbox.settings["WANDB_URL"], sandbox.settings["WANDB_API_KEY"]
    api = wandb.Api({"base_url": f"{address}/"}, api_key=key)
    with verdict("the client logs in and says who it is"):
        assert api.viewer.username == "sandbox-reader", api.viewer
    with verdict("filters by the configuration are spelled as the client documents them"):
        runs = api.runs(PROJECT, {"config.num_nodes": 2}, per_page=20)[:20]
        assert len(runs) == 20 and all(run.config["num_nodes"] == 2 for run in runs), runs
    with verdict("filters by the summary are too"):
        runs = api.runs(PROJECT, {"summary_metrics.loss": {"$lt": 0.5}}, per_page=20)[:20]
        assert len(runs) == 20 and all(run.summary_metrics["loss"] < 0.5 for run in runs), runs
    with verdict("a sampled history and a whole one hold the last step"):
        run = api.runs(PROJECT, {"summary_metrics.accuracy": {"$gt": 0}}, per_page=1)[0]
        accuracy, step = run.summary_metrics["accuracy"], run.summary_metrics["_step"]
        assert run.history(keys=["accuracy"], pandas=False) == [{"_step": step, "accuracy": accuracy}]
        assert run.history(keys=["accuracy", "nowhere"], pandas=False) == []
        assert run.history(pandas=False)[-1]["accuracy"] == accuracy
    with verdict("one run is found by its id"):
        assert api.run(f"{PROJECT}/{run.id}").name == run.name
    refusal = wandb.sdk.lib.service.service_connection.WandbApiFailedError
    for what, ask in (
        ("a page of more than 200", lambda: api.runs(PROJECT, per_page=201)[0]),
        ("a filter by heartbeat", lambda: api.runs(PROJECT, {"heartbeat_at": {"$gt": "2026-01-01"}})[0]),
        ("a filter by a column that is none", lambda: api.runs(PROJECT, {"summary": 1})[0]),
        ("a project that is not there", lambda: api.runs("acme/gone")[0]),
        ("a project of others", lambda: api.runs("rival/secret")[0]),
        ("a wrong key", lambda: wandb.Api({"base_url": address}, api_key="0" * 40).viewer),
    ):
        try:
            ask()
            check(f"{what} is refused", False, "it is not")
        except (ValueError, wandb.errors.Error, refusal) as error:
            check(f"{what} is refused", True, error)
    return api


def part():
    """Runs the client against one sandbox, with a home of its own that knows no other server."""
    with tempfile.TemporaryDirectory() as home, Sandbox("--at", NOW) as sandbox:
        own = {"HOME": home, "WANDB_DIR": home, "WANDB_SILENT": "true", "WANDB_ERROR_REPORTING": "false"}
        os.environ.update(own, WANDB_CONFIG_DIR=home, WANDB_CACHE_DIR=home, WANDB_DATA_DIR=home)
        import wandb  # noqa: PLC0415, it reads its environment when it is imported

        with contextlib.chdir(home):
            folder = Path(home) / "state"
            folder.mkdir()
            compare(sandbox, client(wandb, sandbox), folder)


main(part)
