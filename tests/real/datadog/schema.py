"""Datadog's OpenAPI documents as JSON Schema, loose for what Datadog may say and strict for what we send."""

import json
import re
import sys
import tarfile
from pathlib import Path

import jsonschema
import yaml

from stage import cache

HERE = Path(__file__).resolve().parent
# Keys below which a value is no schema.
DATA = {"example", "examples", "default", "enum"}


def fetch():
    """Both documents by version, read once from the archive of Datadog's own client."""
    source = HERE / "source.txt"
    with cache.made("datadog", source.read_text()) as (folder, new):
        if new:
            print("  fetching Datadog's OpenAPI documents", flush=True)
            cache.pip(
                sys.executable,
                "download",
                "--quiet",
                "--no-deps",
                "--no-binary",
                ":all:",
                "--dest",
                folder,
                "--requirement",
                source,
            )
            with tarfile.open(next(folder.glob("*.tar.gz"))) as archive:
                for member in archive:
                    found = re.search(r"\.generator/schemas/(v\d)/openapi\.yaml$", member.name)
                    if found:
                        document = yaml.load(
                            archive.extractfile(member), Loader=getattr(yaml, "CSafeLoader", yaml.SafeLoader)
                        )
                        (folder / f"{found[1]}.json").write_text(json.dumps(document, default=str))
    return {version: json.loads((folder / f"{version}.json").read_text()) for version in ("v1", "v2")}


def translated(schema, strict):
    """OpenAPI 3.0 as JSON Schema: what may be null says so, and strictly, what is not declared is refused."""
    if isinstance(schema, list):
        return [translated(item, strict) for item in schema]
    if not isinstance(schema, dict):
        return schema
    result = {key: value if key in DATA else translated(value, strict) for key, value in schema.items()}
    if isinstance(schema.get("properties"), dict) and schema.get("type") == "object" and strict:
        result.setdefault("additionalProperties", False)
    if schema.get("nullable") is True:
        if "$ref" in schema:
            return {"anyOf": [{"$ref": schema["$ref"]}, {"type": "null"}]}
        if isinstance(schema.get("type"), str):
            result["type"] = [schema["type"], "null"]
        if "enum" in schema:
            result["enum"] = [*schema["enum"], None]
    return result


class Documents:
    """What Datadog says about its API."""

    def __init__(self):
        self.documents = fetch()
        self.schemas = {
            (version, strict): translated(document["components"]["schemas"], strict)
            for version, document in self.documents.items()
            for strict in (False, True)
        }

    def operation(self, method, path):
        """The version and description of an operation, by a request's path."""
        path = path.split("?")[0]
        version = path.split("/")[2]
        templates = self.documents[version]["paths"]
        fitting = [
            template for template in templates if re.fullmatch(re.sub(r"\\{\w+\\}", "[^/]+", re.escape(template)), path)
        ]
        # A path that is written out goes before one with a placeholder.
        for template in sorted(fitting, key=lambda template: template.count("{")):
            if method.lower() in templates[template]:
                return version, templates[template][method.lower()]
        raise LookupError(f"{method} {path} is no operation of Datadog's")

    def errors(self, version, schema, value, strict):
        """What is wrong with a value, one line each."""
        whole = {**translated(schema, strict), "components": {"schemas": self.schemas[version, strict]}}
        found = jsonschema.Draft4Validator(whole).iter_errors(value)
        return [f"{'/'.join(map(str, error.absolute_path))}: {error.message[:300]}" for error in found]

    def request(self, method, path, value, strict=True):
        """What is wrong with a request's body."""
        version, operation = self.operation(method, path)
        (content,) = operation["requestBody"]["content"].values()
        return self.errors(version, content["schema"], value, strict)

    def answer(self, method, path, status, value):
        """What is wrong with an answer of the sandbox's, which has no business to say more than Datadog does."""
        version, operation = self.operation(method, path)
        described = operation["responses"].get(str(status))
        if described is None:
            return [f"{status} is no answer to {method} {path}"]
        if "$ref" in described:
            described = self.documents[version]["components"]["responses"][described["$ref"].split("/")[-1]]
        content = described.get("content", {}).get("application/json") or next(iter(described["content"].values()))
        return self.errors(version, content["schema"], value, True)
