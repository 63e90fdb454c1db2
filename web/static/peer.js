/** One peer connection: tracks of ours out, the server's in, or both ways at once. */
import { SendClock } from "./send-clock.js";

/** How long to gather addresses before offering what there is, ms: on a local network it takes a few. */
const GATHERING = 1_000;

const FRAME_RATE = 30;

/** In the order of the media sections. @typedef {"video" | "audio"} Kind @type {Kind[]} */
const KINDS = ["video", "audio"];

/**
 * @typedef {object} PeerOptions
 * @property {MediaStreamTrack[]} [send]  at most one of a kind
 * @property {Kind[]} [receive]
 * @property {number} [maxBitrate]  of the video sent, bits per second
 * @property {RTCIceServer[]} [iceServers]
 */

export class Peer extends EventTarget {
  /** @type {RTCPeerConnection} */
  connection;
  /** Of pictures that come back. @type {SendClock | null} */
  clock = null;
  /** What is received. */
  media = new MediaStream();
  #options;
  /** @type {RTCRtpTransceiver[]} */
  #transceivers = [];

  /**
   * Fires "state" when the connection's or its transport's has changed.
   * @param {PeerOptions} options
   */
  constructor(options) {
    super();
    this.#options = { send: [], receive: [], ...options };
    // No STUN or TURN server unless somebody asks for one: nothing here calls a third party.
    this.connection = new RTCPeerConnection({ iceServers: options.iceServers ?? [], bundlePolicy: "max-bundle" });
    this.connection.addEventListener("connectionstatechange", () => this.dispatchEvent(new Event("state")));
    this.connection.addEventListener("track", ({ receiver, track }) => {
      showAtOnce(receiver);
      this.media.addTrack(track);
    });
  }

  /** The offer as SDP, with every address in it that could be found in time. */
  async offer() {
    const { connection } = this;
    const { send, receive } = this.#options;
    const returns = receive.includes("video") && send.some((track) => track.kind === "video");
    if (returns) this.clock = await SendClock.start();
    if (connection.signalingState === "closed") {
      this.clock?.close();
      throw new Error("closed meanwhile");
    }
    const stream = new MediaStream(send);
    for (const kind of KINDS) {
      const track = send.find((track) => track.kind === kind);
      const back = receive.includes(kind);
      if (!track && !back) continue;
      const transceiver = connection.addTransceiver(track ?? kind, {
        direction: !track ? "recvonly" : back ? "sendrecv" : "sendonly",
        ...(track && { streams: [stream] }),
        ...(track && kind === "video" && { sendEncodings: [{ maxBitrate: this.#options.maxBitrate, maxFramerate: FRAME_RATE }] }),
      });
      if (kind === "video") {
        this.clock?.watch(transceiver.sender);
        preferH264(transceiver);
      }
      this.#transceivers.push(transceiver);
    }
    await connection.setLocalDescription(await connection.createOffer());
    await gathered(connection);
    return /** @type {RTCSessionDescription} */ (connection.localDescription).sdp;
  }

  /** @param {string} sdp */
  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    // A server that ends a session says so here, long before the connection is given up.
    this.#transport?.addEventListener("statechange", () => this.dispatchEvent(new Event("state")));
    for (const { sender } of this.#transceivers) if (sender.track?.kind === "video") await this.#limit(sender);
  }

  /** Whether the other side has closed the connection. */
  get ended() {
    return this.#transport?.state === "closed";
  }

  /** Sends these instead; of a kind that was not sent from the beginning, nothing. @param {MediaStreamTrack[]} tracks */
  async replace(tracks) {
    for (const { sender, receiver, direction } of this.#transceivers) {
      if (direction === "recvonly") continue;
      await sender.replaceTrack(tracks.find((track) => track.kind === receiver.track.kind) ?? null);
    }
  }

  close() {
    this.clock?.close();
    this.connection.close();
  }

  get #transport() {
    return this.#transceivers[0]?.receiver.transport ?? this.#transceivers[0]?.sender.transport;
  }

  /** Under pressure the picture shrinks and keeps its pace. @param {RTCRtpSender} sender */
  async #limit(sender) {
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-framerate";
    for (const encoding of parameters.encodings ?? []) encoding.maxBitrate = this.#options.maxBitrate;
    try {
      await sender.setParameters(parameters);
    } catch {
      // Not every browser takes all of these; what it does on its own is good enough.
    }
  }
}

/** @param {RTCPeerConnection} connection @returns {Promise<void>} */
function gathered(connection) {
  return new Promise((resolve) => {
    if (connection.iceGatheringState === "complete") return resolve();
    const timer = setTimeout(resolve, GATHERING);
    connection.addEventListener("icegatheringstatechange", () => {
      if (connection.iceGatheringState !== "complete") return;
      clearTimeout(timer);
      resolve();
    });
  });
}

/** Whether this browser can send H.264, which costs the server least. */
export function sendsH264() {
  return (RTCRtpSender.getCapabilities?.("video")?.codecs ?? []).some((codec) => codec.mimeType.toLowerCase() === "video/h264");
}

/**
 * Asks for no jitter buffer: a late picture is worth less than a slightly uneven one.
 * @param {RTCRtpReceiver} receiver
 */
function showAtOnce(receiver) {
  if ("jitterBufferTarget" in receiver) receiver.jitterBufferTarget = 0;
  else if ("playoutDelayHint" in receiver) /** @type {any} */ (receiver).playoutDelayHint = 0;
}

/**
 * Constrained baseline with packetization mode 1 first, then VP8, and what repairs losses of either.
 * @param {RTCRtpTransceiver} transceiver
 */
function preferH264(transceiver) {
  const codecs = RTCRtpReceiver.getCapabilities?.("video")?.codecs ?? [];
  /** @param {RTCRtpCodec} codec */
  const rank = ({ mimeType, sdpFmtpLine = "" }) => {
    const name = mimeType.toLowerCase();
    if (name === "video/h264") {
      if (!sdpFmtpLine.includes("packetization-mode=1")) return 2;
      return /profile-level-id=42e0/i.test(sdpFmtpLine) ? 0 : 1;
    }
    return { "video/vp8": 3, "video/rtx": 4 }[name] ?? -1;
  };
  const wanted = codecs.filter((codec) => rank(codec) >= 0).sort((a, b) => rank(a) - rank(b));
  try {
    if (wanted.length) transceiver.setCodecPreferences(wanted);
  } catch {
    // The browser's own order does, too.
  }
}
