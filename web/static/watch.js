/** A stream from the server, by WHEP. */
import { Peer } from "./peer.js";
import { Session } from "./session.js";

/** Looks from one question for the server's figures to the next, while all is well: viewers are many, and reports cost it most. */
const REPORT_EVERY = 5;

/**
 * @typedef {{video?: HTMLVideoElement}} WatchOnly  shows and sounds the stream
 * @typedef {import("./session.js").SessionOptions & WatchOnly} WatchOptions
 */

/**
 * Fires what `Session` does, "video" (MediaStream) when the stream is there, and "muted" when the browser lets it play
 * only without its sound: the user has to ask for that.
 */
export class Viewer extends Session {
  #video;

  /** @param {WatchOptions} options */
  constructor(options) {
    super(options, "whep");
    this.#video = options.video;
  }

  /** @protected @override @param {RTCIceServer[]} iceServers */
  makePeer(iceServers) {
    return new Peer({ receive: ["video", "audio"], iceServers });
  }

  /** @protected @override @param {number} look @param {import("./stats.js").Stats} local */
  wantsReport(look, local) {
    return look % REPORT_EVERY === 0 || !local.back.fps;
  }

  /** @protected @override @param {Peer} peer */
  answered(peer) {
    if (this.#video) void this.#play(this.#video, peer.media);
    this.emit("video", peer.media);
  }

  /**
   * How far the picture is behind what the server received, ms: its own time, the way here, and the jitter buffer.
   * @protected @override @param {import("./stats.js").Stats} local @param {any} server
   */
  timing({ rtt, buffer }, server) {
    const total = server?.latency_ms?.total?.p50;
    const known = rtt !== null && buffer !== null && total !== undefined;
    return { turnaround: null, latency: known ? total + rtt / 2 + buffer : null };
  }

  /** @param {HTMLVideoElement} video @param {MediaStream} media */
  async #play(video, media) {
    video.playsInline = true; // an iPhone would leave the page for it
    video.srcObject = media;
    try {
      await video.play();
    } catch (error) {
      if (video.muted || /** @type {DOMException} */ (error).name !== "NotAllowedError") return;
      video.muted = true;
      this.emit("muted", null);
      video.play().catch(() => {}); // it may be interrupted by the next one
    }
  }
}
