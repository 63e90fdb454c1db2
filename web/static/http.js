/**
 * Calls to the server, and its refusals as errors.
 * @typedef {{server?: string, token?: string, key?: string}} Door
 *   where the server is (this page's own by default), and a token, or a key, that is good for the call
 */

/** How long a call may take unless it says otherwise, ms. */
const TIMEOUT = 10_000;
/** For a call that may have the server load models, ms. */
export const PREPARING = 60_000;

/** A refusal in the server's own words, or that it cannot be reached (status 0). */
export class ServerError extends Error {
  /**
   * @param {string} message  a sentence for the user
   * @param {number} status
   * @param {number} [retryAfter]  seconds
   */
  constructor(message, status, retryAfter) {
    super(message);
    this.name = "ServerError";
    this.status = status;
    this.retryAfter = retryAfter;
  }

  /** Whether the same call may succeed later. */
  get passing() {
    return [0, 408, 409, 429].includes(this.status) || this.status >= 500;
  }
}

/**
 * @param {Door} door
 * @param {string} path  or a whole address
 * @param {{method?: string, body?: string, type?: string, timeout?: number, keepalive?: boolean}} [options]
 * @returns {Promise<Response>}
 */
export async function call(door, path, { method = "GET", body, type, timeout = TIMEOUT, keepalive = false } = {}) {
  /** @type {Record<string, string>} */
  const headers = {};
  const credential = door.token ?? door.key;
  if (credential) headers.Authorization = `Bearer ${credential}`;
  if (type) headers["Content-Type"] = type;
  const url = new URL(path, door.server || location.href);
  const abort = new AbortController();
  const timer = setTimeout(() => abort.abort(), timeout);
  let response;
  try {
    response = await fetch(url, { method, body, headers, keepalive, cache: "no-store", signal: abort.signal });
  } catch {
    throw new ServerError("The server does not answer. Check that it is running and that this device can reach it.", 0);
  } finally {
    clearTimeout(timer);
  }
  if (response.ok) return response;
  throw new ServerError(await detail(response), response.status, Number(response.headers.get("Retry-After")) || undefined);
}

/** @param {Response} response */
async function detail(response) {
  try {
    const problem = await response.json();
    if (typeof problem.detail === "string") return problem.detail;
  } catch {
    // Not ours: a proxy's page, perhaps.
  }
  return `The server refused with status ${response.status}.`;
}

/**
 * What a page's address has after its #, which browsers send to nobody: `#token=...`, or `#key=...`.
 * @param {string} [hash]
 * @returns {string | undefined}
 */
export function tokenOfAddress(hash = location.hash) {
  const fields = new URLSearchParams(hash.slice(1));
  return fields.get("token") ?? fields.get("key") ?? undefined;
}
