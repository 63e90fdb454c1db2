/** The figures under the picture. */
import { humanize } from "./controls.js";
import { byId } from "./element.js";
import { codecName, ms, pixels, rate } from "./units.js";

const NONE = "–";

/** @param {import("./doppel.js").Figures | null} figures  null: nothing is known, since nothing is running */
export function showFigures(figures) {
  const server = figures?.server ?? null;
  const local = figures?.local ?? null;
  const turnaround = figures?.turnaround ?? null;
  const total = server?.latency_ms?.total;

  set("fps-in", server ? Math.round(server.fps_in) : NONE, "per second");
  set("fps-out", server ? Math.round(server.fps_out) : NONE, "per second");
  set("turnaround", turnaround ? ms(turnaround.ms) : NONE, aside(turnaround));
  set("latency-total", total ? ms(total.p50) : NONE, total ? `p95 ${ms(total.p95)}` : "from in to out");
  const drops = Object.entries(/** @type {Record<string, number>} */ (server?.drops ?? {})).filter(([, count]) => count);
  set("drops", server ? drops.reduce((sum, [, count]) => sum + count, 0) : NONE, drops.map(([why, count]) => `${humanize(why)} ${count}`).join(", ") || "none so far");
  set("picture", local?.back.width ? pixels(local.back) : NONE, local?.back.codec ? flow(local.back) : "size and codec");
  byId("sent").textContent = local?.sent.width ? `Sending ${pixels(local.sent)}, ${flow(local.sent)}${limit(local.sent.limited)}` : "";
}

/** @param {string} id @param {string | number} value @param {string} note */
function set(id, value, note) {
  byId(id).textContent = String(value);
  byId(`${id}-note`).textContent = note;
}

/** @param {import("./turnaround.js").Figure | null} turnaround */
function aside(turnaround) {
  if (!turnaround) return "there and back";
  if (!turnaround.exact) return "estimated";
  return turnaround.shown === null ? "measured" : `on screen ${ms(turnaround.shown)}`;
}

/** @param {import("./stats.js").Flow} flow */
function flow({ codec, kbps }) {
  const name = codecName(codec);
  return kbps ? `${name}, ${rate(kbps)}` : name;
}

/** @param {string} limited */
function limit(limited) {
  return { cpu: " (limited by this device)", bandwidth: " (limited by the network)" }[limited] ?? "";
}
