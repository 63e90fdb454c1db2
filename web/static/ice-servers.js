/** STUN and TURN servers as WHIP names them, in `Link` headers (RFC 9725, section 4.6). */

/** `<address>` and its parameters (RFC 8288); a comma between quotes does not end a link. */
const LINK = /<([^>]+)>((?:\s*;\s*[\w-]+\s*=\s*(?:"(?:[^"\\]|\\.)*"|[^\s";,]+))*)/g;
const PARAMETER = /;\s*([\w-]+)\s*=\s*(?:"((?:[^"\\]|\\.)*)"|([^\s";,]+))/g;

/**
 * @param {string | null} header  every `Link` header of a response, as fetch joins them
 * @returns {RTCIceServer[]}  those that a browser takes: one that it does not take would spoil the connection
 */
export function iceServers(header) {
  const servers = [];
  for (const [, urls, rest] of (header ?? "").matchAll(LINK)) {
    /** @type {Record<string, string>} */
    const parameters = {};
    for (const [, name, quoted, bare] of rest.matchAll(PARAMETER)) parameters[name.toLowerCase()] = quoted?.replace(/\\(.)/g, "$1") ?? bare;
    const { rel, username, credential } = parameters;
    if (rel?.split(" ").includes("ice-server") !== true) continue;
    if (/^stuns?:/i.test(urls)) servers.push({ urls });
    else if (/^turns?:/i.test(urls) && username && credential) servers.push({ urls, username, credential });
  }
  return servers;
}
