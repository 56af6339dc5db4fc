"use strict";
// Charts on one time axis: hover in one shows the same moment in all, dragging zooms them all, a
// double click shows everything again. Colours come from the page's style sheet.
const Charts = (() => {
  const DASHES = [[], [7, 3], [2, 3], [9, 3, 2, 3]];
  const made = [];
  const style = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const colour = (index) => style(`--line-${(index % 6) + 1}`);

  function clock(seconds) {
    const whole = Math.round(seconds), h = Math.floor(whole / 3600), m = Math.floor(whole / 60) % 60;
    const s = Math.abs(seconds - whole) > 0.05 ? (seconds % 60).toFixed(1) : String(whole % 60);
    if (!h && !m) return `${s}s`;
    const pad = (text) => String(text).padStart(2, "0");
    return h ? `${h}:${pad(m)}:${pad(s)}` : `${m}:${pad(s)}`;
  }
  function milliseconds(value) {
    if (value == null) return "–";
    if (value >= 1000) return `${+(value / 1000).toPrecision(3)} s`;
    return `${value >= 100 ? Math.round(value) : +value.toPrecision(3)} ms`;
  }
  const plain = (value) => (value == null ? "–" : (+value.toPrecision(4)).toLocaleString("en"));

  function draw(place, chart) {
    const axis = { stroke: () => style("--text"), grid: { stroke: () => style("--grid"), width: 1 },
      ticks: { show: false }, font: "12px system-ui, sans-serif" };
    const show = chart.unit === "ms" ? milliseconds : plain;
    const dates = chart.dates === true;
    const options = {
      width: Math.max(240, place.clientWidth), height: chart.height || 190,
      cursor: { sync: dates ? undefined : { key: "run" }, drag: { x: true, y: false } },
      scales: { x: { time: dates }, y: chart.logarithmic
        ? { distr: 3, range: (u, low, high) => [Math.max(1e-3, low / 1.3), high * 1.3] }
        : { range: (u, low, high) => [0, high > 0 ? high * 1.08 : 1] } },
      axes: [{ ...axis, values: dates ? undefined : (u, ticks) => ticks.map(clock) },
        { ...axis, size: 64, values: (u, ticks) => ticks.map((tick) => tick == null ? "" :
          chart.logarithmic && !/^[125]/.test(String(tick).replace(/[0.]/g, "")) ? "" : show(tick)) }],
      series: [{ label: dates ? "begin (UTC)" : "time", value: (u, x) => x == null ? "–" : dates
        ? new Date(x * 1000).toISOString().slice(0, 16).replace("T", " ") : clock(x) },
        ...chart.series.map((one, index) => ({
          label: one.label, stroke: () => colour(one.colour ?? index), width: one.band ? 0 : 1.8,
          dash: DASHES[index % 4], spanGaps: true, points: { show: chart.points === true },
          paths: one.steps ? uPlot.paths.stepped({ align: 1 }) : undefined,
          value: (u, value) => show(value) }))],
      hooks: chart.hooks || {}, bands: chart.bands || [],
    };
    let lines = [chart.x, ...chart.series.map((one) => one.y)];
    // Every chart reaches from the begin of the run to its end, so that moments stand in a column.
    if (chart.end) lines = lines.map((line, i) => [i ? null : 0, ...line, i ? null : chart.end]);
    const plot = new uPlot(options, lines, place);
    plot.root.querySelectorAll(".u-legend .u-series").forEach((row, index) =>
      row.classList.toggle("hidden", index > 0 && chart.series[index - 1].band === true));
    plot.root.setAttribute("role", "img");
    plot.root.setAttribute("aria-label", chart.title);
    made.push([plot, place]);
    return plot;
  }

  function heatmap(heat) {
    const most = Math.log1p(Math.max(...heat.cells.map((cell) => cell[2]), 1));
    return { draw: [(u) => {
      const context = u.ctx; context.save();
      context.beginPath(); context.rect(u.bbox.left, u.bbox.top, u.bbox.width, u.bbox.height);
      context.clip(); context.fillStyle = style("--line-1");
      for (const [window, bucket, count] of heat.cells) {
        const [from, to] = heat.windows[window];
        const left = u.valToPos(from, "x", true), right = u.valToPos(to, "x", true);
        const low = u.valToPos(heat.edges[bucket], "y", true);
        const high = u.valToPos(heat.edges[bucket + 1], "y", true);
        context.globalAlpha = 0.12 + 0.88 * Math.log1p(count) / most;
        context.fillRect(left, high, Math.max(1, right - left), Math.max(1, low - high));
      }
      context.restore();
    }] };
  }

  function resize() {
    for (const [plot, place] of made) {
      const width = Math.max(240, place.clientWidth);
      if (place.isConnected && width !== plot.width) plot.setSize({ width, height: plot.height });
    }
  }
  addEventListener("resize", resize);
  addEventListener("beforeprint", resize);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change",
    () => made.forEach(([plot]) => plot.redraw(false)));
  return { draw, heatmap, milliseconds, plain, clock };
})();
