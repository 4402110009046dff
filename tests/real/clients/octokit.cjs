// GitHub's own client for JavaScript against the sandbox.

const { createRequire } = require("node:module");
const { join } = require("node:path");
const { pathToFileURL } = require("node:url");

const modules = createRequire(join(process.env.NODE_PATH, "here.js"));
const load = (name) => import(pathToFileURL(modules.resolve(name)));

function check(sentence, good, why) {
  console.log(`${good ? "  ok      " : "  FAILED  "}${sentence}`);
  if (!good) console.log(`          ${String(why).slice(0, 2000)}`);
}

async function verdict(sentence, proof) {
  try {
    const why = await proof();
    check(sentence, why === true, JSON.stringify(why));
  } catch (error) {
    check(sentence, false, error.stack);
  }
}

async function main() {
  const { Octokit: Core } = await load("@octokit/core");
  const { paginateRest } = await load("@octokit/plugin-paginate-rest");
  const { paginateGraphQL } = await load("@octokit/plugin-paginate-graphql");
  const { restEndpointMethods } = await load("@octokit/plugin-rest-endpoint-methods");
  const Octokit = Core.plugin(restEndpointMethods, paginateRest, paginateGraphQL);
  const quiet = { debug() {}, info() {}, warn: console.warn, error() {} };
  const client = (auth) => new Octokit({ auth, baseUrl: process.env.GITHUB_URL, log: quiet });
  const octokit = client(process.env.GITHUB_TOKEN);
  const [owner, repo] = process.env.GITHUB_REPOS.split(",")[0].split("/");
  const refused = async (call) => {
    try {
      await call;
    } catch (error) {
      return error.status;
    }
    return "not refused";
  };

  await verdict("repos.get gives the repository", async () => {
    const { data } = await octokit.rest.repos.get({ owner, repo });
    return data.full_name.toLowerCase() === `${owner}/${repo}`.toLowerCase() || data.full_name;
  });
  await verdict("paginate walks all workflow runs of a week, each once", async () => {
    const created = "2026-01-01T12:00:00Z..2026-01-08T12:00:00Z";
    const first = await octokit.rest.actions.listWorkflowRunsForRepo({ owner, repo, created, per_page: 100 });
    const runs = await octokit.paginate(octokit.rest.actions.listWorkflowRunsForRepo, { owner, repo, created, per_page: 100 });
    const wanted = Math.min(first.data.total_count, 1000);
    const ids = new Set(runs.map((run) => run.id));
    return (wanted > 100 && runs.length === wanted && ids.size === wanted) || [first.data.total_count, runs.length, ids.size];
  });
  await verdict("paginate walks all commits by their links", async () => {
    const commits = await octokit.paginate(octokit.rest.repos.listCommits, { owner, repo, since: "2025-12-20T00:00:00Z", per_page: 20 });
    return (commits.length > 20 && new Set(commits.map((commit) => commit.sha)).size === commits.length) || commits.length;
  });
  const query = `query ($owner: String!, $repo: String!, $cursor: String) {
    repository(owner: $owner, name: $repo) {
      pullRequests(states: MERGED, first: 20, after: $cursor, orderBy: { field: UPDATED_AT, direction: DESC }) {
        totalCount
        nodes { number mergedAt author { login } reviews(first: 5) { nodes { state } } }
        pageInfo { hasNextPage endCursor }
      }
    }
  }`;
  await verdict("graphql.paginate walks all merged pull requests, each once", async () => {
    const { repository } = await octokit.graphql.paginate(query, { owner, repo });
    const { nodes, totalCount } = repository.pullRequests;
    const numbers = new Set(nodes.map(({ number }) => number));
    return (totalCount > 20 && nodes.length === totalCount && numbers.size === totalCount) || [totalCount, nodes.length, numbers.size];
  });
  await verdict("graphql refuses a field that GitHub does not have", async () => {
    try {
      await octokit.graphql("{ viewer { shoeSize } }");
    } catch (error) {
      return (error.name === "GraphqlResponseError" && error.errors[0].extensions?.code === "undefinedField") || error.errors || error.stack;
    }
    return "it does not";
  });
  await verdict("a repository that is gone is a 404", async () => {
    const status = await refused(octokit.rest.repos.get({ owner, repo: "gone" }));
    return status === 404 || status;
  });
  await verdict("an unknown token is a 401", async () => {
    const status = await refused(client("ghp_unknown").rest.repos.get({ owner, repo }));
    return status === 401 || status;
  });
  await verdict("a known answer is a 304", async () => {
    const { headers } = await octokit.rest.repos.get({ owner, repo });
    const status = await refused(octokit.rest.repos.get({ owner, repo, headers: { "if-none-match": headers.etag } }));
    return status === 304 || status;
  });
  await verdict("rateLimit.get tells both budgets", async () => {
    const { data } = await octokit.rest.rateLimit.get();
    return (data.resources.core.limit >= data.resources.core.remaining && data.resources.graphql.remaining > 0) || data;
  });
}

main();
