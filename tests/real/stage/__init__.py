"""What the parts stand on: their cache, servers, the sandbox, and the verdicts they give."""
