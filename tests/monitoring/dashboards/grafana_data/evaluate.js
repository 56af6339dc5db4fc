// Grafana's own reduction, transformations and display, for what Prometheus answered.
// stdin: {"panels": [{"frames", "reduce", "transformations", "fieldConfig"}]}; stdout: the same
// list as [{"tiles": [...]}] or [{"columns": [...], "rows": [[{"text", "color"}]]}].

// @grafana/data looks at these when it is loaded; nothing here needs a browser.
global.window = global;
global.localStorage = { getItem: () => null, setItem: () => {} };
global.document = { createElement: () => ({ getContext: () => null, style: {} }), addEventListener: () => {} };
global.location = { href: 'http://localhost/', search: '' };
global.addEventListener = () => {};
if (!global.navigator) global.navigator = { language: 'en-US', languages: ['en-US'], userAgent: 'node' };

const {
  createTheme, getDisplayProcessor, reduceField, standardTransformers, standardTransformersRegistry,
  toDataFrame, transformDataFrame, rangeUtil, dateTime,
} = require('@grafana/data');
const theme = createTheme();

standardTransformersRegistry.setInit(() => [
  standardTransformers.mergeTransformer,
  standardTransformers.organizeFieldsTransformer,
  standardTransformers.orderFieldsTransformer,
  standardTransformers.renameFieldsTransformer,
  standardTransformers.filterFieldsByNameTransformer,
].map((transformation) => ({ id: transformation.id, name: transformation.name, transformation })));

// JSON has no such numbers, and Prometheus answers with them.
const ODD = { nan: NaN, inf: Infinity, '-inf': -Infinity };

function frameOf(given) {
  const fields = given.fields.map((field) => (field.type === 'number'
    ? { ...field, values: field.values.map((value) => (value in ODD ? ODD[value] : value)) } : field));
  return toDataFrame({ ...given, fields });
}

function set(config, path, value) {
  const parts = path.split('.');
  const last = parts.pop();
  const place = parts.reduce((here, part) => (here[part] = here[part] || {}), config);
  place[last] = value;
}

function configOf(field, fieldConfig) {
  const config = JSON.parse(JSON.stringify({ ...fieldConfig.defaults, ...(field.config || {}) }));
  for (const override of fieldConfig.overrides || []) {
    if (override.matcher.id === 'byName' && override.matcher.options === nameOf(field)) {
      for (const property of override.properties) set(config, property.id, property.value);
    }
  }
  return config;
}

const nameOf = (field) => (field.config && field.config.displayName) || field.name;

function shown(field, value, fieldConfig) {
  const config = configOf(field, fieldConfig);
  const display = getDisplayProcessor({ field: { ...field, config }, theme });
  const { text, prefix, suffix, color } = display(value);
  const coloured = Boolean(config.custom && (config.custom.displayMode || config.custom.cellOptions));
  const hidden = Boolean(config.custom && config.custom.hidden);
  return { text: (prefix || '') + text + (suffix || ''), color, coloured, hidden, value };
}

function tiles(panel) {
  const made = [];
  for (const frame of panel.frames.map(frameOf)) {
    for (const field of frame.fields.filter((one) => one.type === 'number')) {
      const calc = panel.reduce[0];
      const value = reduceField({ field, reducers: [calc] })[calc];
      made.push({ title: nameOf(field), ...shown(field, value, panel.fieldConfig) });
    }
  }
  const nothing = made.length ? undefined : panel.fieldConfig.defaults.noValue || 'No data';
  return { tiles: made, nothing };
}

async function table(panel) {
  const series = await new Promise((resolve) =>
    transformDataFrame(panel.transformations, panel.frames.map(frameOf)).subscribe(resolve));
  const frame = series[0];
  if (!frame) return { columns: [], rows: [] };
  const rows = [];
  for (let row = 0; row < frame.length; row += 1) {
    rows.push(frame.fields.map((field) => shown(field, field.values[row], panel.fieldConfig)));
  }
  return { columns: frame.fields.map(nameOf), rows, frames: series.length };
}

function intervals(ranges) {
  return ranges.map(({ seconds, points, lowest }) => {
    const to = dateTime(1.8e12);
    const range = { from: dateTime(1.8e12 - seconds * 1000), to, raw: { from: '', to: '' } };
    return rangeUtil.calculateInterval(range, points, lowest).intervalMs;
  });
}

async function main() {
  const asked = JSON.parse(require('fs').readFileSync(0, 'utf8'));
  const panels = [];
  for (const panel of asked.panels || []) panels.push(panel.reduce ? tiles(panel) : await table(panel));
  process.stdout.write(JSON.stringify({ panels, intervals: intervals(asked.intervals || []) }));
}

main();
