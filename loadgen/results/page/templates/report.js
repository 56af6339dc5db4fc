"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  for (const chart of data.charts) {
    const place = document.getElementById(chart.id);
    const drawn = { ...chart, end: data.end };
    if (chart.heat) drawn.hooks = Charts.heatmap(chart.heat);
    if (place) Charts.draw(place, drawn);
  }
  const pick = document.getElementById("pick-name"), place = document.getElementById("by-name");
  if (!pick) return;
  const show = () => {
    place.replaceChildren();
    Charts.draw(place, { ...data.names[pick.selectedIndex], end: data.end });
  };
  pick.addEventListener("change", show);
  show();
})();
