// Names the presets of a renovate.json that Renovate does not have: its own
// validator looks for none of them.
import { readFileSync } from "node:fs";
import { internalPresetNames } from "../node_modules/renovate/dist/config/presets/internal/index.js";

const known = new Set(internalPresetNames);
const { extends: wanted } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const unknown = wanted.filter((name) => !known.has(name));
if (unknown.length > 0) throw new Error(`Renovate has no preset ${unknown.join(", ")}`);
