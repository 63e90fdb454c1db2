/** What publish, watch and loop have in common: a connection to the server that is made again whenever it is lost. */
import { PREPARING, ServerError, call } from "./http.js";
import { iceServers } from "./ice-servers.js";
import { StatsReader } from "./stats.js";

/** First and longest wait before connecting again, ms; doubled from one to the next, with some chance in it. */
const BACKOFF = { first: 500, longest: 10_000 };
/** Longest wait that a server may ask for, ms. */
const LONGEST_ASKED = 60_000;
/** Attempts in a row, about 15 minutes of them; then the user is asked. */
const MAX_ATTEMPTS = 100;
/** How long a stream that is not live is waited for, ms: half a day, then nobody is looking any more. */
const MAX_ABSENCE = 12 * 3_600_000;
/** For a connection to come about once the answer is there, ms. */
const CONNECTING = 10_000;
/** For a connection to come back by itself, ms: consent checks are lost now and then on a radio. */
const DISCONNECTED = 3_000;
/** Looks in a row that find neither figures nor packets, until a server counts as gone. */
const SILENCE = 3;
/** Between two looks at the figures, ms. */
const FIGURES = 1_000;
/** For the server's own figures, ms: later ones are of no use, and a silent server must be noticed. */
const REPORT = 2_000;

/**
 * @typedef {object} SessionOptions
 * @property {string} stream  the stream's name: letters, digits, - and _
 * @property {string} [server]  origin; this page's by default
 * @property {string} [token]  that is good for the stream
 * @property {string} [key]  the same, for a server with an access key
 * @property {RTCIceServer[]} [iceServers]  beside those that the server names
 */

/** Fires "state" (StateDetail) and, each second while it is live and the page is seen, "figures" (Figures). */
export class Session extends EventTarget {
  /** @type {import("./doppel.js").StateDetail} */
  state = { state: "connecting", reason: "", retryIn: 0, absent: false };
  /** @protected @type {import("./http.js").Door} */
  door;
  /** @protected @type {import("./peer.js").Peer | null} */
  peer = null;
  #path;
  #report;
  #given;
  /** Named by the server. @type {RTCIceServer[]} */
  #named = [];
  /** Address of the session on the server. */
  #session = "";
  /** @type {StatsReader | null} */
  #stats = null;
  /** The server's figures, the newest there are. @type {any} */
  #server = null;
  /** A token that is no longer good: it is not sent again and again. @type {string | undefined} */
  #ended;
  #attempts = 0;
  /** When the stream was first found not to be live; 0 while it is. */
  #absentSince = 0;
  #looks = 0;
  #looking = false;
  #silent = 0;
  #retry = 0;
  #deadline = 0;
  #ticker;

  /**
   * @param {SessionOptions} options
   * @param {"loop" | "whip" | "whep"} endpoint
   */
  constructor({ stream, server, token, key, iceServers = [] }, endpoint) {
    super();
    this.door = { server, token, key };
    this.#path = `/${endpoint}/${encodeURIComponent(stream)}`;
    this.#report = `/api/streams/${encodeURIComponent(stream)}`;
    this.#given = iceServers;
    window.addEventListener("pagehide", this.#leave);
    window.addEventListener("pageshow", this.#comeBack);
    window.addEventListener("online", this.#awake);
    document.addEventListener("visibilitychange", this.#awake);
    this.#ticker = window.setInterval(() => this.#look(), FIGURES);
    // Not before the caller has had a chance to listen.
    queueMicrotask(() => this.#connect());
  }

  /**
   * For its calls from now on: a renewed one, before the old one expires. What is connected stays so.
   * @param {string} token
   */
  setToken(token) {
    this.door.token = token;
  }

  /** Connects again now, unless it is connected. */
  reconnect() {
    if (this.state.state !== "waiting" && this.state.state !== "failed") return;
    this.#attempts = this.#absentSince = 0;
    void this.#connect();
  }

  /** For good. */
  close() {
    this.#enter("closed");
    window.removeEventListener("pagehide", this.#leave);
    window.removeEventListener("pageshow", this.#comeBack);
    window.removeEventListener("online", this.#awake);
    document.removeEventListener("visibilitychange", this.#awake);
    clearInterval(this.#ticker);
    this.#leave();
  }

  /** What differs from one kind of session to another ------------------------------------------------------------- */

  /** @protected @param {RTCIceServer[]} iceServers @returns {import("./peer.js").Peer} */
  makePeer(iceServers) {
    throw new Error(`a session without a peer (${iceServers.length} ICE servers)`);
  }

  /** Behind the address that the offer is posted to. @protected */
  query() {
    return "";
  }

  /** The answer is there, and with it what will be received. @protected @param {import("./peer.js").Peer} _peer */
  answered(_peer) {}

  /**
   * Added to the figures.
   * @protected
   * @param {import("./stats.js").Stats} _local
   * @param {any} _server
   * @returns {{turnaround: import("./turnaround.js").Figure | null, latency: number | null}}
   */
  timing(_local, _server) {
    return { turnaround: null, latency: null };
  }

  /**
   * Whether it is time for the server's figures.
   * @protected
   * @param {number} _look  counts from 0
   * @param {import("./stats.js").Stats} _local
   */
  wantsReport(_look, _local) {
    return true;
  }

  /** @protected @param {string} type @param {unknown} detail */
  emit(type, detail) {
    this.dispatchEvent(new CustomEvent(type, { detail }));
  }

  /** The way of a connection -------------------------------------------------------------------------------------- */

  async #connect() {
    this.#hangUp();
    this.#enter("connecting", "", 0, this.#absentSince > 0);
    const known = [...this.#given, ...this.#named];
    const peer = this.makePeer(known);
    this.peer = peer;
    peer.addEventListener("state", () => this.#follow(peer));
    try {
      const offer = await peer.offer();
      const path = this.#path + this.query();
      const response = await call(this.door, path, { method: "POST", body: offer, type: "application/sdp", timeout: PREPARING });
      const session = new URL(response.headers.get("Location") ?? "", response.url).href;
      // Closed while the server was answering: it must not keep a session that nobody wants.
      if (this.peer !== peer) return void this.#end(session);
      this.#session = session;
      const answer = await response.text();
      const first = !this.#named.length;
      this.#named = iceServers(response.headers.get("Link"));
      // A browser asks servers only before it has offered, and hears of them only after: so once more, the first time.
      if (first && this.#named.length && this.peer === peer) return void this.#connect();
      await peer.accept(answer);
      if (this.peer !== peer) return;
      this.#stats = new StatsReader(peer.connection);
      this.#deadline = window.setTimeout(
        () => this.#lose("No connection came about: a firewall may block UDP between this device and the server."),
        CONNECTING,
      );
      this.answered(peer);
      this.#follow(peer); // it may have been faster than we
    } catch (error) {
      if (this.peer !== peer) return;
      if (!(error instanceof ServerError)) this.#fail(`This browser could not make the connection (${error instanceof Error ? error.message : error}).`);
      else if (!error.passing) this.#fail(error.message);
      else this.#lose(error.message, error.retryAfter, error.status === 409 && error.retryAfter !== undefined);
    }
  }

  /** @param {import("./peer.js").Peer} peer */
  #follow(peer) {
    if (this.peer !== peer || !this.#stats) return;
    const { connectionState } = peer.connection;
    if (peer.ended) {
      this.#lose("The server has ended the connection.");
    } else if (connectionState === "connected") {
      clearTimeout(this.#deadline);
      this.#attempts = this.#absentSince = 0;
      if (this.state.state !== "live") this.#enter("live");
    } else if (connectionState === "disconnected") {
      clearTimeout(this.#deadline);
      this.#deadline = window.setTimeout(() => this.#lose("The connection to the server was lost."), DISCONNECTED);
    } else if (connectionState === "failed") {
      this.#lose("The connection to the server was lost.");
    }
  }

  /**
   * @param {string} reason
   * @param {number} [retryAfter]  seconds
   * @param {boolean} [absent]  nothing is wrong: there is nothing to connect to yet
   */
  #lose(reason, retryAfter, absent = false) {
    if (absent) this.#absentSince ||= Date.now();
    const over = absent ? Date.now() - this.#absentSince > MAX_ABSENCE : ++this.#attempts > MAX_ATTEMPTS;
    if (over) return this.#fail(reason);
    const ms =
      retryAfter === undefined
        ? Math.min(BACKOFF.longest, BACKOFF.first * 2 ** (this.#attempts - 1)) * (0.75 + Math.random() / 2)
        : Math.min(retryAfter * 1e3, LONGEST_ASKED) * (1 + Math.random() / 4); // not all in the same moment
    this.#enter("waiting", reason, Math.ceil(ms / 1e3), absent);
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
    this.#stats = this.#server = null;
    this.#silent = this.#looks = 0;
    this.peer?.close();
    this.peer = null;
    if (this.#session) void this.#end(this.#session);
    this.#session = "";
  }

  #leave = () => this.#hangUp();

  /** From the browser's memory of pages left. @param {PageTransitionEvent} event */
  #comeBack = (event) => {
    if (event.persisted) void this.#connect();
  };

  /** The network is back, or the page is seen again: nobody who looks at it waits out a long pause. @param {Event} event */
  #awake = ({ type }) => {
    if (type === "online" && this.state.state === "failed") return this.reconnect();
    if (document.hidden || this.state.state !== "waiting") return;
    this.#attempts = 0;
    void this.#connect();
  };

  /** @param {string} session */
  async #end(session) {
    try {
      // Kept alive beyond the page, which may be going right now.
      await (await call(this.door, session, { method: "DELETE", keepalive: true })).text();
    } catch {
      // The server ends what it no longer hears from.
    }
  }

  async #look() {
    const [stats, peer] = [this.#stats, this.peer];
    if (!stats || this.state.state !== "live" || document.hidden || this.#looking) return;
    this.#looking = true;
    try {
      const local = await stats.read();
      // A server that was started again sends nothing, and says at once that it does not know us.
      const due = !local.heard || this.#server?.state !== "live" || this.wantsReport(this.#looks, local);
      this.#looks++;
      const server = due ? await this.#ask(peer) : this.#server;
      if (this.#stats !== stats) return;
      this.#server = server;
      // The browser takes much longer to give a connection up than anybody looks at a frozen picture.
      this.#silent = local.heard || (due && server) ? 0 : this.#silent + 1;
      if (this.#silent === SILENCE) return this.#lose("The server does not answer any more.");
      this.emit("figures", { local, server, ...this.timing(local, server) });
    } finally {
      this.#looking = false;
    }
  }

  /** @param {import("./peer.js").Peer | null} peer */
  async #ask(peer) {
    const sent = this.door.token ?? this.door.key;
    if (sent && sent === this.#ended) return null;
    try {
      return await (await call(this.door, this.#report, { timeout: REPORT })).json();
    } catch (error) {
      if (error instanceof ServerError && error.status === 401) this.#ended = sent;
      // Our packets would go nowhere.
      if (error instanceof ServerError && error.status === 404 && this.peer === peer) this.#lose("The server has ended this stream.");
      return null;
    }
  }

  /** @param {import("./doppel.js").State} state @param {string} reason @param {number} retryIn  seconds */
  #enter(state, reason = "", retryIn = 0, absent = false) {
    this.state = { state, reason, retryIn, absent };
    this.emit("state", this.state);
  }
}
