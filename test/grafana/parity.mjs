// Calls Grafana's own code: each line of standard input is a question
// {"ask": NAME, ...}, each line of standard output its answer. Numbers that JSON does not have are
// strings: "NaN", "Infinity", "-Infinity".
import { createRequire } from 'node:module';
import { readFileSync } from 'node:fs';
import { createInterface } from 'node:readline';

// Grafana asks the browser for its language and its window.
Object.defineProperty(globalThis, 'navigator', { value: { language: 'en-US', languages: ['en-US'] }, configurable: true });

const require = createRequire(import.meta.url);
const data = require('@grafana/data');
const { lastValueFrom } = require('rxjs');

// uPlot draws at once, and does not export how it finds ticks.
const names = ['rangeNum', 'rangeLog', 'findIncr', 'numAxisSplits', 'logAxisSplits', 'numIncrs', 'timeIncrsMs', 'timeAxisSplitsMs'];
const source = readFileSync(require.resolve('uplot'), 'utf8');
const uplot = new Function('module', source + `; return { ${names.join(', ')} };`)({});

const themes = {
  dark: data.createTheme({ colors: { mode: 'dark' } }),
  light: data.createTheme({ colors: { mode: 'light' } }),
};

const number = (v) => (typeof v === 'string' ? Number(v) : v);
const exact = (v) => (typeof v === 'number' && !Number.isFinite(v) ? String(v) : v);

// hex writes a color as #rrggbb in lower case.
const hex = (color) => {
  const parts = /^rgb\((\d+), (\d+), (\d+)\)$/.exec(color);
  return parts ? '#' + parts.slice(1).map((n) => Number(n).toString(16).padStart(2, '0')).join('') : color.toLowerCase();
};

// frames makes Grafana's frames of ours. Fields of time and number have values, others strings.
function frames(list) {
  return list.map((f) =>
    data.createDataFrame({
      name: f.Name || undefined,
      refId: f.RefID,
      fields: f.Fields.map((field) => ({
        name: field.Name,
        type: field.Type,
        labels: field.Labels ?? undefined,
        values: field.Type === 'string' ? field.Strings : (field.Values ?? []).map(number).map((v) => (Number.isNaN(v) ? null : v)),
        config: field.Legend ? { displayNameFromDS: field.Legend } : {},
      })),
    })
  );
}

// steps restores the first step of thresholds, which is -Infinity in memory and null in a file.
function steps(config) {
  const first = config?.thresholds?.steps?.[0];
  if (first && first.value == null) {
    first.value = -Infinity;
  }
  return config;
}

function applied(q) {
  const config = structuredClone(q.config);
  steps(config.defaults);
  for (const rule of config.overrides ?? []) {
    for (const p of rule.properties) {
      if (p.id === 'thresholds') {
        steps({ thresholds: p.value });
      }
    }
  }
  return data.applyFieldOverrides({
    data: frames(q.frames),
    fieldConfig: config,
    fieldConfigRegistry: registry(),
    replaceVariables: (s) => s,
    theme: themes[q.theme],
    timeZone: 'utc',
  });
}

// registry returns the field options of a panel: the standard ones, and custom ones that are copied.
function registry() {
  const custom = (path) => ({
    id: 'custom.' + path,
    path,
    name: path,
    isCustom: true,
    process: (v) => v,
    shouldApply: () => true,
    settings: {},
    override: () => null,
    editor: () => null,
  });
  const standard = (path) => ({ ...custom(path), id: path, isCustom: false });
  const paths = ['unit', 'min', 'max', 'decimals', 'noValue', 'displayName', 'color', 'thresholds', 'mappings', 'fieldMinMax', 'links'];
  const customs = [
    'drawStyle', 'lineInterpolation', 'lineWidth', 'lineStyle', 'fillOpacity', 'gradientMode', 'showPoints', 'pointSize', 'spanNulls',
    'stacking', 'scaleDistribution', 'thresholdsStyle', 'axisPlacement', 'axisLabel', 'axisSoftMin', 'axisSoftMax', 'hideFrom', 'align', 'width', 'cellOptions',
  ];
  return new data.Registry(() => [...paths.map(standard), ...customs.map(custom)]);
}

// scale has the configuration of uPlot's scales that Grafana's UPlotScaleBuilder makes.
function limits(q) {
  const { min, max, softMin, softMax, decimals, log } = q.scale;
  const [low, high] = [number(q.low), number(q.high)];
  const onlyMin = softMin == null && min != null;
  const onlyMax = softMax == null && max != null;
  const part = (hard, soft, none) => ({ pad: 0.1, hard: hard ?? none, soft: soft || 0, mode: soft == null ? 3 : 1 });
  let range = log
    ? uplot.rangeLog(min ?? low, max ?? high, log, true)
    : uplot.rangeNum(onlyMin ? min : low, onlyMax ? max : high, { min: part(min, softMin, -Infinity), max: part(max, softMax, Infinity) });
  if (decimals === 0) {
    range = [Math.floor(range[0]), Math.ceil(range[1])];
  }
  if (onlyMin) {
    range[0] = min;
  }
  if (onlyMax) {
    range[1] = max;
  }
  if (!(range[0] < range[1])) {
    range = [log ? 1 : 0, 100];
  }
  return range;
}

const binary = Array.from({ length: 53 }, (_, i) => 2 ** i);

const answers = {
  format: (q) => {
    const t = data.getValueFormat(q.unit)(number(q.value), q.decimals ?? undefined);
    return [t.prefix ?? '', t.text, t.suffix ?? ''];
  },
  reduce: (q) => {
    const values = q.values.map(number);
    const field = { name: 'x', type: 'number', config: {}, values: values.map((v) => (Number.isNaN(v) ? null : v)) };
    return exact(data.reduceField({ field, reducers: [q.reducer] })[q.reducer] ?? NaN);
  },
  apply: (q) => {
    const out = applied(q);
    return out.map((frame) =>
      frame.fields.map((field) => ({
        name: data.getFieldDisplayName(field, frame, out),
        config: field.config,
        color: field.type === 'number' ? hex(data.getFieldSeriesColor(field, themes[q.theme]).color) : '',
        shown: field.type === 'number' ? field.values.map((v) => {
          const d = field.display(v);
          return [(d.prefix ?? '') + d.text + (d.suffix ?? ''), hex(d.color), exact(d.percent ?? 0)];
        }) : [],
        ticks: field.type === 'number' ? field.values.filter((v) => v != null).map((v) => data.formattedValueToString(field.display(v, q.decimals))) : [],
      }))
    );
  },
  transform: async (q) => {
    const configs = q.transformations.map((t) => ({ id: t.id, options: t.options }));
    const out = await lastValueFrom(data.transformDataFrame(configs, frames(q.frames)));
    return out.map((frame) =>
      frame.fields.map((field) => ({
        name: data.getFieldDisplayName(field, frame, out),
        values: Array.from(field.values, (v) => (v == null ? 'NaN' : exact(v))),
      }))
    );
  },
  limits: (q) => limits(q).map(exact),
  ticks: (q) => {
    const incrs = q.binary ? binary : uplot.numIncrs;
    const [incr, space] = uplot.findIncr(q.low, q.high, incrs, q.length, q.space);
    return incr === 0 ? [0, []] : [incr, uplot.numAxisSplits({}, 0, q.low, q.high, incr, space, false)];
  },
  logTicks: (q) => uplot.logAxisSplits({ axes: [{ scale: 'y' }], scales: { y: { log: q.base } } }, 0, q.low, q.high),
  timeTicks: (q) => {
    const [incr, space] = uplot.findIncr(q.from, q.to, uplot.timeIncrsMs, q.length, q.space);
    const utc = (t) => new Date(t);
    return uplot.timeAxisSplitsMs(utc)({ axes: [{ _space: q.space }] }, 0, q.from, q.to, incr, space);
  },
  color: (q) => themes[q.theme].visualization.getColorByName(q.name),
  palette: () => themes.dark.visualization.palette,
};

globalThis.window = {}; // after the imports, some of which would look for a document

data.standardTransformersRegistry.setInit(() =>
  [...new Set(Object.values(data.standardTransformers))].map((transformation) => ({
    id: transformation.id, name: transformation.name, aliasIds: transformation.aliasIds, transformation: async () => transformation, editor: () => null,
  }))
);

for await (const line of createInterface({ input: process.stdin })) {
  const q = JSON.parse(line);
  process.stdout.write(JSON.stringify(await answers[q.ask](q)) + '\n');
}
