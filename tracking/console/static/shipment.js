// The shipment's page: pan and zoom of the drawn map, live positions, a fresh page when custody changes.
import "./ages.js";
import "./keys.js";
import { showAges } from "./ages.js";

const map = document.querySelector("#map");
const trace = document.querySelector("#trace");
const here = document.querySelector("#here");
const status = document.querySelector("#status");
const FULL = { x: 0, y: 0, width: 1000, height: 640 };
const { lon0, lat0, kx, ky } = Object.fromEntries(Object.entries(map.dataset).map(([k, v]) => [k, Number(v)]));
let view = restore() ?? { ...FULL };

function restore() {
  const parts = new URLSearchParams(location.search).get("view")?.split(",").map(Number);
  return parts?.length === 3 && parts.every(Number.isFinite)
    ? { x: parts[0], y: parts[1], width: parts[2], height: parts[2] * FULL.height / FULL.width } : null;
}

function show() {
  map.setAttribute("viewBox", `${view.x} ${view.y} ${view.width} ${view.height}`);
  const scale = view.width / FULL.width;
  here.setAttribute("r", 8 * scale);
  for (const text of map.querySelectorAll("text")) text.style.fontSize = `${(text.classList.contains("event") ? 26 : 16) * scale}px`;
  const url = new URL(location);
  if (scale === 1) url.searchParams.delete("view");
  else url.searchParams.set("view", [view.x, view.y, view.width].map((n) => n.toFixed(1)).join(","));
  history.replaceState(null, "", url);
}

function zoom(factor, x = view.x + view.width / 2, y = view.y + view.height / 2) {
  const width = Math.min(Math.max(view.width * factor, 10), 4000);
  const ratio = width / view.width;
  view = { x: x - (x - view.x) * ratio, y: y - (y - view.y) * ratio, width, height: width * FULL.height / FULL.width };
  show();
}

const inMap = (event) => {
  const box = map.getBoundingClientRect();
  return [view.x + (event.clientX - box.left) / box.width * view.width, view.y + (event.clientY - box.top) / box.height * view.height];
};

map.addEventListener("wheel", (event) => { event.preventDefault(); zoom(event.deltaY > 0 ? 1.2 : 1 / 1.2, ...inMap(event)); }, { passive: false });
map.addEventListener("pointerdown", (event) => map.setPointerCapture(event.pointerId));
map.addEventListener("pointermove", (event) => {
  if (!map.hasPointerCapture(event.pointerId)) return;
  const box = map.getBoundingClientRect();
  view.x -= event.movementX / box.width * view.width;
  view.y -= event.movementY / box.height * view.height;
  show();
});
map.addEventListener("keydown", (event) => {
  const step = view.width / 10;
  const moves = { ArrowLeft: [-step, 0], ArrowRight: [step, 0], ArrowUp: [0, -step], ArrowDown: [0, step] };
  if (event.key === "+" || event.key === "=") zoom(1 / 1.3);
  else if (event.key === "-") zoom(1.3);
  else if (moves[event.key]) { view.x += moves[event.key][0]; view.y += moves[event.key][1]; show(); } else return;
  event.preventDefault();
});
document.querySelector(".tools").addEventListener("click", (event) => {
  const how = event.target.dataset.zoom;
  if (how === "in") zoom(1 / 1.5);
  else if (how === "out") zoom(1.5);
  else if (how === "fit") { view = { ...FULL }; show(); }
});
show();

const stream = new EventSource(`/v1/stream?shipment=${encodeURIComponent(map.dataset.number)}`);
stream.addEventListener("open", () => { status.textContent = status.dataset.live; status.classList.add("on"); });
stream.addEventListener("error", () => { status.textContent = status.dataset.reconnecting; status.classList.remove("on"); });
stream.addEventListener("position", (event) => {
  const { lon, lat, time } = JSON.parse(event.data);
  const [x, y] = [(lon - lon0) * kx, (lat0 - lat) * ky];
  const label = document.querySelector(".map .title time");
  if (label && Date.parse(time) <= Date.parse(label.dateTime)) return;
  const path = trace.getAttribute("d");
  trace.setAttribute("d", `${path ? `${path}L` : "M"}${x.toFixed(1)},${y.toFixed(1)}`);
  here.removeAttribute("hidden");
  here.setAttribute("cx", x.toFixed(1));
  here.setAttribute("cy", y.toFixed(1));
  if (label) {
    label.dateTime = time;
    label.textContent = new Date(Date.parse(time) + 8 * 3600e3).toISOString().slice(5, 19).replace("T", " ");
    label.title = `${time} UTC`;
    showAges();
  }
});

// Custody changes rarely: fetch the page again and put its panels in place, keeping the map's view and open details.
let refreshing = null;
async function refresh() {
  refreshing = null;
  const answer = await fetch(location.href, { headers: { accept: "text/html" } });
  if (!answer.ok) return;
  const page = new DOMParser().parseFromString(await answer.text(), "text/html");
  const open = new Set([...document.querySelectorAll("details[open]")].map((d) => d.closest("article").dataset.id));
  for (const selector of [".head", ".columns > section:first-child", ".columns > section:last-child"]) {
    document.querySelector(selector).replaceWith(page.querySelector(selector));
  }
  for (const article of document.querySelectorAll("article[data-id]")) {
    if (open.has(article.dataset.id)) article.querySelector("details").open = true;
  }
  for (const old of map.querySelectorAll(".event")) old.remove();
  for (const mark of page.querySelectorAll("#map .event")) map.insertBefore(document.importNode(mark, true), here);
  show();
}
for (const kind of ["alert", "milestone", "custody"]) {
  stream.addEventListener(kind, () => { refreshing ??= setTimeout(refresh, 300); });
}
