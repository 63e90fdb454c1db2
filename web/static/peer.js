/** One peer connection, both ways: your video out, the server's back. */
import { SendClock } from "./send-clock.js";

/** How long to gather addresses before offering what there is, ms: on a local network it takes a few. */
const GATHERING = 1_000;

const FRAME_RATE = 30;

export class Peer extends EventTarget {
  /** @type {RTCPeerConnection} */
  connection;
  /** @type {SendClock | null} */
  clock = null;
  /** @type {RTCRtpTransceiver | null} */
  #transceiver = null;
  #track;
  #maxBitrate;

  /**
   * Fires "track" with the returned MediaStream as `detail`, and "connectionstate".
   * @param {MediaStreamTrack} track
   * @param {number} maxBitrate  bits per second
   */
  constructor(track, maxBitrate) {
    super();
    this.#track = track;
    this.#maxBitrate = maxBitrate;
    // No STUN or TURN server unless somebody asks for one: nothing here calls a third party.
    this.connection = new RTCPeerConnection({ iceServers: [], bundlePolicy: "max-bundle" });
    this.connection.addEventListener("connectionstatechange", () => this.dispatchEvent(new Event("connectionstate")));
    this.connection.addEventListener("track", ({ receiver, track: returned, streams }) => {
      showAtOnce(receiver);
      this.dispatchEvent(new CustomEvent("track", { detail: streams[0] ?? new MediaStream([returned]) }));
    });
  }

  /** The offer as SDP, with every address in it that could be found in time. */
  async offer() {
    const connection = this.connection;
    this.clock = await SendClock.start();
    if (connection.signalingState === "closed") {
      this.clock?.close();
      throw new Error("closed meanwhile");
    }
    this.#transceiver = connection.addTransceiver(this.#track, {
      direction: "sendrecv",
      streams: [new MediaStream([this.#track])],
      sendEncodings: [{ maxBitrate: this.#maxBitrate, maxFramerate: FRAME_RATE }],
    });
    this.clock?.watch(this.#transceiver.sender);
    preferH264(this.#transceiver);
    await connection.setLocalDescription(await connection.createOffer());
    await new Promise((resolve) => {
      if (connection.iceGatheringState === "complete") return resolve(undefined);
      const timer = setTimeout(resolve, GATHERING);
      connection.addEventListener("icegatheringstatechange", () => {
        if (connection.iceGatheringState !== "complete") return;
        clearTimeout(timer);
        resolve(undefined);
      });
    });
    return /** @type {RTCSessionDescription} */ (connection.localDescription).sdp;
  }

  /** @param {string} sdp */
  async accept(sdp) {
    await this.connection.setRemoteDescription({ type: "answer", sdp });
    if (this.#transceiver) await this.#limit(this.#transceiver.sender);
  }

  /** @param {MediaStreamTrack} track */
  async replace(track) {
    this.#track = track;
    await this.#transceiver?.sender.replaceTrack(track);
  }

  close() {
    this.clock?.close();
    this.connection.close();
  }

  /** Under pressure the picture shrinks and keeps its pace. @param {RTCRtpSender} sender */
  async #limit(sender) {
    const parameters = sender.getParameters();
    parameters.degradationPreference = "maintain-framerate";
    for (const encoding of parameters.encodings ?? []) encoding.maxBitrate = this.#maxBitrate;
    try {
      await sender.setParameters(parameters);
    } catch {
      // Not every browser takes all of these; what it does on its own is good enough.
    }
  }
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
