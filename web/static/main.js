/** The page: puts source, client, chain and figures together. */
import { ChainPanel } from "./chain-panel.js";
import { ServerError, listModels, listTransforms, loop, sendsH264 } from "./doppel.js";
import { byId, element } from "./element.js";
import { showFigures } from "./figures.js";
import { tokenOfAddress } from "./http.js";
import { Picture } from "./picture.js";
import { LatencyPlot } from "./plot.js";
import { SourceError, cameraAllowed, listCameras, openCamera, openFile } from "./source.js";

const FILE = "file";

const before = /** @type {HTMLVideoElement} */ (byId("before"));
const after = /** @type {HTMLVideoElement} */ (byId("after"));
const cameras = /** @type {HTMLSelectElement} */ (byId("camera"));
const resolution = /** @type {HTMLSelectElement} */ (byId("resolution"));
const mirror = /** @type {HTMLInputElement} */ (byId("mirror"));
const filePicker = /** @type {HTMLInputElement} */ (byId("file"));

/** What the address asks for: `stream`, a name, and `chain`, the keys of transforms to begin with. */
const wishes = new URLSearchParams(location.search);
/** One name for as long as this page is open, so that a connection that is made again finds its stream. */
const stream = wishes.get("stream") || "web-" + [...crypto.getRandomValues(new Uint8Array(6))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
const token = tokenOfAddress();

new Picture(before);
const picture = new Picture(after, /** @type {HTMLCanvasElement} */ (byId("still")));
const panel = new ChainPanel();
const plot = new LatencyPlot();
/** @type {import("./source.js").Source | null} */
let source = null;
/** @type {import("./doppel.js").Loop | null} */
let session = null;
/** @type {File | null} */
let file = null;
/** Counts what was opened: only the last of several at once is meant. */
let turn = 0;
/** What "Try again" does. @type {() => void} */
let again = () => {};

/** @param {string} state @param {string} text */
function showState(state, text) {
  const shown = byId("state");
  shown.dataset.state = document.body.dataset.state = state;
  byId("state-text").textContent = text;
}

/** @param {string} message @param {(() => void) | null} [retry] */
function showNotice(message, retry = null) {
  byId("notice-text").textContent = message;
  byId("notice").hidden = !message;
  byId("again").hidden = !retry;
  if (retry) again = retry;
}

/** @param {import("./doppel.js").StateDetail} detail */
function follow({ state, reason, retryIn }) {
  switch (state) {
    case "connecting":
      return showState("connecting", "Connecting");
    case "live":
      showNotice(sendsH264() ? "" : "This browser cannot send H.264, so VP8 is used: it works, and costs the server more.");
      return showState("live", "Live");
    case "waiting":
      quiet();
      showState("waiting", "Reconnecting");
      return showNotice(`${reason} Trying again in ${retryIn} s.`, () => session?.reconnect());
    case "failed":
      quiet();
      showState("failed", "Not connected");
      return showNotice(reason, () => session?.reconnect());
    case "closed":
      return showState("idle", "Off");
  }
}

/** Shows no figures of what is over. */
function quiet() {
  showFigures(null);
  panel.report([]);
  plot.add(null);
}

/** Opens what is chosen, and sends it. */
async function start() {
  const chosen = cameras.value;
  if (chosen === FILE && !file) return filePicker.click();
  showNotice("");
  if (!session) showState("starting", chosen === FILE ? "Opening the file" : "Waiting for the camera");
  const [width, height] = resolution.value.split("x").map(Number);
  const mine = ++turn;
  try {
    // Phones open no second camera beside the first.
    source?.close();
    source = null;
    const opened = chosen === FILE && file ? await openFile(file) : await openCamera({ deviceId: chosen, width, height });
    if (mine !== turn) return opened.close();
    source = opened;
    const [track] = opened.stream.getVideoTracks();
    track.addEventListener("ended", () => source === opened && stop("The camera is gone. Plug it in again, or choose another one."));
  } catch (error) {
    if (mine === turn) stop(error instanceof SourceError ? error.message : `The picture could not be opened (${error}).`);
    return;
  }
  before.srcObject = source.stream;
  before.play().catch(() => {}); // interrupted when another source follows at once
  mirror.checked = source.mirrored;
  showMirrored();
  resolution.disabled = chosen === FILE;
  void showCameras();
  if (session) return void session.replaceSource(source.stream);
  session = loop({ source: source.stream, stream, chain: panel.chain, video: after, token });
  session.addEventListener("state", (event) => follow(/** @type {CustomEvent} */ (event).detail));
  session.addEventListener("figures", (event) => showAll(/** @type {CustomEvent} */ (event).detail));
  session.addEventListener("chain", () => showChainProblem(""));
  session.addEventListener("problem", (event) => showChainProblem(/** @type {CustomEvent} */ (event).detail.message));
}

/** @param {string} [why] */
function stop(why = "") {
  turn++;
  session?.close();
  source?.close();
  session = source = null;
  before.srcObject = after.srcObject = null;
  picture.forget();
  showState("idle", "Off");
  quiet();
  showNotice(why, why ? start : null);
}

/** @param {import("./doppel.js").Figures} figures */
function showAll(figures) {
  picture.keep();
  showFigures(figures);
  plot.add(figures.server?.latency_ms ?? null);
  if (figures.server) panel.report(figures.server.chain);
}

/** @param {string} message */
function showChainProblem(message) {
  byId("chain-problem").textContent = message;
  byId("chain-problem").hidden = !message;
}

function showMirrored() {
  document.body.classList.toggle("mirrored", mirror.checked);
}

async function showCameras() {
  const found = await listCameras();
  const options = found.map(({ deviceId, label }, index) => element("option", { value: deviceId }, label || `Camera ${index + 1}`));
  if (!options.length) options.push(element("option", { value: "" }, "Camera"));
  const chosen = source ? source.deviceId || (file ? FILE : "") : cameras.value;
  cameras.replaceChildren(...options, element("option", { value: FILE }, "Video file…"));
  cameras.value = chosen;
  if (cameras.selectedIndex < 0) cameras.selectedIndex = 0;
}

/**
 * Where a setting names a model package, those that are installed are offered.
 * @param {import("./doppel.js").TransformInfo[]} transforms
 * @param {{id: string, kind: string, task: string | null}[]} models
 */
function offerModels(transforms, models) {
  for (const property of transforms.flatMap((info) => Object.values(info.settings?.properties ?? {}))) {
    if (property.models) property.examples = models.filter(({ kind, task }) => kind === "package" && task === property.models).map(({ id }) => id);
  }
}

async function loadTransforms() {
  try {
    const [transforms, models] = await Promise.all([listTransforms({ token }), listModels({ token })]);
    offerModels(transforms, models);
    const asked = wishes.get("chain");
    const working = transforms.filter((info) => !info.error).map((info) => info.transform);
    panel.load(transforms, asked === null ? working.slice(0, 1) : asked.split(",").filter(Boolean));
  } catch (error) {
    const locked = error instanceof ServerError && error.status === 401;
    const message = locked ? "This server asks for a token: put #token= and one that may publish, or #key= and its access key, at the end of this page's address." : error;
    showNotice(message instanceof Error ? message.message : String(message), () => void (showNotice(""), begin()));
    throw error;
  }
}

async function begin() {
  try {
    await loadTransforms();
  } catch {
    return; // which the notice has told
  }
  byId("start").removeAttribute("disabled");
  byId("start-file").removeAttribute("disabled");
  if (await cameraAllowed()) await start();
}

byId("start").addEventListener("click", start);
byId("start-file").addEventListener("click", () => filePicker.click());
byId("stop").addEventListener("click", () => stop());
byId("again").addEventListener("click", () => again());
mirror.addEventListener("change", showMirrored);
resolution.addEventListener("change", () => source && start());
cameras.addEventListener("change", () => {
  if (cameras.value === FILE) filePicker.click();
  else if (source) void start();
});
filePicker.addEventListener("cancel", () => void showCameras());
filePicker.addEventListener("change", () => {
  file = filePicker.files?.[0] ?? null;
  filePicker.value = "";
  if (!file) return;
  cameras.value = FILE;
  void start();
});
panel.addEventListener("change", () => session?.setChain(panel.chain));
navigator.mediaDevices?.addEventListener?.("devicechange", () => void showCameras());

window.addEventListener("hashchange", () => location.reload());

/** @type {HTMLAnchorElement} */ (byId("watch")).href = `/watch/${encodeURIComponent(stream)}${location.hash}`;
showState("idle", "Off");
showFigures(null);
void showCameras();
void begin();
