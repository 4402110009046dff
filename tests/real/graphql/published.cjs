// Validates GraphQL documents, and a cut-down schema, against the schema that GitHub publishes.

const { readFileSync } = require("node:fs");
const { basename, join } = require("node:path");
const graphql = require("graphql");

const NODES = 500_000;

function check(sentence, problems) {
  console.log(`${problems.length === 0 ? "  ok      " : "  FAILED  "}${sentence}`);
  for (const problem of problems) console.log(`          ${problem}`);
}

const build = (text) => graphql.buildSchema(text, { assumeValidSDL: true });
const published = build(readFileSync(join(process.env.NODE_PATH, "@octokit/graphql-schema/schema.graphql"), "utf8"));
const [subsetFile, ...files] = process.argv.slice(2);
const subset = build(readFileSync(subsetFile, "utf8"));

// A file of fragments alone belongs to each document that spreads one of them, as it does where they are compiled in.
const texts = files.map((file) => [basename(file), readFileSync(file, "utf8")]);
const asks = (text) => graphql.parse(text).definitions.some(({ kind }) => kind === "OperationDefinition");
const names = (text) => graphql.parse(text).definitions.map(({ name }) => name?.value);
const shared = texts.filter(([, text]) => !asks(text)).map(([, text]) => text);
const whole = (text) => [text, ...shared.filter((more) => names(more).some((name) => text.includes(`...${name}\n`)))].join("");
const documents = texts.filter(([, text]) => asks(text)).map(([name, text]) => [name, whole(text)]);

const invalid = (schema, text) =>
  graphql.validate(schema, graphql.parse(text)).map((error) => `${error.message} (line ${error.locations?.[0]?.line})`);

// GitHub's own limits, which no schema tells: https://docs.github.com/en/graphql/overview/rate-limits-and-query-limits-for-the-graphql-api
function beyondLimits(text) {
  const document = graphql.parse(text);
  const fragments = new Map();
  for (const definition of document.definitions) {
    if (definition.kind === "FragmentDefinition") fragments.set(definition.name.value, definition);
  }
  const problems = [];
  // A page size in a variable is as large as GitHub lets it be.
  const pageSize = (field) => {
    const argument = field.arguments?.find(({ name }) => name.value === "first" || name.value === "last");
    if (!argument) return undefined;
    return argument.value.kind === "IntValue" ? Number(argument.value.value) : 100;
  };
  function nodes(selections, type, outer) {
    let sum = 0;
    for (const selection of selections) {
      if (selection.kind === "FragmentSpread") {
        const fragment = fragments.get(selection.name.value);
        sum += nodes(fragment.selectionSet.selections, published.getType(fragment.typeCondition.name.value), outer);
      } else if (selection.kind === "InlineFragment") {
        const inner = selection.typeCondition ? published.getType(selection.typeCondition.name.value) : type;
        sum += nodes(selection.selectionSet.selections, inner, outer);
      } else if (selection.selectionSet) {
        const result = graphql.getNamedType(type.getFields()[selection.name.value].type);
        const name = selection.alias?.value ?? selection.name.value;
        const size = pageSize(selection);
        if (result.name.endsWith("Connection") && size === undefined) {
          const asked = selection.selectionSet.selections.map((field) => field.name?.value);
          if (asked.some((field) => field === "nodes" || field === "edges")) problems.push(`${name} has neither first nor last`);
        }
        if (size !== undefined && (size < 1 || size > 100)) problems.push(`${name} asks for ${size} at once`);
        const here = size === undefined ? outer : outer * size;
        sum += (size === undefined ? 0 : here) + nodes(selection.selectionSet.selections, result, here);
      }
    }
    return sum;
  }
  for (const definition of document.definitions) {
    if (definition.kind !== "OperationDefinition") continue;
    const count = nodes(definition.selectionSet.selections, published.getRootType(definition.operation), 1);
    if (count > NODES) problems.push(`${definition.name?.value} asks for up to ${count} nodes, more than ${NODES}`);
  }
  return problems;
}

function kind(type) {
  return type.astNode?.kind ?? type.constructor.name;
}

function compareArguments(where, ours, theirs) {
  const problems = [];
  for (const argument of ours) {
    const other = theirs.find(({ name }) => name === argument.name);
    if (!other) problems.push(`${where}(${argument.name}:) is not published`);
    else {
      if (String(argument.type) !== String(other.type)) problems.push(`${where}(${argument.name}: ${argument.type}) is published as ${other.type}`);
      if (JSON.stringify(argument.defaultValue) !== JSON.stringify(other.defaultValue)) {
        problems.push(`${where}(${argument.name}:) has the default ${JSON.stringify(argument.defaultValue)}, published ${JSON.stringify(other.defaultValue)}`);
      }
    }
  }
  for (const other of theirs) {
    if (graphql.isRequiredArgument(other) && !ours.some(({ name }) => name === other.name)) problems.push(`${where} lacks the required ${other.name}`);
  }
  return problems;
}

function compareType(ours, theirs) {
  if (!theirs) return [`${ours.name} is not published`];
  if (kind(ours) !== kind(theirs)) return [`${ours.name} is ${kind(ours)}, published as ${kind(theirs)}`];
  const problems = [];
  if (graphql.isEnumType(ours)) {
    for (const { name } of ours.getValues()) if (!theirs.getValue(name)) problems.push(`${ours.name}.${name} is not published`);
    // A value we do not know is one that a query may name and that we would refuse.
    for (const { name } of theirs.getValues()) if (!ours.getValue(name)) problems.push(`${ours.name} lacks ${name}`);
  }
  if (graphql.isUnionType(ours)) {
    const members = theirs.getTypes().map(({ name }) => name);
    for (const { name } of ours.getTypes()) if (!members.includes(name)) problems.push(`${ours.name} does not hold ${name}`);
  }
  if (graphql.isObjectType(ours) || graphql.isInterfaceType(ours)) {
    const interfaces = theirs.getInterfaces().map(({ name }) => name);
    for (const { name } of ours.getInterfaces()) if (!interfaces.includes(name)) problems.push(`${ours.name} does not implement ${name}`);
  }
  if (graphql.isObjectType(ours) || graphql.isInterfaceType(ours) || graphql.isInputObjectType(ours)) {
    for (const field of Object.values(ours.getFields())) {
      const where = `${ours.name}.${field.name}`;
      const other = theirs.getFields()[field.name];
      if (!other) problems.push(`${where} is not published`);
      else {
        if (String(field.type) !== String(other.type)) problems.push(`${where}: ${field.type} is published as ${other.type}`);
        if (field.args) problems.push(...compareArguments(where, field.args, other.args));
      }
    }
  }
  if (graphql.isInputObjectType(ours)) {
    for (const other of Object.values(theirs.getFields())) {
      if (graphql.isRequiredInputField(other) && !ours.getFields()[other.name]) problems.push(`${ours.name} lacks the required ${other.name}`);
    }
  }
  return problems;
}

check("the validator refuses a field that GitHub does not have", invalid(published, "{ viewer { login shoeSize } }").length === 1 ? [] : ["it does not"]);
check("the limits refuse a page of 101 and half a million nodes", (() => {
  const large = beyondLimits("{ viewer { repositories(first: 100) { nodes { issues(first: 100) { nodes { comments(first: 101) { nodes { id } } } } } } } }");
  return large.length === 2 ? [] : large.concat("they do not");
})());
check("there are documents to validate", documents.length > 0 ? [] : ["no .graphql file was found"]);
for (const [name, text] of documents) {
  const problems = invalid(published, text);
  check(`${name} is valid against GitHub's published schema`, problems);
  if (problems.length > 0) continue;
  check(`${name} keeps to GitHub's limits of 100 a page and ${NODES} nodes`, beyondLimits(text));
  check(`${name} is valid against the sandbox's schema`, invalid(subset, text));
}

const own = Object.values(subset.getTypeMap()).filter(({ name }) => !name.startsWith("__"));
for (const type of own) {
  if (graphql.isSpecifiedScalarType(type)) continue;
  const problems = compareType(type, published.getType(type.name));
  check(`the sandbox's ${type.name} is as published`, problems);
}
for (const directive of subset.getDirectives()) {
  if (!graphql.isSpecifiedDirective(directive) && !published.getDirective(directive.name)) check(`the directive ${directive.name} is published`, ["it is not"]);
}
