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

/** What stream/load.py calls its levels. */
const LEVELS = ["the machine keeps up", "cheaper encoding"];

const door = { token: tokenOfAddress() };
/** @type {Map<string, StreamTile>} */
const tiles = new Map();
/** Device seconds by model at the last look. @type {Map<string, number>} */
let spent = new Map();
let spentAt = 0;
let shots = 0;

byId("legend").append(...STAGES.map((stage) => element("li", {}, element("span", { className: `swatch ${stage}` }), humanize(stage))));

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
    let tile = tiles.get(report.stream);
    if (!tile) {
      tiles.set(report.stream, (tile = new StreamTile(report.stream, door)));
      byId("list").append(tile.element);
      void tile.look();
    }
    tile.show(report);
  }
  byId("empty").hidden = tiles.size > 0;
  byId("legend").hidden = tiles.size === 0;
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
  const lost = [...tiles.values()].reduce((sum, tile) => sum + tile.lost, 0);
  figure("lost", String(lost), lost > 5 ? "bad" : lost ? "warn" : "");
  figure("load", String(system.load_level), system.load_level > 1 ? "bad" : system.load_level ? "warn" : "");
  byId("load-note").textContent = LEVELS[system.load_level] ?? "fewer frames, of all streams alike";
  figure("lag", ms(system.loop_lag_ms.p99), system.loop_lag_ms.p99 > 10 ? "warn" : "");
  byId("devices").replaceChildren(...system.devices.flatMap(deviceMeters));
  showModels(system.models);
}

/** @param {any} device */
function deviceMeters(device) {
  const most = device.cores ?? 1;
  const busy = device.busy ?? 0;
  const title = `${device.name}${device.in_use ? ", runs the transforms" : ""}`;
  const told = device.cores ? `${busy.toFixed(2)} of ${device.cores} cores` : `${Math.round(busy * 100)} %`;
  const memory = `${bytes(device.memory_used)} of ${bytes(device.memory_total)}`;
  return [meter(title, told, busy / most, device.hardware), meter("memory", memory, device.memory_used / device.memory_total)];
}

/** @param {{model: string, device: string, seconds: number, memory: number, runs: number}[]} models */
function showModels(models) {
  const now = performance.now();
  const span = (now - spentAt) / 1000;
  const rows = models.map(({ model, device, seconds, memory }) => {
    const key = `${model} ${device}`;
    return { model, device, memory, key, seconds, share: spentAt ? Math.max(0, seconds - (spent.get(key) ?? seconds)) / span : 0 };
  });
  spent = new Map(rows.map(({ key, seconds }) => [key, seconds]));
  spentAt = now;
  rows.sort((one, other) => other.share - one.share || one.key.localeCompare(other.key));
  const shown = rows.slice(0, MODELS).map(({ model, device, share, memory }) => meter(model, `${(share * 100).toFixed(1)} % of ${device}, ${bytes(memory)}`, share));
  byId("models").replaceChildren(...(shown.length ? shown : [element("li", { className: "note" }, "No model has run yet.")]));
}

/** @param {string} name @param {string} told @param {number} share  0 to 1 @param {string} [title] */
function meter(name, told, share, title = "") {
  const bar = element("meter", { min: 0, max: 1, high: 0.85, optimum: 0, value: Math.min(1, share || 0), aria: { label: `${name}: ${told}` } });
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
