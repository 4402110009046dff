"""Writes a story into the databases of a SkyPilot server."""

import base64
import json
import os
import sqlite3
import subprocess
import sys
from collections import Counter
from contextlib import closing
from pathlib import Path

import psutil

from story import OVER, RAN, WORKERS, group

HANDLES = Path(__file__).with_name("handles.py")

# SkyPilot's own list of machines comes from the internet. Prices are ours: nothing here asks for them.
CATALOGUE = Path(".sky/catalogs/v8/aws/vms.csv")
COLUMNS = (
    "InstanceType,AcceleratorName,AcceleratorCount,vCPUs,MemoryGiB,GpuInfo,Price,SpotPrice,Region,AvailabilityZone,"
    "Arch,LocalDiskType,NVMeSupported,LocalDiskSize,LocalDiskCount"
)


def task_name(number):
    """The name of a task."""
    return f"stage-{number}"


def clusters(story):
    """All clusters: those of the story, the workers, and those of running tasks, which SkyPilot finds by their name."""
    for one in story.clusters:
        yield {"name": one.name, "machine": one.machine, "region": "us-east-1", "spot": False, "nodes": 1}, one
    for one in WORKERS.values():
        where = {"machine": one.machine, "region": one.region, "spot": one.spot, "nodes": 1}
        yield {"name": one.name, **where}, None
    for job in story.jobs:
        for number, task in enumerate(job.tasks):
            if task.machine:
                name = f"{task_name(number)}-{job.id}"
                where = {"machine": task.machine, "region": job.region, "spot": task.spot, "nodes": task.nodes}
                yield {"name": name, **where}, None


def catalogue(home, story):
    """Writes the list of the machines that the story has."""
    gpus = {one.machine: one for one in WORKERS.values()}
    gpus |= {task.machine: task for job in story.jobs for task in job.tasks if task.machine}
    lines = [COLUMNS]
    for machine, region in {(cluster["machine"], cluster["region"]) for cluster, _ in clusters(story)}:
        task = gpus.get(machine)
        gpu = f"{task.gpu},{task.gpus:g}" if task and task.gpu else ","
        info = task.gpu if task and task.gpu else ""
        lines.append(f"{machine},{gpu},8,32,{info},1,0.4,{region},{region}a,x86_64,,,,")
    file = home / CATALOGUE
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text("\n".join(lines) + "\n")


def handles(home, story):
    """Begins to make the handles of all clusters."""
    env = {"HOME": str(home), "PATH": os.environ["PATH"], "SKYPILOT_DISABLE_USAGE_COLLECTION": "1"}
    process = subprocess.Popen(
        [sys.executable, str(HANDLES)], env=env, cwd=home, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    process.stdin.write(json.dumps([cluster for cluster, _ in clusters(story)]))
    process.stdin.close()
    return process


def resources(job, task):
    """What was asked for, as SkyPilot words it. A pool says by itself how it is paid for."""
    inside = f"{task.gpu}:{task.gpus:g}" if task.gpu else "CPU:1+"
    way = "[On-demand|Spot]" if task.either else "[Spot]" if task.spot and not job.pool else ""
    return task.alternatives or f"{task.nodes}x[{inside}]{way}"


def counted(task):
    """SkyPilot's two columns of how long a task ran: the last start or recovery, and what it had run before that."""
    if task.start is None or not task.dated:
        return -1, 0
    if task.status == "RECOVERING":
        return task.start, RAN
    before = 60 if task.lost else 0
    return task.start + task.lost + before, before


def schedule_state(job):
    """Where the scheduler stands with a job; what is inactive is not taken by any controller."""
    if job.is_over:
        return "DONE"
    return "INACTIVE" if all(task.start is None for task in job.tasks) else "ALIVE"


def insert(database, table, row):
    """Writes one row, over the one that has its key."""
    names, marks = ",".join(row), ",".join("?" * len(row))
    database.execute(f"INSERT OR REPLACE INTO {table} ({names}) VALUES ({marks})", tuple(row.values()))


def jobs(home, story):
    """Writes all jobs anew."""
    me = psutil.Process()
    with closing(sqlite3.connect(home / ".sky/spot_jobs.db", timeout=30)) as database, database:
        database.execute("DELETE FROM spot")
        database.execute("DELETE FROM job_info")
        for job in story.jobs:
            insert(
                database,
                "job_info",
                {
                    "spot_job_id": job.id,
                    "name": "blue-whale-pretraining",
                    "schedule_state": schedule_state(job),
                    "controller_pid": None if job.is_over else me.pid,
                    "controller_pid_started_at": None if job.is_over else me.create_time(),
                    "user_hash": job.user,
                    "workspace": "default",
                    "priority": 500,
                    "execution": "parallel" if job.parallel else "serial",
                    "cloud": job.region and "AWS",
                    "region": job.region,
                    "root_job_id": job.root,
                    "pool": job.pool,
                    "current_cluster_name": job.pool and job.region and WORKERS[job.pool].name,
                },
            )
            for number, task in enumerate(job.tasks):
                recovered, before = counted(task)
                insert(
                    database,
                    "spot",
                    {
                        "spot_job_id": job.id,
                        "task_id": number,
                        "job_name": task_name(number),
                        "task_name": task_name(number),
                        "is_primary_in_job_group": task.primary,
                        "resources": resources(job, task),
                        "submitted_at": task.submitted,
                        "status": task.status,
                        "start_at": task.start,
                        "end_at": task.end,
                        "last_recovered_at": recovered,
                        "job_duration": before,
                        "recovery_count": task.recoveries,
                        "failure_reason": "of mira-quill" if group(task.status) == "failed" else None,
                        "specs": "{}",
                        "metadata": "{}",
                    },
                )


def state(home, story, handles):
    """Writes all clusters and people anew."""
    with closing(sqlite3.connect(home / ".sky/state.db", timeout=30)) as database, database:
        database.execute("DELETE FROM clusters")
        for user in {job.user for job in story.jobs}:
            insert(database, "users", {"id": user, "name": f"{user}@example.com", "created_at": 0, "type": "sso"})
        for cluster, own in clusters(story):
            insert(
                database,
                "clusters",
                {
                    "name": cluster["name"],
                    "launched_at": 1,
                    "handle": base64.b64decode(handles[cluster["name"]]),
                    "last_use": "sky launch",
                    "status": own.status if own else "UP",
                    "cluster_hash": f"hash-of-{cluster['name']}",
                    "cluster_ever_up": 1,
                    "status_updated_at": 1,
                    "user_hash": "mira-quill",
                    "workspace": "default",
                    "is_managed": int(own.managed if own else True),
                },
            )


def odd(home):
    """Writes a newest job with a status that the server does not know: it fails whatever is asked of the queue."""
    with closing(sqlite3.connect(home / ".sky/spot_jobs.db", timeout=30)) as database, database:
        insert(database, "job_info", {"spot_job_id": 9999, "name": "odd", "user_hash": "odd", "workspace": "default"})
        insert(database, "spot", {"spot_job_id": 9999, "task_id": 0, "status": "HIBERNATING", "metadata": "{}"})


def told(story):
    """The story in a line."""
    words = Counter(job.status for job in story.jobs)
    live = sum(not job.is_over for job in story.jobs)
    groups, shared = sum(job.parallel for job in story.jobs), sum(bool(job.pool) for job in story.jobs)
    pending = sum(job.status == "PENDING" for job in story.jobs)
    never = sum(job.is_over and all(task.submitted is None for task in job.tasks) for job in story.jobs)
    own = Counter(one.status for one in story.clusters)
    number = sum(len(job.tasks) for job in story.jobs)
    open_words = sum(group(word) not in OVER for word in words)
    return (
        f"{len(story.jobs)} jobs with {number} tasks, {live} of them open, in {len(words)} statuses "
        f"({open_words} of open ones); {groups} are groups, {shared} on pools, {pending} pending, {never} ended without "
        f"being submitted; {sum(own.values())} clusters and those of the jobs"
    )
