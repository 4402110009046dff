"""GraphQL: our documents and the sandbox's schema against the schema that GitHub publishes."""

import subprocess
import sys
from pathlib import Path

HERE = Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DOCUMENTS = sorted(ROOT.glob("functions/github/src/**/*.graphql"))
SUBSET = ROOT / "sandbox" / "src" / "github" / "graphql" / "schema.graphql"

sys.exit(subprocess.run(["node", str(HERE / "published.cjs"), str(SUBSET), *map(str, DOCUMENTS)]).returncode)
