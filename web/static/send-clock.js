/**
 * When each picture left the encoder, by its RTP timestamp. The server keeps the timestamp on what it sends back, so
 * that the two can be matched exactly.
 */

/** Pictures remembered: 10 s of 30 fps, and whatever takes longer than that is lost. */
const REMEMBERED = 300;

/** How long the worker may take to start, ms; video does not wait for a measurement any longer than that. */
const START = 500;

export class SendClock {
  /** @type {Map<number, number>} */
  #sent = new Map();
  #worker;

  /** @param {Worker} worker */
  constructor(worker) {
    this.#worker = worker;
    worker.onmessage = ({ data }) => {
      this.#sent.set(data.rtp, data.at);
      if (this.#sent.size > REMEMBERED) this.#sent.delete(/** @type {number} */ (this.#sent.keys().next().value));
    };
  }

  /**
   * Null where the browser lets no script see encoded pictures.
   * @returns {Promise<SendClock | null>}
   */
  static async start() {
    if (!("RTCRtpScriptTransform" in window) || !("requestVideoFrameCallback" in HTMLVideoElement.prototype)) return null;
    let worker;
    try {
      worker = new Worker(new URL("./send-clock-worker.js", import.meta.url));
    } catch {
      return null; // a page of another origin than this module's
    }
    const started = await new Promise((resolve) => {
      const timer = setTimeout(() => resolve(false), START);
      worker.onerror = () => resolve(false);
      worker.onmessage = () => {
        clearTimeout(timer);
        resolve(true);
      };
    });
    // Only a worker that runs is put in the way of the video.
    if (started) return new SendClock(worker);
    worker.terminate();
    return null;
  }

  /**
   * To be called in the very task that made the sender: Chrome lets nobody in later.
   * @param {RTCRtpSender} sender
   */
  watch(sender) {
    sender.transform = new RTCRtpScriptTransform(this.#worker, {});
  }

  /**
   * When the picture left, ms of this page's `performance.now()`; undefined where it is not known.
   * @param {number} rtp
   */
  left(rtp) {
    const at = this.#sent.get(rtp);
    return at === undefined ? undefined : at - performance.timeOrigin;
  }

  close() {
    this.#worker.terminate();
  }
}
