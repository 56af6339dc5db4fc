"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const byId = (id) => document.getElementById(id);
  const runs = new Map(data.runs.map((run) => [run.directory, run]));
  const trusted = (run) => run.verdict === "passed" || run.verdict === "failed";
  const element = (tag, text, kind) => {
    const made = document.createElement(tag);
    if (text != null) made.textContent = text;
    if (kind) made.className = kind;
    return made;
  };

  // --- trend -------------------------------------------------------------------------------
  const key = (run) => `${run.scenario} on ${run.host}`;
  const counts = new Map();
  data.runs.filter(trusted).forEach((run) => counts.set(key(run), (counts.get(key(run)) || 0) + 1));
  const scenarios = [...counts.keys()].sort((a, b) => counts.get(b) - counts.get(a) || (a < b ? -1 : 1));
  scenarios.forEach((name) => byId("scenario").append(element("option", name)));
  const chosen = () => data.runs.filter((run) => trusted(run) && key(run) === scenarios[byId("scenario").selectedIndex]);

  function offerNames() {
    const names = new Set(chosen().flatMap((run) => run.names.map((row) => row[0])));
    byId("name").replaceChildren(...[...names].map((name) => element("option", name)));
  }
  function drawTrend() {
    const name = byId("name").value, mine = chosen();
    const rows = mine.map((run) => run.names.find((row) => row[0] === name) || null);
    const x = mine.map((run) => run.at);
    for (let i = 1; i < x.length; i++) if (x[i] <= x[i - 1]) x[i] = x[i - 1] + 1e-3;
    const part = (index, which) => rows.map((row) => row && row[index] ? row[index][which] : null);
    const chart = (id, title, series, more) => {
      byId(id).replaceChildren();
      if (mine.length) Charts.draw(byId(id), { title, x, series, dates: true, points: true, ...more });
      else byId(id).append(element("p", "No valid run yet.", "soft"));
    };
    const series = [], bands = [];
    ["p50", "p95", "p99"].forEach((label, i) => {
      series.push({ label, y: part(3 + i, 0), colour: i });
      series.push({ label: `${label} to`, y: part(3 + i, 2), colour: i, band: true });
      series.push({ label: `${label} from`, y: part(3 + i, 1), colour: i, band: true });
      const shade = getComputedStyle(document.documentElement).getPropertyValue(`--line-${i + 1}`).trim();
      bands.push({ series: [3 * i + 2, 3 * i + 3], fill: `${shade}33` });
    });
    chart("times", "Response time by run", series, { unit: "ms", height: 260, bands });
    chart("throughput", "Throughput by run", [{ label: "requests/s", y: rows.map((row, i) => row && mine[i].requests
      ? row[1] * mine[i].throughput / mine[i].requests : null) }]);
    chart("failures", "Failures by run", [{ label: "failed, %", colour: 1,
      y: rows.map((row) => row && row[1] ? 100 * row[2] / row[1] : null) }], { height: 140 });
    const left = data.runs.filter((run) => !trusted(run) && key(run) === scenarios[byId("scenario").selectedIndex]);
    byId("trend-note").textContent = "Shaded: the 99 % interval of each percentile within its run. " +
      (left.length ? `${left.length} of this scenario's runs can't be trusted, and are not in the trend.` : "");
  }
  byId("scenario").addEventListener("change", () => { offerNames(); drawTrend(); });
  byId("name").addEventListener("change", drawTrend);
  if (scenarios.length) offerNames();
  drawTrend();

  // --- table -------------------------------------------------------------------------------
  const body = byId("runs").tBodies[0], lines = [...body.rows];
  for (const line of lines) {
    const marks = ["baseline", "latest"].filter((mark) => data[mark] === line.dataset.run);
    line.querySelector(".mark").textContent = marks.join(", ");
    line.search = `${line.textContent} ${runs.get(line.dataset.run).description}`.toLowerCase();
  }
  for (const button of document.querySelectorAll("[data-sort]")) {
    button.addEventListener("click", () => {
      const heading = button.closest("th"), up = heading.getAttribute("aria-sort") !== "ascending";
      document.querySelectorAll("#runs th[aria-sort]").forEach((th) => th.setAttribute("aria-sort", "none"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const value = (line) => runs.get(line.dataset.run)[button.dataset.sort];
      const order = (a, b) => a == null ? 1 : b == null ? -1 : a < b ? -1 : a > b ? 1 : 0;
      lines.sort((a, b) => (up ? 1 : -1) * order(value(a), value(b)));
      body.append(...lines);
    });
  }
  function filter() {
    const words = byId("find").value.toLowerCase().split(/\s+/).filter(Boolean), valid = byId("valid").checked;
    for (const line of lines) {
      const fits = words.every((word) => line.search.includes(word));
      line.classList.toggle("hidden", !fits || (valid && !trusted(runs.get(line.dataset.run))));
    }
  }
  byId("find").addEventListener("input", filter);
  byId("valid").addEventListener("change", filter);

  // --- comparison --------------------------------------------------------------------------
  let picked = [];
  body.addEventListener("change", (event) => {
    const name = event.target.closest("tr").dataset.run;
    picked = event.target.checked ? [...picked, name] : picked.filter((one) => one !== name);
    while (picked.length > 2) {
      const first = picked.shift();
      lines.find((line) => line.dataset.run === first).querySelector("input").checked = false;
    }
    byId("compare").disabled = picked.length !== 2;
    byId("picked").textContent = picked.length === 2 ? picked.join(" and ") :
      picked.length ? "Select one more run." : "Select two runs to compare them.";
  });
  const TOLERANCE = 0.05, DEVIATIONS = 2.576;
  function change(before, after) {
    if (!before || !after) return null;
    const spread = ([, low, high]) => (Math.log(Math.max(high, 1e-4)) - Math.log(Math.max(low, 1e-4))) / 2 / DEVIATIONS;
    const middle = Math.log(Math.max(after[0], 1e-4) / Math.max(before[0], 1e-4));
    const reach = DEVIATIONS * Math.hypot(spread(before), spread(after));
    const [low, high] = [Math.expm1(middle - reach), Math.expm1(middle + reach)];
    return { ratio: Math.expm1(middle), low, high, verdict: low > TOLERANCE ? "worse" : high < -TOLERANCE ? "better" : "same" };
  }
  const percent = (ratio) => `${ratio >= 0 ? "+" : "−"}${Math.abs(100 * ratio).toPrecision(3)} %`;
  function compare() {
    const [before, after] = picked.map((name) => runs.get(name)).sort((a, b) => a.at - b.at);
    const place = byId("compared"), table = element("table"), rows = new Map(after.names.map((row) => [row[0], row]));
    place.replaceChildren(element("p", `${before.directory} → ${after.directory}`));
    const setup = [...new Set([...Object.keys(before.setup), ...Object.keys(after.setup)])].sort()
      .filter((field) => before.setup[field] !== after.setup[field]);
    if (setup.length) {
      const list = element("ul", null, "notes");
      setup.forEach((field) => list.append(element("li", `${field}: ${before.setup[field] ?? "none"} → ${after.setup[field] ?? "none"}`)));
      place.append(element("p", "The two runs have different specifications:"), list);
    }
    [before, after].filter((run) => !trusted(run)).forEach((run) =>
      place.append(element("p", `${run.directory} is ${run.verdict}, so a comparison with it would be meaningless.`, "notes")));
    const head = element("tr");
    ["Name", "Measure", "Before", "After", "Change", "99 % interval", ""].forEach((text) => head.append(element("th", text)));
    table.append(head);
    for (const row of before.names) {
      const other = rows.get(row[0]);
      ["p50", "p95", "p99"].forEach((measure, i) => {
        const found = other && change(row[3 + i], other[3 + i]);
        if (!found) return;
        const line = element("tr");
        [i ? "" : row[0], measure, Charts.milliseconds(row[3 + i][0]), Charts.milliseconds(other[3 + i][0]), percent(found.ratio),
          `${percent(found.low)} to ${percent(found.high)}`].forEach((text) => line.append(element("td", text)));
        line.append(element("td", found.verdict, found.verdict));
        table.append(line);
      });
    }
    const scroll = element("div", null, "scroll");
    scroll.append(table);
    place.append(scroll, element("p", "There is one run on each side, so this holds for these two runs only, and a change of up to 5 % counts as no change. " +
      "For the target itself, repeat each side and compare the repetitions:"),
      element("code", `loadgen compare ${before.directory} ${after.directory}`));
    byId("comparison").classList.remove("hidden");
    byId("comparison").scrollIntoView();
    byId("comparison").focus({ preventScroll: true });
  }
  byId("compare").addEventListener("click", compare);
})();
