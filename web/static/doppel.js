/**
 * The client: video and sound to the server, from it, and both ways at once.
 *
 *     const mine = publish({ source, stream: "me", chain: [{ transform: "anonymize" }] });
 *     mine.addEventListener("state", ({ detail }) => console.log(detail.state, detail.reason));
 *     mine.setChain([{ transform: "background", settings: { strength: 0.8 } }]);
 *
 *     const yours = watch({ stream: "you", video });
 *     yours.addEventListener("figures", ({ detail }) => console.log(detail.latency));
 *     yours.close();
 *
 * @typedef {{transform: string, settings?: Record<string, unknown>}} Step
 * @typedef {"connecting" | "live" | "waiting" | "failed" | "closed"} State
 *   waiting: will connect again by itself in `retryIn` seconds; failed: will not
 * @typedef {{state: State, reason: string, retryIn: number, absent: boolean}} StateDetail
 *   `absent`: nothing is wrong, the stream just is not live yet
 * @typedef {{transform: string, title: string, summary: string, settings?: Record<string, any>, error?: string}} TransformInfo
 * @typedef {object} Figures
 * @property {import("./stats.js").Stats} local
 * @property {any} server  GET /api/streams/{stream}; null where it could not be had
 * @property {import("./turnaround.js").Figure | null} turnaround  of a loop
 * @property {number | null} latency  of a viewer: how far it is behind what the server received, ms, estimated
 */
import { putChain } from "./chain-sender.js";
import { PREPARING, call } from "./http.js";
import { Loop } from "./loop.js";
import { Publisher } from "./publish.js";
import { Viewer } from "./watch.js";

export { ServerError } from "./http.js";
export { sendsH264 } from "./peer.js";
export { Loop, Publisher, Viewer };

/**
 * Sends a source, and stays connected until `close()`.
 * @param {import("./publish.js").PublishOptions} options
 */
export function publish(options) {
  return new Publisher(options);
}

/**
 * Shows a stream, waits for it where it is not live, and stays connected until `close()`.
 * @param {import("./watch.js").WatchOptions} options
 */
export function watch(options) {
  return new Viewer(options);
}

/**
 * Sends a source and shows what comes back, and stays connected until `close()`.
 * @param {import("./loop.js").LoopOptions} options
 */
export function loop(options) {
  return new Loop(options);
}

/**
 * Every transform of the server, with its settings as JSON Schema. Throws ServerError.
 * @param {import("./http.js").Door} [door]
 * @returns {Promise<TransformInfo[]>}
 */
export async function listTransforms(door = {}) {
  return (await call(door, "/api/transforms", { timeout: PREPARING })).json();
}

/**
 * Every model that the server has or can fetch, and the packages that somebody added. Throws ServerError.
 * @param {import("./http.js").Door} [door]
 * @returns {Promise<{id: string, kind: "catalogue" | "package", task: string | null, present: boolean}[]>}
 */
export async function listModels(door = {}) {
  return (await call(door, "/api/models")).json();
}

/**
 * Gives any stream another chain, and answers with it as it then is, defaults filled in. Throws ServerError.
 * @param {{stream: string, chain: Step[]} & import("./http.js").Door} options
 */
export function setChain({ stream, chain, server, token, key }) {
  return putChain({ server, token, key }, stream, chain);
}
