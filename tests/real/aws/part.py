"""AWS, played by moto: the secret that heals a rotated token, and the bucket that two runs share."""

import json
import sqlite3
import sys
import tempfile
from pathlib import Path

import boto3

from stage.recorder import Recorder
from stage.sandbox import GRID, NEXT, NOW, Run, Sandbox
from stage.servers import HOST, Server, free_port
from stage.verdicts import check, equal, main

REGION, KEY_ID, KEY = "eu-west-1", "AKIAEXAMPLE", "an-example-key"
OLD = "ghp_rotatedAway0000000000000000000000"
BUCKET = "vitals-state"
LATER = "2026-01-08T12:30:00Z"

POINTS = "SELECT s.metric, s.tags, p.ts, p.value FROM series s JOIN points p ON p.series = s.id"
OBSERVATIONS = "SELECT s.metric, s.tags, p.ts, p.value FROM series s JOIN distribution_values p ON p.series = s.id"


class Moto(Server):
    """moto's server, with clients of it."""

    def __init__(self):
        self.port = free_port()
        self.url = f"http://{HOST}:{self.port}"
        super().__init__("moto", [Path(sys.executable).with_name("moto_server"), "-H", HOST, "-p", self.port])
        self.own = {"AWS_REGION": REGION, "AWS_ACCESS_KEY_ID": KEY_ID, "AWS_SECRET_ACCESS_KEY": KEY}

    def client(self, service):
        """A client of one service."""
        return boto3.client(
            service, endpoint_url=self.url, region_name=REGION, aws_access_key_id=KEY_ID, aws_secret_access_key=KEY
        )


def secrets(moto):
    """Secrets Manager holds both keys; a token that was rotated is read again."""
    client = moto.client("secretsmanager")
    with Sandbox("--at", NOW) as sandbox:
        token, key = sandbox.settings["GITHUB_TOKEN"], sandbox.settings["DD_API_KEY"]
        text = lambda github: json.dumps({"GITHUB_TOKEN": github, "DD_API_KEY": key})
        arn = client.create_secret(Name="vitals/test", SecretString=text(token))["ARN"]
        own = {
            **moto.own,
            "GITHUB_TOKEN": None,
            "DD_API_KEY": None,
            "SECRET_ARN": arn,
            "AWS_ENDPOINT_URL_SECRETS_MANAGER": moto.url,
        }
        with tempfile.TemporaryDirectory() as folder:
            run = sandbox.collect(folder, NOW, **own)
            check("a run takes both keys from the secret", delivered(run), run.said)

        for sentence, fresh in (
            ("a token that was replaced heals within the run", token),
            ("a token that was only revoked fails", OLD),
        ):
            client.put_secret_value(SecretId=arn, SecretString=text(OLD))

            def before(_method, _path, headers, fresh=fresh):
                """GitHub forgets the old token as it is first used, and a person puts a new one into the secret."""
                if OLD not in headers.get("authorization", ""):
                    return None
                client.put_secret_value(SecretId=arn, SecretString=text(fresh))
                page = "https://docs.github.com/rest"
                return 401, {"message": "Bad credentials", "documentation_url": page, "status": "401"}

            with Recorder(sandbox.settings["GITHUB_URL"], before) as github, tempfile.TemporaryDirectory() as folder:
                run = sandbox.collect(
                    folder, NOW, GITHUB_URL=github.url, GITHUB_GRAPHQL_URL=f"{github.url}/graphql", **own
                )
                refused = sum(exchange.status == 401 for exchange in github.exchanges)
                if fresh == token:
                    check(sentence, delivered(run) and refused > 0, (refused, run.said))
                else:
                    check(
                        sentence,
                        run.code == 1 and "GITHUB_TOKEN" in run.said and "vitals/test" in run.said,
                        (run.code, run.said),
                    )
                shown = [secret for secret in (OLD, token, key) if secret in run.said]
                check("no secret is shown", not shown, run.said)

        with tempfile.TemporaryDirectory() as folder:
            run = sandbox.collect(folder, NOW, **{**own, "SECRET_ARN": "vitals/none"})
        check(
            "a secret that is not there is a wrong configuration",
            run.code == 78 and "SECRET_ARN" in run.said,
            (run.code, run.said),
        )


def delivered(run):
    """Whether a run read what it asked for with its credentials, and delivered it. Parts may still be incomplete."""
    return (
        run.report is not None
        and bool(run.report["samples"])
        and "401" not in run.said
        and bool(run.report["delivery"])
    )


def points(database):
    """What Datadog holds, without what a collector says about its own runs."""
    with sqlite3.connect(f"file:{database}?mode=ro", uri=True) as connection:
        rows = connection.execute(f"{POINTS} UNION ALL {OBSERVATIONS}").fetchall()
    return sorted(row for row in rows if not row[0].startswith("collector."))


def bucket(moto):
    """The store in a bucket: two runs of one target at once leave what one run would have left."""
    client = moto.client("s3")
    client.create_bucket(Bucket=BUCKET, CreateBucketConfiguration={"LocationConstraint": REGION})
    own = {**moto.own, "STATE_BUCKET": BUCKET, "S3_URL": moto.url}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        alone, shared = folder / "alone.sqlite", folder / "shared.sqlite"
        with Sandbox("--at", NOW, "--db", alone) as sandbox:
            for at in (NOW, NEXT):
                run = sandbox.collect(name, at)
                check(f"the run at {at} delivers, its store a directory", delivered(run), run.said)
                sandbox.advance(GRID)
        with Sandbox("--at", NOW, "--db", shared, "--latency", "50") as sandbox:
            run = sandbox.collect(name, NOW, **own)
            check(f"the run at {NOW} delivers, its store a bucket", delivered(run), run.said)
            keys = objects(client)
            check(
                "the bucket holds snapshots, cursors and the key of digests",
                {key.split("/")[0] for key in keys} >= {"snapshots", "cursors", "keys"},
                keys,
            )
            sandbox.advance(GRID)
            racing = [sandbox.start(name, NEXT, **own) for _ in range(2)]
            for number, process in enumerate(racing, 1):
                run = Run(process)
                check(f"run {number} of two at once delivers", delivered(run), run.said)
            found, wanted = points(shared), points(alone)
            equal("two runs at once leave as many points as one", len(found), len(wanted))
            different = set(found) ^ set(wanted)
            check("and the same ones", not different, sorted(different)[:10])
            observed = [row for row in found if row[0] == "github.ci.duration"]
            check(
                "observations are among them, which would show if they were sent twice",
                observed,
                sorted({row[0] for row in found}),
            )
            left = [key for key in objects(client) if key.startswith("spool/")]
            check("nothing is left in the spool", not left, left)
            sandbox.advance(GRID)
            run = sandbox.collect(name, LATER, **own)
        stores = [gaps for gaps in run.gaps().values() if "store" in gaps]
        check("the next run finds the store sound", delivered(run) and not stores, (stores, run.said))


def objects(client):
    """Every key of the bucket."""
    pages = client.get_paginator("list_objects_v2").paginate(Bucket=BUCKET)
    return [item["Key"] for page in pages for item in page.get("Contents", [])]


def part():
    """Starts moto, and asks."""
    with Moto() as moto:
        moto.answers(f"{moto.url}/moto-api/")
        secrets(moto)
        bucket(moto)


main(part)
