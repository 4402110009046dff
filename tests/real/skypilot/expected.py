"""What the catalogue says that each row is, worked out from what was seeded."""

from collections import Counter
from statistics import fmean

from story import DAY, GROUPS, HOUR, OVER, RAN, SLOT, group

SERVER = "prod"
PRICES = {
    "l4": {"ondemand": 0.75, "spot": 0.26},
    "l40s": {"ondemand": 1.95},
    "h100": {"ondemand": 3.9, "spot": 1.7},
    "a10g": {"spot": 0.4},
    "b200": {"ondemand": 9.5},
}
# How long ago a job may have been submitted to be known when it ends, and from when on a running one is long.
HISTORY, LONG = 21 * DAY, 48 * HOUR


def short(name):
    """The short name of a GPU."""
    name = name.lower().removeprefix("nvidia-").removeprefix("tesla-")
    return "h100" if name in ("h100-sxm", "h100-80gb", "h100-nvlink") else name


def ran(task, clock):
    """How long a task ran, as a server counts it whose clock shows this time."""
    if task.start is None or not task.dated:
        return 0
    if task.status == "RECOVERING":
        return RAN
    return (clock if task.end is None else task.end) - task.start - task.lost


def runtime(job, now, clock):
    """How long a job ran; nothing if it never started."""
    seconds = (max if job.parallel else sum)(ran(task, clock) for task in job.tasks)
    started = min((task.start for task in job.tasks if task.start is not None), default=None)
    if seconds or started is None:
        return seconds or None
    end = job.end([])
    return (now if end is None else end) - started


def paid(job, task):
    """How a task is paid for. What was asked for either way is known when it is there."""
    if task.alternatives or (task.either and not task.machine):
        return None
    return "spot" if task.spot else "ondemand"


def percentile(values, q):
    """Between the two nearest ranks."""
    ordered = sorted(values)
    if not ordered:
        return None
    rank = (len(ordered) - 1) * q
    low = int(rank)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (rank - low)


def over(story, now, looks):
    """Jobs that are over and can be known: those that were submitted within the history, or never."""
    submitted = lambda job: max((task.submitted for task in job.tasks if task.submitted is not None), default=now)
    return [job for job in story.jobs if job.end(looks) is not None and submitted(job) >= now - HISTORY]


def outcome(job):
    """The word for how a job ended."""
    return group(job.status)


def gauges(story, now, clock, looks):
    """Every gauge at this time, by name and tags without the server's. Without a value where it is not sent.

    `looks` are the times at which the queue was read, this one the last."""
    rows = {}

    def put(name, value, **tags):
        if value is not None:
            rows[f"skypilot.{name}", tuple(sorted(tags.items()))] = float(value)

    open_jobs = [job for job in story.jobs if not job.is_over]
    of = lambda name: [job for job in open_jobs if group(job.status) == name]
    queued, running = of("queued"), of("running")
    live = queued + running
    week = [job for job in over(story, now, looks) if now - 7 * DAY <= job.end(looks) < now]
    ended_rows = Counter(group(task.status) for job in story.jobs for task in job.tasks)

    put("jobs.queued", len(queued))
    put("jobs.running", len(running))
    for word in ("failed", "succeeded", "cancelled"):
        put(f"jobs.{word}", ended_rows[word])
    put("jobs.failed_7d", sum(group(job.status) == "failed" for job in week))

    times = [time for job in running if (time := runtime(job, now, clock)) is not None]
    put("jobs.runtime_seconds.min", min(times, default=None))
    put("jobs.runtime_seconds.max", max(times, default=None))
    put("jobs.runtime_seconds.avg", fmean(times) if times else None)
    for share in (50, 90, 99):
        put(f"jobs.runtime_seconds.p{share}", percentile(times, share / 100))
    for name, low, high in [("0_1h", 0, 1), ("1_4h", 1, 4), ("4_24h", 4, 24), ("over_24h", 24, float("inf"))]:
        put(f"jobs.runtime_buckets.{name}", sum(low * HOUR <= time < high * HOUR for time in times))
    put("jobs.long_running", sum(time > LONG for time in times))

    gpus = Counter()
    for job in running:
        for task in (task for task in job.holding if task.gpu):
            gpus[short(task.gpu), paid(job, task)] += task.gpus * task.nodes
    for kind in ("l4", "a10g", "h100"):
        put(f"resources.gpus.{kind}_count", sum(gpus[kind, pricing] for pricing in ("spot", "ondemand", None)))
    put("resources.gpus.total_count", sum(gpus.values()))
    for kind in {kind for kind, _ in gpus} | set(PRICES):
        for pricing in ("spot", "ondemand"):
            number, price = gpus[kind, pricing], PRICES.get(kind, {}).get(pricing)
            put("resources.gpus.by_type", number, gpu_type=kind, pricing=pricing)
            if price is not None:
                put("cost.burn_rate_hourly", number * price, gpu_type=kind, pricing=pricing, price_source="table")
    unpriced = [number for (kind, pricing), number in gpus.items() if PRICES.get(kind, {}).get(pricing) is None]
    put("cost.unpriced_gpus", sum(unpriced))
    ways = Counter(paid(job, job.current) for job in running)
    put("resources.spot_jobs", ways["spot"])
    put("resources.ondemand_jobs", ways["ondemand"])

    recovered = [times for job in live if (times := max(task.recoveries for task in job.tasks))]
    put("jobs.with_recoveries", len(recovered))
    put("jobs.recovery_count.avg", fmean(recovered) if recovered else None)
    put("jobs.recovery_count.max", max(recovered, default=None))

    regions = Counter(job.region or "unknown" for job in running)
    put("regions.us_east_1", regions["us-east-1"])
    put("regions.us_west_2", regions["us-west-2"])
    put("regions.other", len(running) - sum(regions[name] for name in ("us-east-1", "us-west-2", "unknown")))
    for region in {"unknown", *regions}:
        put("jobs.by_region", regions[region], region=region)
    put("users.active_count", len({job.user for job in live}))

    own = lambda one: not one.managed and not one.name.startswith(("sky-jobs-controller-", "sky-serve-controller-"))
    put("clusters.active", sum(own(one) and one.status == "UP" for one in story.clusters))
    for status in [*(word for words in GROUPS.values() for word in words), "OTHER"]:
        put("jobs.by_status", sum(job.status == status for job in live + week), status=status.lower())

    # What the server does not know of a pending job is when somebody first saw it.
    since = lambda job: min(
        (task.submitted for task in job.tasks if task.submitted is not None),
        default=next(look for look in looks if look >= job.made),
    )
    waits = [now - since(job) for job in queued if all(task.start is None for task in job.tasks) and since(job) <= now]
    put("jobs.queue_wait_seconds.p50", percentile(waits, 0.5))
    put("jobs.queue_wait_seconds.p90", percentile(waits, 0.9))
    return rows


def finished(story, now, looks):
    """Jobs that ended in the slot before this time, by outcome."""
    ended = Counter(outcome(job) for job in over(story, now, looks) if now - SLOT <= job.end(looks) < now)
    return {word: float(ended[word]) for word in OVER}


def observed(before, after, now):
    """Runtimes of the jobs that the second run sees over and the first did not, by outcome."""
    known = {job.id for job in over(before, now, [])}
    fresh = [job for job in over(after, now, []) if job.id not in known and now - SLOT - 2 * DAY <= job.end([]) < now]
    started = [job for job in fresh if any(task.start is not None for task in job.tasks)]
    return {word: sorted(runtime(job, now, now) for job in started if outcome(job) == word) for word in OVER}
