/** Brings a chain to the server: the newest one, one call at a time. */
import { call } from "./http.js";

/** For a new chain to be prepared, ms: its models may have to be loaded. */
export const PREPARING = 60_000;
/** Of a chain in an address, characters: servers and proxies take about 8 KB in all. */
const MAX_QUERY = 4_000;
/** Longer settings are pictures, and follow once connected. */
const MAX_SETTING = 1_000;

/** Fires "taken" when the server has taken the chain, and "refused" with the error when it has not. */
export class ChainSender extends EventTarget {
  #door;
  #path;
  /** @type {import("./doppel.js").Step[]} */
  #chain;
  #unsent = false;
  #busy = false;
  #live = false;

  /**
   * @param {import("./http.js").Door} door
   * @param {string} stream
   * @param {import("./doppel.js").Step[]} chain
   */
  constructor(door, stream, chain) {
    super();
    this.#door = door;
    this.#path = `/api/streams/${encodeURIComponent(stream)}/chain`;
    this.#chain = chain;
  }

  /** @param {import("./doppel.js").Step[]} chain */
  set(chain) {
    this.#chain = chain;
    this.#unsent = true;
    void this.#send();
  }

  /** Whether there is a stream to send it to. @param {boolean} live */
  setLive(live) {
    this.#live = live;
    void this.#send();
  }

  /** The chain to connect with, as `?chain=`; the pictures in it follow later. */
  query() {
    this.#unsent = false;
    if (!this.#chain.length) return "";
    const short = JSON.stringify(this.#chain, (_, value) => {
      if (typeof value !== "string" || value.length <= MAX_SETTING) return value;
      this.#unsent = true;
      return undefined;
    });
    const query = `?chain=${encodeURIComponent(short)}`;
    if (query.length <= MAX_QUERY) return query;
    this.#unsent = true;
    return `?chain=${this.#chain.map((step) => step.transform).join(",")}`;
  }

  async #send() {
    if (this.#busy) return; // it comes round for the newest
    this.#busy = true;
    try {
      while (this.#unsent && this.#live) {
        this.#unsent = false;
        const body = JSON.stringify({ chain: this.#chain });
        const response = await call(this.#door, this.#path, { method: "PUT", body, type: "application/json", timeout: PREPARING });
        await response.text(); // an answer that nobody reads is counted as broken off
        this.dispatchEvent(new Event("taken"));
      }
    } catch (error) {
      this.dispatchEvent(new CustomEvent("refused", { detail: error }));
    } finally {
      this.#busy = false;
    }
    // Another may have come while the refusal was told.
    if (this.#unsent && this.#live) void this.#send();
  }
}
