/** How long a picture takes from this device through the server and back. */

/** Pictures that the figure is made of: 2 s of 30 fps. */
const WINDOW = 60;

/** ms: whatever took longer than this was not measured, but misunderstood. */
const LONGEST = 10_000;

/**
 * @typedef {object} Figure
 * @property {number} ms  median, from the encoder here to its last packet back here
 * @property {number | null} shown  median until it is on the screen, ms; null where it is not known
 * @property {boolean} exact  false: put together from other figures
 */

export class Turnaround {
  #video;
  #clock;
  #callback = 0;
  /** @type {number[]} */
  #back = [];
  /** @type {number[]} */
  #shown = [];

  /**
   * @param {HTMLVideoElement} video  that shows what came back
   * @param {import("./send-clock.js").SendClock} clock
   */
  constructor(video, clock) {
    this.#video = video;
    this.#clock = clock;
    this.#watch();
  }

  /** @returns {Figure | null} null until pictures were matched */
  figure() {
    return this.#back.length ? { ms: median(this.#back), shown: median(this.#shown), exact: true } : null;
  }

  close() {
    this.#video.cancelVideoFrameCallback(this.#callback);
  }

  #watch() {
    this.#callback = this.#video.requestVideoFrameCallback((_, picture) => {
      const left = picture.rtpTimestamp === undefined ? undefined : this.#clock.left(picture.rtpTimestamp);
      const back = left === undefined || picture.receiveTime === undefined ? NaN : picture.receiveTime - left;
      // Browsers differ in what they mean by a time; what cannot be is not shown.
      if (left !== undefined && back > 0 && back < LONGEST) {
        keep(this.#back, back);
        keep(this.#shown, picture.expectedDisplayTime - left);
      }
      this.#watch();
    });
  }
}

/**
 * For browsers that let nobody see encoded pictures: the way there and back, the server's time and the jitter buffer.
 * @param {{rtt: number | null, buffer: number | null}} stats  ms
 * @param {number | undefined} server  ms
 * @returns {Figure | null}
 */
export function estimate({ rtt, buffer }, server) {
  if (rtt === null || server === undefined) return null;
  return { ms: rtt + server, shown: buffer === null ? null : rtt + server + buffer, exact: false };
}

/** @param {number[]} list @param {number} value */
function keep(list, value) {
  list.push(value);
  if (list.length > WINDOW) list.shift();
}

/** @param {number[]} list */
function median(list) {
  return [...list].sort((a, b) => a - b)[list.length >> 1];
}
