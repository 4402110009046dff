"""What is seeded: managed jobs and clusters, told as what is true of them and not as SkyPilot writes it down."""

from dataclasses import dataclass, field, replace

HOUR, DAY, SLOT = 3600, 86400, 900

# How long a task ran that is recovering.
RAN = 1800

# The fourteen words, by what they mean for resources.
GROUPS = {
    "queued": ["PENDING", "SUBMITTED", "STARTING", "RECOVERING"],
    "running": ["RUNNING", "WINDING_DOWN", "CANCELLING"],
    "succeeded": ["SUCCEEDED"],
    "cancelled": ["CANCELLED"],
    "failed": ["FAILED", "FAILED_SETUP", "FAILED_PRECHECKS", "FAILED_NO_RESOURCE", "FAILED_CONTROLLER"],
}
OVER = ("succeeded", "cancelled", "failed")

# Names of people and jobs that nothing of ours may ever repeat.
SECRETS = ["mira-quill", "tobin-vale", "sunniva-ash", "orla-finch", "ivo-marsh", "blue-whale-pretraining"]


def group(status):
    """What a status means for resources."""
    return next(name for name, words in GROUPS.items() if status in words)


@dataclass(frozen=True)
class Task:
    """One task. `lost` are seconds that recoveries took from its run; without `dated` the server has lost count."""

    status: str
    submitted: float | None = None
    start: float | None = None
    end: float | None = None
    lost: float = 0
    dated: bool = True
    recoveries: int = 0
    gpu: str | None = None
    gpus: float = 0
    nodes: int = 1
    spot: bool = False
    # The instance type of a live cluster; without one the server knows what was asked for alone.
    machine: str | None = None
    # Alternatives, of which nobody knows yet which one will be had.
    alternatives: str | None = None
    # It was asked for on spot or on demand, whichever is had.
    either: bool = False
    # Whether its job group waits for it; nothing where it is of none.
    primary: bool | None = None


@dataclass(frozen=True)
class Worker:
    """A machine of a pool, which several jobs share."""

    name: str
    machine: str
    gpu: str
    gpus: float
    region: str
    spot: bool = False


WORKERS = {
    "trainers": Worker("trainers-1", "p5.48xlarge", "H100", 8, "us-east-2"),
    "scorers": Worker("scorers-1", "g6.12xlarge", "L4", 4, "us-west-2", spot=True),
}


@dataclass(frozen=True)
class Job:
    """A managed job. Without a region it was never launched."""

    id: int
    tasks: tuple[Task, ...]
    user: str = SECRETS[0]
    region: str | None = "us-east-1"
    parallel: bool = False
    root: int | None = None
    pool: str | None = None
    # When it came, and when it was given up while it was pending, which the server does not write down.
    made: float = 0
    given_up: float | None = None

    @property
    def holding(self):
        """The tasks that may hold resources: those of a group that run, else the one that speaks for the job."""
        held = tuple(task for task in self.tasks if self.parallel and group(task.status) == "running")
        return held or (self.current,)

    @property
    def current(self):
        """The first task that did not succeed, else the last. Of a group a task that runs, else of the primary ones."""
        tasks = self.tasks
        if self.parallel:
            tasks = sorted(tasks, key=lambda task: not task.primary)
            runs = next((task for task in tasks if group(task.status) == "running"), None)
            if runs:
                return runs
            tasks = [task for task in tasks if task.primary]
        return next((task for task in tasks if task.status != "SUCCEEDED"), tasks[-1])

    @property
    def status(self):
        """The status of that task."""
        return self.current.status

    @property
    def is_over(self):
        """Whether no task is left to do."""
        return all(group(task.status) in OVER for task in self.tasks)

    def end(self, looks):
        """When the last task ended, else when somebody noticed who had looked before."""
        if not self.is_over:
            return None
        noticed = [look for look in looks if self.given_up is not None and self.given_up <= look]
        noticed = noticed[0] if noticed and noticed[0] != looks[0] else None
        return max((task.end for task in self.tasks if task.end is not None), default=noticed)


@dataclass(frozen=True)
class Cluster:
    """A cluster that somebody made, or that SkyPilot made for itself."""

    name: str
    status: str
    machine: str = "m6i.2xlarge"
    managed: bool = False


@dataclass
class Story:
    """The server as a whole."""

    jobs: list[Job] = field(default_factory=list)
    clusters: list[Cluster] = field(default_factory=list)


def beginning(now):
    """The server as the first run finds it. `now` is the time of the second run, a point of the grid."""
    jobs = []

    def add(*tasks, **more):
        jobs.append(Job(len(jobs) + 1, tasks, **more))

    def run(hours, **more):
        start = now - hours * HOUR
        return Task(more.pop("status", "RUNNING"), start - 600, start, **more)

    def over(status, ended, ran=HOUR, submitted=None, **more):
        start = now - ended - ran
        return Task(status, start - 60 if submitted is None else now - submitted, start, now - ended, **more)

    # Running: every type, nodes, pricing and region; beside live clusters, and where the cluster is not known.
    add(run(0.3, gpu="L4", gpus=1, machine="g6.xlarge"))
    add(run(2.5, gpu="L4", gpus=4, nodes=2, spot=True, machine="g6.12xlarge"), region="us-west-2")
    add(run(2.2, gpu="L4", gpus=0.5), region="us-west-2")
    add(run(7.5, gpu="L40S", gpus=8, machine="g6e.48xlarge"), user=SECRETS[1], region="us-west-2")
    add(run(9.5, gpu="L40S", gpus=4, nodes=3, spot=True), user=SECRETS[1], region="eu-north-1")
    add(run(30.5, gpu="A10G", gpus=1, spot=True, machine="g5.xlarge"), region="ap-south-1")
    add(run(60.5, gpu="A10G", gpus=4, nodes=2), region="us-east-2")
    add(run(11.5, gpu="H100", gpus=8, nodes=4, machine="p5.48xlarge"), user=SECRETS[2])
    add(run(70.5, gpu="H100", gpus=8, nodes=2, spot=True, lost=5 * HOUR, recoveries=3), user=SECRETS[2])
    add(run(3.5, gpu="H100-SXM", gpus=8, machine="h100-sxm.8x"), user=SECRETS[2], region="us-west-2")
    add(run(3.2, gpu="H100-80GB", gpus=2), region="europe-west4")
    add(run(3.1, gpu="nvidia-h100-nvlink", gpus=2, nodes=2), region="gke_lab_europe-west4")
    add(run(5.5, gpu="A100-80GB", gpus=8, machine="p4de.24xlarge"))
    add(run(5.2, gpu="A100", gpus=8, nodes=2, spot=True), region="us-east-1-lab")
    add(run(1.6, gpu="V100", gpus=8), region=None)
    add(run(1.7, gpu="Tesla-T4", gpus=1, spot=True))
    add(run(0.4, machine="m6i.2xlarge"))
    add(run(0.6), region="us-west-2")
    # Called after something else than how they are paid for.
    add(run(0.5, machine="spotless.2xlarge"), region="us-west-2")
    add(run(26.5, status="WINDING_DOWN", gpu="L4", gpus=1), region="us-west-2")
    add(run(4.5, status="CANCELLING", gpu="A10G", gpus=1))
    # Cancelled before it began, so there is no runtime; and one that holds alternatives which nobody can count.
    add(Task("CANCELLING", now - HOUR), region=None)
    add(run(2.7, status="CANCELLING", alternatives="1x[A100:8, H100:8][On-demand|Spot]"))
    # The server has lost count of these: their runtime is measured from their start, to the second.
    add(run(1, dated=False))
    add(run(4, dated=False))
    add(Task("RUNNING", now - 24 * HOUR, now - 24 * HOUR + 1, dated=False))
    add(run(48, dated=False))
    add(Task("RUNNING", now - 50 * HOUR, now - 48 * HOUR - 1, dated=False))
    # Pipelines: the current task counts, the runtimes add up, the most recoveries of a task are those of the job.
    add(
        over("SUCCEEDED", 6 * HOUR, gpu="A100", gpus=8, recoveries=4),
        run(5.5, gpu="L4", gpus=1, lost=600, recoveries=1),
        Task("PENDING", gpu="H100", gpus=8),
    )
    add(over("SUCCEEDED", 20 * HOUR, 10 * HOUR), over("SUCCEEDED", 9 * HOUR, 9 * HOUR), run(8.5, gpu="L40S", gpus=1))
    add(over("SUCCEEDED", 3 * HOUR), Task("STARTING", now - 600, gpu="H100", gpus=8))
    # Job groups: they run while any of their tasks does, hold what those hold together, and run as long as the longest.
    main, aside = {"primary": True}, {"primary": False}
    add(*(run(13, gpu="H100", gpus=8, **main) for _ in range(4)), parallel=True)
    add(over("FAILED", 2 * HOUR, **main), run(4.5, gpu="H100", gpus=8, **main), parallel=True)
    add(
        run(6.5, gpu="L4", gpus=1, status="RECOVERING", recoveries=2, **main),
        run(6.4, gpu="A100", gpus=8, spot=True, machine="p4d.24xlarge", **main),
        run(6.3, gpu="L40S", gpus=4, nodes=2, **aside),
        parallel=True,
    )
    add(over("SUCCEEDED", HOUR, **main), run(2.1, gpu="L4", gpus=1, **aside), parallel=True)
    add(run(3.3, status="CANCELLING", gpu="L4", gpus=1, **main), run(3.4, status="CANCELLING", **aside), parallel=True)
    add(Task("STARTING", now - HOUR, gpu="H100", gpus=8, **main), Task("PENDING", **aside), region=None, parallel=True)
    add(over("SUCCEEDED", 2 * DAY, **main), over("CANCELLED", 2 * DAY - 60, **aside), parallel=True)
    add(over("SUCCEEDED", 2 * DAY, **aside), over("FAILED", 2 * DAY, **main), parallel=True)
    # Pools: what was asked for counts, and not the worker that eight jobs share. The last only tells others what to do.
    for number in range(8):
        add(run(2 + number, gpu="H100", gpus=1), pool="trainers", region="us-east-2")
    add(run(1.1, gpu="L4", gpus=0.5, spot=True), pool="scorers", region="us-west-2")
    add(run(1.2, gpu="L4", gpus=2, spot=True), pool="scorers", region="us-west-2")
    add(run(0.2, alternatives="-"), pool="scorers", region=None)
    # Asked for on spot or on demand: what was launched is known where there is a cluster.
    add(run(1.8, gpu="A10G", gpus=1, either=True))
    add(run(1.9, gpu="A10G", gpus=1, either=True, machine="g5.xlarge", spot=True), region="ap-south-1")
    # Launched from inside another job: a job of its own.
    add(run(1.5, gpu="L4", gpus=1), root=8, user=SECRETS[2])

    # Queued. What is pending was not submitted yet; a time after the run's is no wait.
    for user in SECRETS[:4] * 2:
        add(Task("PENDING", gpu="H100", gpus=8), user=user, region=None)
    for wait in (0, 1, 60, 1801, 7 * HOUR):
        add(Task("STARTING", now - SLOT - wait, gpu="L4", gpus=1), region=None)
    add(Task("STARTING", now + 60), region=None)
    add(Task("SUBMITTED", now - 3 * HOUR), region=None)
    add(run(10, status="RECOVERING", recoveries=1, spot=True, gpu="L4", gpus=1), region="us-west-2")
    add(run(40, status="RECOVERING", recoveries=6, spot=True, gpu="L4", gpus=1), user=SECRETS[4])

    # Over. Inside and outside of seven days, submitted long ago and failed recently, and each word.
    for number, status in enumerate([*GROUPS["failed"], "SUCCEEDED", "CANCELLED"]):
        add(over(status, 5 * HOUR + number), user=SECRETS[5])
        add(over(status, 3 * DAY + number, 2 * HOUR))
        add(over(status, 8 * DAY + number, 2 * HOUR))
        add(over(status, 100 * DAY))
    add(over("FAILED", HOUR, 10 * DAY, lost=DAY, recoveries=2))
    add(over("FAILED", 7 * DAY))
    add(over("FAILED", 7 * DAY + 1))
    add(over("FAILED", 7 * DAY + SLOT))
    add(over("FAILED", 7 * DAY + SLOT + 1))
    add(over("SUCCEEDED", 30 * HOUR), over("FAILED", 29 * HOUR), Task("CANCELLED", end=now - 29 * HOUR + 1))
    add(over("SUCCEEDED", 30 * HOUR), over("SUCCEEDED", 28 * HOUR))
    # Cancelled while it was pending, before anybody looked: nobody knows when.
    add(Task("CANCELLED"), region=None)
    # Those that were submitted too long ago are missed, and those that never were are not.
    add(over("FAILED", 2 * HOUR, 3 * HOUR, 22 * DAY))
    add(Task("FAILED_CONTROLLER", end=now - 2 * HOUR), region=None)
    add(Task("FAILED_PRECHECKS", end=now - SLOT - 200), Task("CANCELLED", end=now - SLOT - 200), region=None)
    # More than a page, and newer than all others.
    for number in range(600):
        add(over("SUCCEEDED", 8 * DAY + number * 60, 600), user=SECRETS[number % 5], region="us-east-2")

    clusters = [
        Cluster("sunniva-ash-dev", "UP", "g6.xlarge"),
        Cluster("tobin-vale-dev", "UP"),
        Cluster("sky-jobs-like", "UP"),
        Cluster("mira-quill-dev", "STOPPED", "p5.48xlarge"),
        Cluster("orla-finch-dev", "INIT"),
        Cluster("sky-jobs-controller-1a2b3c4d", "UP"),
        Cluster("sky-serve-controller-1a2b3c4d", "UP"),
        Cluster("blue-whale-pretraining-7", "UP", "p5.48xlarge", managed=True),
    ]
    return Story(jobs, clusters)


def later(story, now):
    """The same server a quarter of an hour later, as the second run finds it."""
    jobs = {job.id: job for job in story.jobs}

    def running(**wanted):
        fits = lambda job: all(getattr(job.tasks[-1], name) == value for name, value in wanted.items())
        return next(job for job in story.jobs if len(job.tasks) == 1 and not job.pool and fits(job))

    def end(job, status, before, **more):
        last = replace(job.tasks[-1], status=status, end=now - before, machine=None, **more)
        jobs[job.id] = replace(job, tasks=(*job.tasks[:-1], last))

    def new(*tasks, **more):
        jobs[max(jobs) + 1] = Job(max(jobs) + 1, tasks, made=now - 800, **more)

    end(running(status="RUNNING", gpu="L4", nodes=2), "SUCCEEDED", 300)
    end(running(status="RUNNING", gpu="H100", recoveries=3), "FAILED", SLOT)
    end(running(status="RECOVERING", recoveries=6), "FAILED_NO_RESOURCE", 1, lost=39 * HOUR)
    end(running(status="CANCELLING", gpu="A10G"), "CANCELLED", 450)
    # The end of this one was not known when its quarter of an hour was counted.
    end(running(status="RUNNING", gpu="V100"), "SUCCEEDED", SLOT + 100)
    # Not before the time of the run.
    end(running(status="RUNNING", gpu="A100"), "SUCCEEDED", 0)
    end(next(job for job in story.jobs if len(job.tasks) == 3 and job.tasks[2].gpu == "L40S"), "SUCCEEDED", 200)
    pending = running(status="PENDING", gpu="H100")
    jobs[pending.id] = replace(pending, tasks=(replace(pending.tasks[0], status="CANCELLED"),), given_up=now - 600)
    new(Task("CANCELLED"), region=None, given_up=now - 500)
    # Between the two runs they came and went; the second never started.
    new(Task("FAILED_SETUP", now - 800, now - 700, now - 100))
    new(Task("FAILED_PRECHECKS", now - 500, end=now - 400), region=None)
    new(Task("FAILED_CONTROLLER", end=now - 350), region=None)
    new(Task("PENDING", gpu="L4", gpus=1), user="ivo-marsh-2", region=None)
    new(Task("RUNNING", now - 800, now - 700, gpu="L4", gpus=1, machine="g6.xlarge"), region="sa-east-1")
    clusters = [replace(one, status="STOPPED") if one.name == "tobin-vale-dev" else one for one in story.clusters]
    return Story(list(jobs.values()), clusters)
