/**
 * The client: your video to the server and back, transformed.
 *
 *     const session = loop({ source, stream: "me", chain: [{ transform: "anonymize" }], video });
 *     session.addEventListener("state", ({ detail }) => console.log(detail.state, detail.reason));
 *     session.setChain([{ transform: "background", settings: { strength: 0.8 } }]);
 *     session.close();
 *
 * @typedef {{transform: string, settings?: Record<string, unknown>}} Step
 * @typedef {"connecting" | "live" | "waiting" | "failed" | "closed"} State
 *   waiting: will connect again by itself in `retryIn` seconds; failed: will not
 * @typedef {{state: State, reason: string, retryIn: number}} StateDetail
 * @typedef {{transform: string, title: string, summary: string, settings?: object, error?: string}} TransformInfo
 * @typedef {object} Figures
 * @property {import("./stats.js").Stats} local
 * @property {any} server  GET /api/streams/{stream}; null where it could not be had
 * @property {import("./turnaround.js").Figure | null} turnaround
 */
import { ChainSender, PREPARING } from "./chain-sender.js";
import { ServerError, call } from "./http.js";
import { Peer } from "./peer.js";
import { StatsReader } from "./stats.js";
import { Turnaround, estimate } from "./turnaround.js";

export { sendsH264 } from "./peer.js";
export { ServerError } from "./http.js";

/** First and longest wait before connecting again, ms; doubled from one to the next, with some chance in it. */
const BACKOFF = { first: 500, longest: 10_000 };
/** Attempts in a row, about 15 minutes of them; then the user is asked. */
const MAX_ATTEMPTS = 100;
/** For a connection to come about once the answer is there, ms. */
const CONNECTING = 10_000;
/** For a connection to come back by itself, ms: consent checks are lost now and then on a radio. */
const DISCONNECTED = 3_000;
/** Looks in a row that find neither figures nor video, until a server counts as gone. */
const SILENCE = 3;
/** Between two looks at the figures, ms. */
const FIGURES = 1_000;

/**
 * Every transform of the server, with its settings as JSON Schema.
 * @param {import("./http.js").Door} [door]
 * @returns {Promise<TransformInfo[]>}
 */
export async function listTransforms(door = {}) {
  return (await call(door, "/api/transforms", { timeout: PREPARING })).json();
}

/**
 * Connects, and stays connected until `close()`.
 * @param {LoopOptions} options
 */
export function loop(options) {
  return new Loop(options);
}

/**
 * @typedef {object} LoopOptions
 * @property {MediaStream} source  with one video track
 * @property {string} stream  the stream's name: letters, digits, - and _
 * @property {HTMLVideoElement} [video]  shows what comes back
 * @property {Step[]} [chain]
 * @property {string} [server]  origin; this page's by default
 * @property {string} [key]  access key
 * @property {number} [maxBitrate]  bits per second
 */

/**
 * Fires "state" (StateDetail), "video" (MediaStream), "figures" (Figures) each second, "chain" when the server has
 * taken a chain, and "problem" (Error) when it has not.
 */
export class Loop extends EventTarget {
  /** @type {StateDetail} */
  state = { state: "connecting", reason: "", retryIn: 0 };
  #options;
  #door;
  #track;
  #chain;
  #attempts = 0;
  /** @type {Peer | null} */
  #peer = null;
  /** Address of the session on the server. */
  #session = "";
  /** @type {Turnaround | null} */
  #turnaround = null;
  /** @type {StatsReader | null} */
  #stats = null;
  #silent = 0;
  #retry = 0;
  #deadline = 0;
  #ticker = 0;

  /** @param {LoopOptions} options */
  constructor(options) {
    super();
    this.#options = options;
    this.#door = { server: options.server ?? "", key: options.key };
    this.#track = options.source.getVideoTracks()[0];
    this.#chain = new ChainSender(this.#door, options.stream, options.chain ?? []);
    this.#chain.addEventListener("taken", () => this.#emit("chain", null));
    this.#chain.addEventListener("refused", (event) => this.#emit("problem", /** @type {CustomEvent} */ (event).detail));
    window.addEventListener("pagehide", this.#leave);
    window.addEventListener("pageshow", this.#comeBack);
    window.addEventListener("online", this.reconnect);
    this.#ticker = window.setInterval(() => this.#look(), FIGURES);
    // Not before the caller has had a chance to listen.
    queueMicrotask(() => this.#connect());
  }

  /**
   * Takes effect at a frame boundary. The newest wins when the server is still busy with an older one.
   * @param {Step[]} chain
   */
  setChain(chain) {
    this.#chain.set(chain);
  }

  /**
   * Sends this instead, on the same connection.
   * @param {MediaStream} source
   */
  async replaceSource(source) {
    this.#track = source.getVideoTracks()[0];
    await this.#peer?.replace(this.#track);
  }

  /** Connects again now, unless it is connected. */
  reconnect = () => {
    if (this.state.state !== "waiting" && this.state.state !== "failed") return;
    this.#attempts = 0;
    void this.#connect();
  };

  close() {
    this.#enter("closed");
    window.removeEventListener("pagehide", this.#leave);
    window.removeEventListener("pageshow", this.#comeBack);
    window.removeEventListener("online", this.reconnect);
    clearInterval(this.#ticker);
    this.#leave();
  }

  async #connect() {
    this.#hangUp();
    this.#enter("connecting");
    const peer = new Peer(this.#track, this.#options.maxBitrate ?? 2_500_000);
    this.#peer = peer;
    peer.addEventListener("track", (event) => this.#receive(peer, /** @type {CustomEvent} */ (event).detail));
    peer.addEventListener("connectionstate", () => this.#follow(peer));
    try {
      const offer = await peer.offer();
      const path = `/loop/${encodeURIComponent(this.#options.stream)}${this.#chain.query()}`;
      const response = await call(this.#door, path, { method: "POST", body: offer, type: "application/sdp", timeout: PREPARING });
      const session = response.headers.get("Location") ?? "";
      // Closed while the server was answering: it must not keep a session that nobody wants.
      if (this.#peer !== peer) return void this.#end(session);
      this.#session = session;
      await peer.accept(await response.text());
      this.#deadline = window.setTimeout(
        () => this.#lose("No connection came about: a firewall may block UDP between this device and the server."),
        CONNECTING,
      );
    } catch (error) {
      if (this.#peer !== peer) return;
      if (error instanceof ServerError && !error.passing) this.#fail(error.message);
      else if (error instanceof ServerError) this.#lose(error.message, error.retryAfter);
      else this.#fail(`This browser could not make the connection (${error instanceof Error ? error.message : error}).`);
    }
  }

  /** @param {Peer} peer @param {MediaStream} stream */
  #receive(peer, stream) {
    if (this.#peer !== peer) return;
    const { video } = this.#options;
    if (video) {
      video.srcObject = stream;
      video.play().catch(() => {}); // it may be interrupted by the next one
      this.#turnaround?.close();
      this.#turnaround = peer.clock && new Turnaround(video, peer.clock);
    }
    this.#stats = new StatsReader(peer.connection);
    this.#emit("video", stream);
  }

  /** @param {Peer} peer */
  #follow(peer) {
    if (this.#peer !== peer) return;
    const { connectionState } = peer.connection;
    if (connectionState === "connected") {
      clearTimeout(this.#deadline);
      this.#attempts = 0;
      this.#enter("live");
    } else if (connectionState === "disconnected") {
      clearTimeout(this.#deadline);
      this.#deadline = window.setTimeout(() => this.#lose("The connection to the server was lost."), DISCONNECTED);
    } else if (connectionState === "failed") {
      this.#lose("The connection to the server was lost.");
    }
  }

  /** @param {string} reason @param {number} [retryAfter] seconds */
  #lose(reason, retryAfter) {
    if (++this.#attempts > MAX_ATTEMPTS) return this.#fail(reason);
    const wait = Math.min(BACKOFF.longest, BACKOFF.first * 2 ** (this.#attempts - 1)) * (0.75 + Math.random() / 2);
    const ms = retryAfter === undefined ? wait : Math.min(retryAfter * 1e3, 6 * BACKOFF.longest);
    this.#enter("waiting", reason, Math.ceil(ms / 1e3));
    this.#hangUp();
    this.#retry = window.setTimeout(() => this.#connect(), ms);
  }

  /** @param {string} reason */
  #fail(reason) {
    this.#enter("failed", reason);
    this.#hangUp();
  }

  #hangUp() {
    clearTimeout(this.#retry);
    clearTimeout(this.#deadline);
    this.#turnaround?.close();
    this.#turnaround = this.#stats = null;
    this.#silent = 0;
    this.#peer?.close();
    this.#peer = null;
    if (this.#session) void this.#end(this.#session);
    this.#session = "";
  }

  #leave = () => this.#hangUp();

  /** From the browser's memory of pages left. @param {PageTransitionEvent} event */
  #comeBack = (event) => {
    if (event.persisted) void this.#connect();
  };

  /** @param {string} session */
  async #end(session) {
    try {
      // Kept alive beyond the page, which may be going right now.
      await (await call(this.#door, session, { method: "DELETE", keepalive: true })).text();
    } catch {
      // The server ends what it no longer hears from.
    }
  }

  async #look() {
    const [stats, peer] = [this.#stats, this.#peer];
    if (!stats || this.state.state !== "live" || document.hidden) return;
    const [local, server] = await Promise.all([stats.read(), this.#report(peer)]);
    if (this.#stats !== stats) return;
    // The browser takes much longer to give a connection up than anybody looks at a frozen picture.
    this.#silent = server || local.back.kbps ? 0 : this.#silent + 1;
    if (this.#silent === SILENCE) return this.#lose("The server does not answer any more.");
    const turnaround = this.#turnaround?.figure() ?? estimate(local, server?.latency_ms?.total?.p50);
    this.#emit("figures", { local, server, turnaround });
  }

  /** @param {Peer | null} peer */
  async #report(peer) {
    try {
      return await (await call(this.#door, `/api/streams/${encodeURIComponent(this.#options.stream)}`)).json();
    } catch (error) {
      // A server that was started again does not know us, and our packets would go nowhere.
      if (error instanceof ServerError && error.status === 404 && this.#peer === peer) this.#lose("The server has ended this stream.");
      return null;
    }
  }

  /** @param {State} state @param {string} reason @param {number} retryIn seconds */
  #enter(state, reason = "", retryIn = 0) {
    this.state = { state, reason, retryIn };
    this.#chain.setLive(state === "live");
    this.#emit("state", this.state);
  }

  /** @param {string} type @param {unknown} detail */
  #emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }
}
