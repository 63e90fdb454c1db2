/** Brings a chain to the server: the newest one, one call at a time. */
import { PREPARING, call } from "./http.js";

/** Of a chain in an address, characters: servers and proxies take about 8 KB in all. */
const MAX_QUERY = 4_000;
/** Longer settings are pictures, and follow once connected. */
const MAX_SETTING = 1_000;

/**
 * Answers with the chain as the server now has it, defaults filled in.
 * @param {import("./http.js").Door} door
 * @param {string} stream
 * @param {import("./doppel.js").Step[]} chain
 * @returns {Promise<import("./doppel.js").Step[]>}
 */
export async function putChain(door, stream, chain) {
  const path = `/api/streams/${encodeURIComponent(stream)}/chain`;
  const body = JSON.stringify({ chain });
  return (await (await call(door, path, { method: "PUT", body, type: "application/json", timeout: PREPARING })).json()).chain;
}

/** Fires "taken" when the server has taken the chain, and "refused" with the error when it has not. */
export class ChainSender extends EventTarget {
  #door;
  #stream;
  #chain;
  #unsent = false;
  #busy = false;
  #live = false;

  /**
   * @param {import("./http.js").Door} door
   * @param {string} stream
   * @param {import("./doppel.js").Step[] | null} chain  null: whichever the stream has
   */
  constructor(door, stream, chain) {
    super();
    this.#door = door;
    this.#stream = stream;
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
    if (!this.#chain) return "";
    if (!this.#chain.length) return "?chain=";
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
      while (this.#unsent && this.#live && this.#chain) {
        this.#unsent = false;
        await putChain(this.#door, this.#stream, this.#chain);
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
