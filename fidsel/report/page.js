"use strict";

// units: every error carries its text in both; figures are drawn in both
let unit = 0;
const told = {};

function chooseUnit(number) {
  unit = number;
  for (const button of document.querySelectorAll("#units button"))
    button.setAttribute("aria-pressed", "false");
  document.querySelectorAll("#units button")[unit].setAttribute("aria-pressed", "true");
  for (const element of document.querySelectorAll("[data-in-0]"))
    element.textContent = element.getAttribute("data-in-" + unit);
  for (const figure of document.querySelectorAll("figure"))
    [...figure.querySelectorAll(".paper")].forEach((paper, i) => { paper.hidden = i !== unit; });
  for (const tell of Object.values(told)) tell();
}

document.querySelectorAll("#units button").forEach((button, number) =>
  button.addEventListener("click", () => chooseUnit(number)));

// sorting: unknown values stay at the end
function sortRows(table, column, sign) {
  const body = table.tBodies[0];
  const key = (row) => parseFloat(row.cells[column].dataset.order);
  const rows = [...body.rows].sort((a, b) => {
    const x = key(a), y = key(b);
    if (Number.isNaN(x) || Number.isNaN(y)) return Number.isNaN(x) - Number.isNaN(y);
    return sign * (x - y);
  });
  body.append(...rows);
}

for (const table of document.querySelectorAll("table.sortable")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.firstElementChild.addEventListener("click", () => {
    const descending = head.getAttribute("aria-sort") !== "descending";
    heads.forEach((other) => other.removeAttribute("aria-sort"));
    head.setAttribute("aria-sort", descending ? "descending" : "ascending");
    sortRows(table, column, descending ? -1 : 1);
  }));
}

// structures: two viewers that turn together and show the frames of one cluster
function showStructures() {
  const clusters = JSON.parse(document.getElementById("frames").textContent);
  const bare = new CSSStyleSheet();
  bare.replaceSync(".modal, .chsp-viewer-button { display: none }");
  document.adoptedStyleSheets = [bare];
  const viewers = {};
  for (const role of ["representative", "worst"]) {
    const panel = document.getElementById("view-" + role);
    try {
      viewers[role] = new Chemiscope.MoleculeViewer(panel, []);
    } catch (error) {
      panel.append(Object.assign(document.createElement("p"), {
        textContent: "This browser cannot draw in 3D (WebGL is off).",
      }));
    }
  }
  let following = false;
  for (const [role, viewer] of Object.entries(viewers))
    viewer.onSettingChange((keys, value) => {
      if (keys[0] !== "camera" || following) return;
      following = true;
      for (const [other, twin] of Object.entries(viewers))
        if (other !== role) twin.applySettings({ camera: value });
      following = false;
    });

  // 3Dmol's camera stands 150 Å away and sees 20° to either side; periodic frames keep its own choice
  function fill() {
    const frames = Object.values(clusters).flatMap((cluster) => Object.values(cluster)).map((e) => e.structure);
    if (frames.some((frame) => frame.cell)) return;
    const reach = Math.max(1, ...frames.flatMap((frame) => frame.x.map((x, i) => Math.hypot(x, frame.y[i], frame.z[i]))));
    const panel = document.querySelector(".canvas");
    const wide = 1.05 * (reach + 0.6) * Math.max(1, panel.clientWidth / panel.clientHeight);
    const zoom = Math.max(1, 150 - wide / Math.tan(Math.PI / 9));
    const camera = { eye: { x: 0, y: 0, z: zoom }, center: { x: 0, y: 0, z: 0 }, up: { x: 0, y: 1, z: 0 }, zoom };
    for (const viewer of Object.values(viewers)) viewer.applySettings({ camera });
  }

  function tell(role, entry) {
    const words = ["frame " + entry.row, "error " + (entry.error[unit] || "not known")];
    if (entry.above) words.push(entry.above + " above the lowest");
    const caption = document.getElementById("told-" + role);
    caption.replaceChildren();
    for (const phrase of words.concat(entry.marks)) {
      if (caption.childNodes.length) caption.append(" · ");
      caption.append(Object.assign(document.createElement("span"), { className: "quantity", textContent: phrase }));
    }
  }

  function show(cluster) {
    document.getElementById("shown").textContent = cluster;
    for (const row of document.querySelectorAll("#clusters tbody tr"))
      row.classList.toggle("shown", row.dataset.cluster === cluster);
    for (const role of ["representative", "worst"]) {
      const entry = clusters[cluster][role];
      const panel = document.getElementById("view-" + role);
      panel.parentElement.hidden = entry === undefined;
      if (entry === undefined) { told[role] = () => {}; continue; }
      told[role] = () => tell(role, entry);
      told[role]();
      if (viewers[role] === undefined) continue;
      viewers[role].load(entry.structure);
      viewers[role].applySettings({
        atomLabels: true, keepOrientation: true, shape: entry.structure.shapes ? "marks" : "",
      });
    }
  }

  for (const row of document.querySelectorAll("#clusters tbody tr")) {
    const button = row.cells[0].querySelector("button");
    if (button) button.addEventListener("click", () => show(row.dataset.cluster));
  }
  const first = document.querySelector("#clusters tbody th button");
  show(first.closest("tr").dataset.cluster);
  fill();
}

if (document.getElementById("frames")) showStructures();
window.addEventListener("beforeprint", () =>
  document.querySelectorAll("details").forEach((fold) => { fold.open = true; }));
