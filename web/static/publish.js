/** A source of ours to the server, by WHIP. */
import { ChainSender } from "./chain-sender.js";
import { Peer } from "./peer.js";
import { Session } from "./session.js";

/** Of the video, bits per second: 720p of a face at 30 fps, and a phone's uplink. */
const MAX_BITRATE = 2_500_000;

/**
 * @typedef {object} SendOptions
 * @property {MediaStream} source  with a video track, an audio track, or one of each
 * @property {import("./doppel.js").Step[]} [chain]  without it, the stream keeps the chain that it has
 * @property {number} [maxBitrate]  of the video, bits per second
 * @property {boolean} [audio]  whether the source's sound is sent
 * @typedef {import("./session.js").SessionOptions & SendOptions} PublishOptions
 */

/**
 * Fires what `Session` does, "chain" when the server has taken a chain, and "problem" (Error) when it has not.
 */
export class Publisher extends Session {
  /** Whether what is sent comes back. @protected */
  returns = false;
  #options;
  #tracks;
  #chain;

  /**
   * @param {PublishOptions} options
   * @param {"loop" | "whip"} endpoint
   */
  constructor(options, endpoint = "whip") {
    super(options, endpoint);
    this.#options = options;
    this.#tracks = this.#chosen(options.source);
    this.#chain = new ChainSender(this.door, options.stream, options.chain ?? null);
    this.#chain.addEventListener("taken", () => this.emit("chain", null));
    this.#chain.addEventListener("refused", (event) => this.emit("problem", /** @type {CustomEvent} */ (event).detail));
    this.addEventListener("state", () => this.#chain.setLive(this.state.state === "live"));
  }

  /**
   * Takes effect at a frame boundary. The newest wins when the server is still busy with an older one.
   * @param {import("./doppel.js").Step[]} chain
   */
  setChain(chain) {
    this.#chain.set(chain);
  }

  /**
   * Sends this instead, on the same connection, as far as it has tracks of the same kinds.
   * @param {MediaStream} source
   */
  async replaceSource(source) {
    this.#tracks = this.#chosen(source);
    await this.peer?.replace(this.#tracks);
  }

  /** @protected @override */
  query() {
    return this.#chain.query();
  }

  /** @protected @override @param {RTCIceServer[]} iceServers */
  makePeer(iceServers) {
    const kinds = this.#tracks.map((track) => /** @type {import("./peer.js").Kind} */ (track.kind));
    return new Peer({
      send: this.#tracks,
      receive: this.returns ? kinds : [],
      maxBitrate: this.#options.maxBitrate ?? MAX_BITRATE,
      iceServers,
    });
  }

  /** @param {MediaStream} source */
  #chosen(source) {
    const sound = this.#options.audio === false ? [] : source.getAudioTracks();
    return [source.getVideoTracks()[0], sound[0]].filter((track) => track !== undefined);
  }
}
