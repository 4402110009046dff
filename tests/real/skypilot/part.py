"""SkyPilot, played by SkyPilot's own API server: every row against what was seeded, and a server that fails."""

import concurrent.futures
import contextlib
import json
import math
import re
import tempfile
import time
from datetime import UTC, datetime
from pathlib import Path

import expected
import seed
import story
from runs import Stage, gaps, gauges, number, samples, shown, unread
from server import CONSOLIDATED, SkyPilot
from slow import Slow
from stage.recorder import Recorder
from stage.servers import HOST, free_port
from stage.verdicts import check, equal, main

WRONG = "sky_" + "wrong" * 8
LATE, NEVER = 22, 600
LIVE = ["skypilot.jobs.queued", "skypilot.jobs.running", "skypilot.resources.gpus.total_count"]


def empty(stage):
    """A server that nobody has used yet; the answer also makes the server set up its database of jobs."""
    run = stage.collect("empty")
    if check("a server without jobs and clusters is a quiet one", run.code == 0 and run.report, (run.code, run.said)):
        rows, wrong = gauges(run, story.Story(), stage.now)
        check(f"each of its {rows} gauges is zero or absent", not wrong, "\n".join(wrong))


def first(stage, seeded):
    """A first run, an event of the schedule ago."""
    before = stage.now - story.SLOT
    run = stage.collect("one", "--push", now=before)
    if not check("a first run is delivered", run.report is not None and run.report["delivery"], (run.code, run.said)):
        return
    rows, wrong = gauges(run, seeded, before)
    sentence = f"each of its {rows} gauges is what was seeded, in {run.report['seconds']:.1f} s"
    check(sentence, not wrong, "\n".join([run.said, *wrong]))
    others = [shown(key) for key in samples(run, "distribution")]
    check("a first run observes nothing that ended", not others, others)
    ended(before, run, seeded)


def second(stage, before, after, asked):
    """The run of now, which asks for what changed."""
    asked.clear()
    run = stage.collect("one", "--push")
    if not check("a second run is delivered", run.report is not None and run.report["delivery"], (run.code, run.said)):
        return
    rows, wrong = gauges(run, after, stage.now, table=True)
    sentence = f"each of {rows} gauges of the second run is what was seeded"
    check(sentence, not wrong, "\n".join(wrong))
    queue = [body for path, body in asked if path == "/jobs/queue/v2"]
    ids = {job for body in queue for job in body.get("job_ids") or []}
    open_before = {job.id for job in before.jobs if not job.is_over}
    gone = open_before & {job.id for job in after.jobs if job.is_over}
    new = {job.id for job in after.jobs if job.is_over} - {job.id for job in before.jobs}
    print(f"          it asked for {len(ids)} jobs: {len(gone)} that were open before, {len(new)} that are new", flush=True)
    good = ids == gone | new and not any(body.get("statuses") for body in queue)
    check("it asked the server for changes alone", good, queue)
    said = (gaps(run), unread(run))
    equal("what cannot be interpreted is counted apart, and is no gap", said, (set(), {"accelerators"}))
    ended(stage.now, run, after)
    found = {word: [] for word in story.OVER}
    for (_, tags), values in samples(run, "distribution").items():
        found[dict(tags)["outcome"]] += sorted(sample["value"] for sample in values)
    wanted = expected.observed(before, after, stage.now)
    for word in story.OVER:
        line = f"{'skypilot.jobs.runtime{outcome:' + word + '}':<42}"
        print(f"          {line} seeded {wanted[word]} collected {found[word]}", flush=True)
    good = all(
        len(found[word]) == len(wanted[word])
        and all(math.isclose(a, b, abs_tol=0.001) for a, b in zip(found[word], wanted[word], strict=True))
        for word in story.OVER
    )
    check("each job that ended between the two runs is observed once, with its runtime", good, (found, wanted))


def ended(now, run, after):
    """Compares the jobs of each of the four newest slots that Datadog takes, by the clock that the run saw."""
    found, wanted = {}, {}
    for (_, tags), values in samples(run, "count").items():
        for sample in values:
            at = int(datetime.fromisoformat(sample["at"]).timestamp())
            found[at, dict(tags)["outcome"]] = sample["value"]
            wanted[at, dict(tags)["outcome"]] = expected.finished(after, at, run.looks)[dict(tags)["outcome"]]
    for key in sorted(wanted):
        line = f"skypilot.jobs.finished.new{{outcome:{key[1]}}} at {datetime.fromtimestamp(key[0], UTC):%H:%M}"
        print(f"          {line:<60} seeded {number(wanted[key])} collected {number(found[key])}", flush=True)
    slots = {at for at, _ in found}
    may, must = ({now - n * story.SLOT for n in range(4) if now - n * story.SLOT >= c - story.HOUR} for c in run.clocks)
    check(
        f"the jobs of the {len(slots)} slots that Datadog takes are counted by outcome",
        must and must <= slots <= may and len(found) == 3 * len(slots) and found == wanted,
        (found, wanted, must),
    )


def whole(stage, after):
    """A fresh fetch of everything, beside a server that is not there."""
    gone = f"http://{HOST}:{free_port()}"
    servers = f"{expected.SERVER}={stage.url},gone={gone}"
    run = stage.collect("two", SKYPILOT_SERVERS=servers)
    if not check("a run with a second server that is down tells of the first", run.report is not None, run.said):
        return
    rows, wrong = gauges(run, after, stage.now)
    check(f"each of {rows} gauges of a whole fetch is what was seeded", not wrong, "\n".join(wrong))
    of_the_other = samples(run, "gauge", "gone") | samples(run, "count", "gone")
    check("nothing is told of the server that is down", not of_the_other and run.code != 0, (run.code, of_the_other))
    check("and it is named", "gone" in run.said and stage.token not in run.said, run.said)


def older(stage):
    """A server that does not know the newest field, as those before job groups do not: another one is made of it."""
    known, asked = b"is_primary_in_job_group", []
    unknown = known[::-1]
    watch = lambda path, body: asked.append(body) or 0
    with Slow(stage.server.url, watch, lambda body: body.replace(known, unknown)) as server:
        refusals = []
        for now in (stage.now - story.SLOT, stage.now):
            asked.clear()
            run = stage.collect("older", "--push", now=now, SKYPILOT_SERVERS=f"{expected.SERVER}={server.url}")
            told = bool(run.report) and {name for name, _ in samples(run, "gauge")}
            good = run.code == 0 and not gaps(run) and set(LIVE) <= told
            check("a server that does not know the newest field is asked without it", good, (run.code, run.said))
            refusals.append(sum(unknown.decode() in (body.get("fields") or []) for body in asked))
    equal("requests that the server refused, in the first run and in the next", refusals, [1, 0])


def refused(stage):
    """A wrong token."""
    run = stage.collect("refused", SKYPILOT_TOKEN=WRONG)
    known = samples(run, "gauge") if run.report else {}
    check("a wrong token fails the run and tells of nothing", run.code == 1 and not known, (run.code, run.said))
    check("SKYPILOT_TOKEN is named and not shown", "SKYPILOT_TOKEN" in run.said and WRONG not in run.said, run.said)
    check("it is the server's 401 that is told", "401" in run.said or "refused" in run.said, run.said)
    done = stage.checked(SKYPILOT_TOKEN=WRONG)
    said = done.stdout + done.stderr
    good = done.returncode != 0 and "SKYPILOT_TOKEN" in said and WRONG not in said
    check("`vitals check` says the same, and what to do", good, (done.returncode, said))


def welcomed(stage):
    """What `vitals check` says of a server that lets us in."""
    done = stage.checked()
    # The block below the heading of the server; what begins further in goes on from the line above.
    block = done.stdout.partition(f"skypilot · {expected.SERVER}\n")[2].partition("\n\n")[0]
    print("\n".join(f"          {line.strip()}" for line in block.splitlines()), flush=True)
    verdicts = re.findall(r"^  (\S+)", block, re.MULTILINE)
    good = len(verdicts) >= 4 and set(verdicts) == {"ok"}
    check("`vitals check` finds all that is needed", good, (done.returncode, done.stdout + done.stderr))


def asleep(stage, after):
    """The controller went to sleep after the second run: its answers are still true, and nothing is open."""
    now = stage.now + story.SLOT
    run = stage.collect("one", "--push", now=now)
    if not check("a run while the controller sleeps is a quiet one", run.code == 0 and run.report, (run.code, run.said)):
        return
    wanted = {name: value for (name, tags), value in expected.gauges(after, now, now, run.looks).items() if not tags}
    found = {name: value[0]["value"] for (name, tags), value in samples(run, "gauge").items() if not tags}
    past = ["skypilot.jobs.failed", "skypilot.jobs.failed_7d", "skypilot.jobs.succeeded", "skypilot.jobs.cancelled"]
    equal("the past is that of the run before", [found.get(name) for name in past], [wanted[name] for name in past])
    good = all(found.get(name) == 0 for name in LIVE) and not gaps(run)
    check("nothing is open, and no part is missing", good, (found, gaps(run)))
    ended(now, run, after)


def failing(stage, after):
    """A queue that fails each request, a controller that sleeps, and one that was never made."""
    known = {("skypilot.clusters.active", ()): [2.0]}
    seed.odd(stage.server.home)
    run = stage.collect("odd")
    values = {key: [sample["value"] for sample in value] for key, value in samples(run, "gauge").items()}
    wanted = {"live", "history", "ended", "statuses", "accelerators"}
    check(
        "where the queue's requests fail, the clusters are known and nothing else",
        run.code != 0 and values == known and gaps(run) == wanted,
        (run.code, values, gaps(run)),
    )
    check("the failure is told without the server's traceback", "Traceback" not in run.said, run.said)
    (stage.server.home / CONSOLIDATED).unlink()
    asleep(stage, after)
    run = stage.collect("alone")
    values = {name: value[0]["value"] for (name, tags), value in samples(run, "gauge").items() if not tags}
    zero = all(values.get(name) == 0 for name in LIVE)
    past = {"skypilot.jobs.failed", "skypilot.jobs.failed_7d", "skypilot.jobs.succeeded"} & set(values)
    check(
        "without a jobs controller nothing is live, and the past is unknown",
        zero and not past and gaps(run) == {"history", "ended"},
        (values, gaps(run)),
    )


def delay(path, body):
    """The clusters are late, and how many jobs there ever were is never told."""
    if path == "/status":
        return LATE
    return NEVER if body.get("limit") == 1 else 0


def late(stage):
    """A question whose result is late and one whose result does not come, while the rest of the part goes on."""
    with Slow(stage.server.url, delay) as slow:
        run = stage.collect("late", SKYPILOT_SERVERS=f"{expected.SERVER}={slow.url}")
        return run, slow.asked


def judge(run, asked):
    """What became of those."""
    if not check("a run with slow answers tells of them", run.report is not None, run.said):
        return
    known, unknown = {name for name, _ in samples(run, "gauge")}, gaps(run)
    check(
        f"a result that is {LATE} s late is waited for, and asked for again on the way",
        "skypilot.clusters.active" in known and "clusters" not in unknown and asked[LATE] > 1,
        (asked, run.said),
    )
    past = known & {"skypilot.jobs.failed", "skypilot.jobs.succeeded", "skypilot.jobs.cancelled"}
    check(
        f"what did not come in {run.report['seconds']:.0f} s is unknown, and the rest is known",
        unknown == {"history"} and not past and set(LIVE) <= known and "skypilot.jobs.failed_7d" in known,
        (asked, unknown, run.said),
    )
    # Two questions one after the other, of a minute each at most.
    in_time = 40 < run.report["seconds"] < 125 and run.code != 0
    check("it was waited for no longer than a question may take", in_time, (run.report["seconds"], run.code))


def unsaid(stage):
    """No name, user, title or token in what was printed or kept."""
    files = [file for file in stage.folder.rglob("*") if file.is_file()]
    kept = [(file.name, file.read_bytes().decode(errors="replace")) for file in files]
    secrets = [*story.SECRETS, "@example.com", "stage-0", "ivo-marsh-2", stage.token, WRONG]
    words = [(secret[:12], where) for secret in secrets for where, text in stage.said + kept if secret in text]
    check(f"no person, title or token in {len(stage.said)} runs and {len(kept)} files of theirs", not words, words)


def part():
    """Starts the server, seeds it twice, and asks."""
    with contextlib.ExitStack() as stack:
        home = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitals-sky-")))
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="vitals-sky-states-")))
        now = int(time.time()) // story.SLOT * story.SLOT
        before = story.beginning(now)
        after = story.later(before, now)
        both = story.Story(before.jobs + after.jobs, before.clusters)
        seed.catalogue(home, both)
        making = seed.handles(home, both)
        stack.callback(making.kill)
        server = SkyPilot(home)
        with server:
            server.answers(f"{server.url}/api/health", 120)
            print(f"          SkyPilot {server.version()}; {seed.told(after)}", flush=True)
            handles = json.loads(making.stdout.read())
            intake = stack.enter_context(Recorder("http://127.0.0.1", lambda *_: (202, {"errors": []})))
            asked = []
            watch = stack.enter_context(Slow(server.url, lambda path, body: asked.append((path, body)) or 0))
            stage = Stage(folder, server, watch.url, intake.url, now)
            server.warm(stage.token)
            print("          its workers work", flush=True)
            pool = stack.enter_context(concurrent.futures.ThreadPoolExecutor())
            # Before the pool, which would wait for the slow one.
            stack.callback(stage.end)
            slow = pool.submit(late, stage)
            empty(stage)
            seed.state(home, before, handles)
            seed.jobs(home, before)
            first(stage, before)
            seed.state(home, after, handles)
            seed.jobs(home, after)
            second(stage, before, after, asked)
            whole(stage, after)
            older(stage)
            refused(stage)
            welcomed(stage)
            judge(*slow.result())
            failing(stage, after)
            unsaid(stage)
        equal("processes of the server that are left", server.left, 0)


main(part)
