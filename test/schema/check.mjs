// Derives a JSON Schema from the types that Grafana publishes for classic
// dashboards and validates every dashboard of the examples against it. Nothing of
// Grafana is copied into this repository: the schema is made at each run.
import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { createGenerator } from "ts-json-schema-generator";
import Ajv from "ajv";

const types = "node_modules/@grafana/schema/dist/types/raw/dashboard/x/types.gen.d.ts";
const examples = "../../examples";

// Keys that Grafana reads and its published types leave out. Each is in the
// documentation of the panel, variable or annotation that has it.
const undeclared = [
  { key: "expr", why: "a Prometheus query; the types leave targets open only in part" },
  { key: "step", why: "resolution of a Prometheus annotation" },
  { key: "titleFormat", why: "title of a Prometheus annotation" },
  { key: "textFormat", why: "text of a Prometheus annotation" },
  { key: "tagKeys", why: "labels of a Prometheus annotation" },
  { key: "useValueForTime", why: "time of a Prometheus annotation" },
  { key: "definition", why: "text of a query variable as the editor shows it" },
];

// Panels of a dashboard may link to other dashboards in the short form that Grafana's
// own editor saves; the types want every key of a dashboard's link.
const shortLink = /^\/links\/\d+$/;

const compile = (type) => {
  const schema = createGenerator({ path: types, type, skipTypeCheck: true, additionalProperties: false }).createSchema(type);
  return new Ajv({ allErrors: true, strict: false }).compile(schema);
};
const isDashboard = compile("Dashboard");
const isPanel = compile("Panel");
const isRow = compile("RowPanel");

let dashboards = 0;
let findings = 0;

// report prints what a validator found at one place.
function report(where, validate, value) {
  validate(value);
  for (const e of validate.errors ?? []) {
    const extra = e.params?.additionalProperty;
    if (undeclared.some(({ key }) => key === extra)) continue;
    if (validate === isPanel && e.keyword === "required" && shortLink.test(e.instancePath)) continue;
    if (["anyOf", "oneOf"].includes(e.keyword)) continue; // the branches tell what is wrong
    findings++;
    console.error(`${where}${e.instancePath}: ${e.message}${extra ? ` (${extra})` : ""}`);
  }
}

// The types give panels and rows as one union; each is checked as what it is,
// so that a finding names the key and not the union.
function check(where, dashboard) {
  report(where, isDashboard, { ...dashboard, panels: [] });
  for (const panel of dashboard.panels) {
    const place = `${where}, panel ${panel.title}: `;
    if (panel.type === "row") report(place, isRow, { ...panel, panels: [] });
    for (const inner of panel.type === "row" ? panel.panels : [panel]) report(place, isPanel, inner);
  }
}

for (const example of readdirSync(examples)) {
  const directory = join(examples, example, "observability", "dashboards");
  let files = [];
  try {
    files = readdirSync(directory).filter((name) => name.endsWith(".json"));
  } catch {
    continue; // an example without dashboards
  }
  for (const name of files) {
    dashboards++;
    check(`${example}/${name}`, JSON.parse(readFileSync(join(directory, name), "utf8")));
  }
}
if (dashboards === 0) {
  console.error("no dashboard was found below examples/");
  process.exit(1);
}
console.log(`${dashboards} dashboards checked against @grafana/schema, ${findings} findings`);
process.exit(findings > 0 ? 1 : 0);
