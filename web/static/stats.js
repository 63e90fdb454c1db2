/**
 * What the browser knows of its own sending and receiving.
 * @typedef {object} Flow
 * @property {number} fps
 * @property {number} width  px
 * @property {number} height  px
 * @property {string} codec  "H264", "VP8", or ""
 * @property {number} kbps
 * @typedef {object} Stats
 * @property {Flow & {limited: string}} sent  `limited`: why less is sent than could be ("cpu", "bandwidth", "")
 * @property {Flow & {lost: number, freezes: number}} back  of all the time: packets lost, and times that the picture stood still
 * @property {number} sound  of the sound received, kb/s
 * @property {boolean} heard  whether anything came from the server
 * @property {number | null} rtt  ms
 * @property {number | null} buffer  that a picture waits in the jitter buffer, ms
 */

/** Reads a connection's statistics; rates are between one reading and the next. */
export class StatsReader {
  #connection;
  /** @type {Map<string, any>} */
  #before = new Map();

  /** @param {RTCPeerConnection} connection */
  constructor(connection) {
    this.#connection = connection;
  }

  /** @returns {Promise<Stats>} */
  async read() {
    /** @type {Map<string, any>} */
    const now = new Map(/** @type {any} */ (await this.#connection.getStats()));
    const all = [...now.values()];
    const outbound = all.find((entry) => entry.type === "outbound-rtp" && entry.kind === "video");
    const inbound = all.find((entry) => entry.type === "inbound-rtp" && entry.kind === "video");
    const sound = all.find((entry) => entry.type === "inbound-rtp" && entry.kind === "audio");
    const pair = all.find((entry) => entry.type === "candidate-pair" && entry.nominated && entry.state === "succeeded");
    const emitted = this.#since(inbound, "jitterBufferEmittedCount");
    const stats = {
      sent: { ...this.#flow(now, outbound, "bytesSent"), limited: reason(outbound?.qualityLimitationReason) },
      back: { ...this.#flow(now, inbound, "bytesReceived"), lost: inbound?.packetsLost ?? 0, freezes: inbound?.freezeCount ?? 0 },
      sound: this.#flow(now, sound, "bytesReceived").kbps,
      heard: this.#since(pair, "bytesReceived") > 0,
      rtt: pair?.currentRoundTripTime === undefined ? null : pair.currentRoundTripTime * 1e3,
      buffer: emitted ? (this.#since(inbound, "jitterBufferDelay") * 1e3) / emitted : null,
    };
    this.#before = now;
    return stats;
  }

  /**
   * @param {Map<string, any>} now
   * @param {any} entry
   * @param {string} bytes
   * @returns {Flow}
   */
  #flow(now, entry, bytes) {
    const ms = this.#since(entry, "timestamp");
    return {
      fps: entry?.framesPerSecond ?? 0,
      width: entry?.frameWidth ?? 0,
      height: entry?.frameHeight ?? 0,
      codec: (now.get(entry?.codecId)?.mimeType ?? "").replace("video/", ""),
      kbps: ms ? (this.#since(entry, bytes) * 8) / ms : 0,
    };
  }

  /**
   * How much a counter grew since the last reading.
   * @param {any} entry
   * @param {string} name
   */
  #since(entry, name) {
    const before = this.#before.get(entry?.id);
    return before ? entry[name] - before[name] : 0;
  }
}

/** @param {string | undefined} limited */
function reason(limited) {
  return limited === undefined || limited === "none" ? "" : limited;
}
