// Fails for unknown presets in a renovate.json, which Renovate's validator does not
// check.
import { readFileSync } from "node:fs";
import { internalPresetNames } from "../node_modules/renovate/dist/config/presets/internal/index.js";

const known = new Set(internalPresetNames);
const { extends: wanted } = JSON.parse(readFileSync(process.argv[2], "utf8"));
const unknown = wanted.filter((name) => !known.has(name));
if (unknown.length > 0) throw new Error(`unknown presets: ${unknown.join(", ")}`);
