/** Your video to the server and back over one connection: the lowest latency there is. */
import { Publisher } from "./publish.js";
import { Turnaround, estimate } from "./turnaround.js";

/**
 * @typedef {{video?: HTMLVideoElement}} LoopOnly  shows what comes back
 * @typedef {import("./publish.js").PublishOptions & LoopOnly} LoopOptions
 */

/** Fires what `Publisher` does, and "video" (MediaStream) when something comes back. */
export class Loop extends Publisher {
  #video;
  /** @type {Turnaround | null} */
  #turnaround = null;

  /** @param {LoopOptions} options  without `chain`, none; without `audio`, no sound: hearing oneself late is no pleasure */
  constructor(options) {
    super({ ...options, chain: options.chain ?? [], audio: options.audio ?? false }, "loop");
    this.returns = true;
    this.#video = options.video;
    this.addEventListener("state", () => this.state.state !== "live" && this.#forget());
  }

  /** @protected @override @param {import("./peer.js").Peer} peer */
  answered(peer) {
    this.#forget();
    if (this.#video) {
      this.#video.srcObject = peer.media;
      this.#video.play().catch(() => {}); // it may be interrupted by the next one
      this.#turnaround = peer.clock && new Turnaround(this.#video, peer.clock);
    }
    this.emit("video", peer.media);
  }

  /** @protected @override @param {import("./stats.js").Stats} local @param {any} server */
  timing(local, server) {
    return { turnaround: this.#turnaround?.figure() ?? estimate(local, server?.latency_ms?.total?.p50), latency: null };
  }

  #forget() {
    this.#turnaround?.close();
    this.#turnaround = null;
  }
}
