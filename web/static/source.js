/**
 * Where the picture comes from: a camera, or a video file that plays as if it were one.
 * @typedef {object} Source
 * @property {MediaStream} stream
 * @property {boolean} mirrored  whether people expect to see themselves as in a mirror
 * @property {string} deviceId  "" for a file
 * @property {() => void} close
 */

const FRAME_RATE = 30;

/** Largest picture made from a file, px: what the server is set for by default. */
const FILE_SIZE = { width: 1280, height: 720 };

/** Something the user can do something about; the message says what. */
export class SourceError extends Error {}

/** The cameras there are; without names until the user has let us use one. */
export async function listCameras() {
  const devices = (await navigator.mediaDevices?.enumerateDevices()) ?? [];
  return devices.filter((device) => device.kind === "videoinput" && device.deviceId);
}

/** Whether the user has let this page use a camera before, so that nobody need be asked. */
export async function cameraAllowed() {
  try {
    return (await navigator.permissions.query({ name: /** @type {any} */ ("camera") })).state === "granted";
  } catch {
    return false; // a browser that does not tell
  }
}

/**
 * @param {{deviceId: string, width: number, height: number}} wish
 * @returns {Promise<Source>}
 */
export async function openCamera({ deviceId, width, height }) {
  if (!navigator.mediaDevices?.getUserMedia) {
    throw new SourceError(
      "Browsers give a camera only to pages from https or from this very machine. Open this page as localhost, " +
        "put the server behind https, or use a video file.",
    );
  }
  let stream;
  try {
    stream = await navigator.mediaDevices.getUserMedia({
      audio: false,
      video: {
        deviceId: deviceId ? { exact: deviceId } : undefined,
        facingMode: deviceId ? undefined : "user",
        width: { ideal: width },
        height: { ideal: height },
        frameRate: { ideal: FRAME_RATE },
      },
    });
  } catch (error) {
    throw new SourceError(words(/** @type {DOMException} */ (error)));
  }
  const [track] = stream.getVideoTracks();
  track.contentHint = "motion";
  const settings = track.getSettings();
  return {
    stream,
    mirrored: settings.facingMode !== "environment",
    deviceId: settings.deviceId ?? deviceId,
    close: () => track.stop(),
  };
}

/** @param {DOMException} error */
function words(error) {
  switch (error.name) {
    case "NotAllowedError":
    case "SecurityError":
      return "The camera is blocked for this page. Allow it beside the address (or in the system's privacy settings), then try again.";
    case "NotFoundError":
    case "OverconstrainedError":
      return "No camera was found. Plug one in and try again, or use a video file.";
    case "NotReadableError":
    case "AbortError":
      return "The camera does not start; another program may be using it. Close that one and try again.";
    default:
      return `The camera could not be opened (${error.name}). Try another one, or use a video file.`;
  }
}

/**
 * Plays the file in a loop, without sound, and draws each picture where it can be sent from.
 * @param {File} file
 * @returns {Promise<Source>}
 */
export async function openFile(file) {
  const url = URL.createObjectURL(file);
  const video = Object.assign(document.createElement("video"), { muted: true, loop: true, playsInline: true, src: url });
  // Safari draws only from videos that are part of the page.
  video.className = "offstage";
  video.ariaHidden = "true";
  document.body.append(video);
  let open = true;
  const close = () => {
    open = false;
    video.remove();
    video.removeAttribute("src");
    video.load();
    URL.revokeObjectURL(url);
  };
  try {
    await video.play();
  } catch {
    close();
    throw new SourceError("This browser cannot play that file. Try an MP4 with H.264, or a WebM.");
  }
  const canvas = document.createElement("canvas");
  const context = /** @type {CanvasRenderingContext2D} */ (canvas.getContext("2d", { alpha: false }));
  const draw = () => {
    if (!open) return;
    const scale = Math.min(1, FILE_SIZE.width / video.videoWidth, FILE_SIZE.height / video.videoHeight);
    const [width, height] = [even(video.videoWidth * scale), even(video.videoHeight * scale)];
    if (canvas.width !== width || canvas.height !== height) Object.assign(canvas, { width, height });
    context.drawImage(video, 0, 0, width, height);
    next();
  };
  const next = () => ("requestVideoFrameCallback" in video ? video.requestVideoFrameCallback(draw) : requestAnimationFrame(draw));
  draw();
  const stream = canvas.captureStream(FRAME_RATE);
  stream.getVideoTracks()[0].contentHint = "motion";
  return { stream, mirrored: false, deviceId: "", close: () => (stream.getTracks().forEach((track) => track.stop()), close()) };
}

/** @param {number} size */
function even(size) {
  return Math.max(2, 2 * Math.round(size / 2));
}
