/** The dashboard: the server and all of its streams, asked for once a second. */
import { byId, element } from "./element.js";
import { ServerError, call, tokenOfAddress } from "./http.js";
import { STAGES } from "./stage-strip.js";
import { StreamTile } from "./stream-tile.js";
import { humanize } from "./controls.js";
import { ms } from "./units.js";

/** ms between two looks, and between two pictures of a stream. */
const BEAT = 1000;
const SHOTS = 2000;

/** Models shown: those that cost most. */
const MODELS = 6;

/** Frames lost in a minute that people see: one a second. */
const BAD = 60;

/** A model's share from which it counts as at work. */
const AT_WORK = 0.0005;

/** Percent from which there is little room left. */
const FULL = 85;

/** From which number of streams on each gets less room. */
const MANY = 7;

/** What stream/load.py calls its levels, and what it does about them. */
const LEVELS = [
  ["Fine", "the machine keeps up"],
  ["High", "cheaper encoding"],
];
const OVERLOADED = ["Too high", "fewer frames of all streams"];

const door = { token: tokenOfAddress() };
/** @type {Map<string, StreamTile>} */
const tiles = new Map();
/** Device seconds by model at the last look. @type {Map<string, number>} */
let spent = new Map();
let spentAt = 0;
let shots = 0;

byId("legend").append(
  ...STAGES.map((stage) => element("li", {}, element("span", { className: `swatch ${stage}` }), humanize(stage))),
  element("li", {}, element("span", { className: "swatch p95" }), "p95 of all together"),
);

async function look() {
  try {
    const [system, streams] = await Promise.all(["/api/system", "/api/streams"].map(async (path) => (await call(door, path)).json()));
    showStreams(streams);
    showSystem(system, streams);
    showState("live", "Live");
    showNotice("");
  } catch (error) {
    showState("failed", "No answer");
    const locked = error instanceof ServerError && [401, 403].includes(error.status);
    showNotice(locked ? "This page needs a token with the scope admin: put #token= and the token at the end of its address." : error instanceof Error ? error.message : String(error));
  } finally {
    setTimeout(() => void look(), BEAT);
  }
}

/** @param {any[]} reports */
function showStreams(reports) {
  const there = new Set(reports.map(({ stream }) => stream));
  for (const [name, tile] of tiles) {
    if (there.has(name)) continue;
    tile.remove();
    tiles.delete(name);
  }
  for (const report of reports) {
    const known = tiles.get(report.stream);
    const tile = known ?? new StreamTile(report.stream, door);
    tile.show(report);
    if (known) continue;
    tiles.set(report.stream, tile);
    byId("list").append(tile.element);
    void tile.look();
  }
  byId("empty").hidden = tiles.size > 0;
  byId("list").classList.toggle("many", tiles.size >= MANY);
  if (Date.now() - shots >= SHOTS && !document.hidden) {
    shots = Date.now();
    for (const tile of tiles.values()) void tile.look();
  }
}

/** @param {any} system @param {any[]} reports */
function showSystem(system, reports) {
  byId("streams").textContent = String(system.streams);
  byId("streams-note").textContent = `of ${system.max_streams}, up ${duration(system.uptime_s)}`;
  byId("viewers").textContent = String(system.viewers);
  const worst = Math.max(0, ...reports.filter(({ fps_out }) => fps_out).map(({ latency_ms }) => latency_ms.total.p95));
  figure("latency", worst ? ms(worst) : "–", worst > 100 ? "bad" : worst > 50 ? "warn" : "");
  showLosses();
  const [load, note] = LEVELS[system.load_level] ?? OVERLOADED;
  figure("load", load, system.load_level > 1 ? "bad" : system.load_level ? "warn" : "");
  byId("load-note").textContent = note;
  figure("lag", ms(system.loop_lag_ms.p99), system.loop_lag_ms.p99 > 10 ? "warn" : "");
  byId("devices").replaceChildren(...system.devices.flatMap(deviceMeters));
  showModels(system.models, system.devices);
}

/** Of all streams that are there, by reason. */
function showLosses() {
  /** @type {Map<string, number>} */
  const losses = new Map();
  for (const tile of tiles.values()) for (const [reason, count] of tile.losses) losses.set(reason, (losses.get(reason) ?? 0) + count);
  const lost = [...losses.values()].reduce((sum, count) => sum + count, 0);
  figure("lost", String(lost), lost >= BAD ? "bad" : lost ? "warn" : "");
  const rows = [...losses].sort(([, one], [, other]) => other - one).map(([reason, count]) => element("li", {}, humanize(reason), element("span", { className: "value" }, String(count))));
  byId("losses").replaceChildren(...(rows.length ? rows : [element("li", {}, "None")]));
}

/** @param {any} device */
function deviceMeters(device) {
  const most = device.cores ?? 1;
  const busy = device.busy ?? 0;
  const name = device.name.toUpperCase();
  const told = device.cores ? `${busy.toFixed(1)} of ${device.cores} cores` : `${Math.round(busy * 100)} %`;
  const memory = `${bytes(device.memory_used)} of ${bytes(device.memory_total)}`;
  return [
    element("li", { className: "hardware" }, device.hardware, device.in_use ? element("span", { className: "value" }, "runs the transforms") : null),
    meter(name, told, busy / most),
    meter("Memory", memory, device.memory_used / device.memory_total),
  ];
}

/**
 * @param {{model: string, device: string, seconds: number, memory: number, runs: number}[]} models
 * @param {{name: string, cores: number | null}[]} devices
 */
function showModels(models, devices) {
  const now = performance.now();
  const span = (now - spentAt) / 1000;
  // On a CPU a run's seconds are one core's.
  const cores = new Map(devices.map((device) => [device.name, device.cores ?? 1]));
  const rows = models.map(({ model, device, seconds, memory }) => {
    const key = `${model} ${device}`;
    return { model, device, memory, key, seconds, share: spentAt ? Math.max(0, seconds - (spent.get(key) ?? seconds)) / span / (cores.get(device) ?? 1) : 0 };
  });
  spent = new Map(rows.map(({ key, seconds }) => [key, seconds]));
  spentAt = now;
  rows.sort((one, other) => other.share - one.share || one.key.localeCompare(other.key));
  const shown = rows.filter(({ share }) => share >= AT_WORK).slice(0, MODELS);
  byId("models").replaceChildren(
    ...shown.map(({ model, device, share, memory }) => meter(humanize(model), `${(share * 100).toFixed(1)} %`, share, `${bytes(memory)} on ${device}`)),
    ...(shown.length ? [] : [element("li", { className: "note" }, "No model is at work")]),
  );
}

/** @param {string} name @param {string} told @param {number} share  0 to 1 @param {string} [title] */
function meter(name, told, share, title = "") {
  const percent = Math.round(100 * Math.min(1, share || 0));
  const filled = element("div", {});
  filled.style.width = `${percent}%`;
  const bar = element("div", { className: "meter", role: "meter", aria: { label: name, valuenow: percent, valuetext: told }, data: percent > FULL ? { full: "" } : {} }, filled);
  return element("li", { title }, element("div", { className: "line" }, element("span", {}, name), element("span", { className: "value" }, told)), bar);
}

/** @param {string} id @param {string} told @param {string} level */
function figure(id, told, level) {
  byId(id).textContent = told;
  if (level) byId(id).dataset.level = level;
  else delete byId(id).dataset.level;
}

/** @param {number} count */
function bytes(count) {
  if (count >= 1e9) return `${(count / 1e9).toFixed(1)} GB`;
  return count >= 1e6 ? `${Math.round(count / 1e6)} MB` : `${Math.round(count / 1e3)} kB`;
}

/** @param {number} seconds */
function duration(seconds) {
  const minutes = Math.floor(seconds / 60);
  if (minutes < 1) return `${Math.floor(seconds)} s`;
  const hours = Math.floor(minutes / 60);
  if (hours < 1) return `${minutes} min`;
  return hours < 48 ? `${hours} h ${minutes % 60} min` : `${Math.floor(hours / 24)} days`;
}

/** @param {string} state @param {string} text */
function showState(state, text) {
  byId("state").dataset.state = state;
  byId("state-text").textContent = text;
}

/** @param {string} text */
function showNotice(text) {
  byId("notice").hidden = !text;
  byId("notice-text").textContent = text;
}

window.addEventListener("hashchange", () => location.reload());
void look();
