/** The viewer's page: plays the stream that its address names, and says how that goes. */
import { watch } from "./doppel.js";
import { byId } from "./element.js";
import { tokenOfAddress } from "./http.js";
import { Picture } from "./picture.js";
import { codecName, ms, pixels, rate } from "./units.js";

const NONE = "–";
/** Until the buttons leave the picture alone, ms. */
const QUIET = 3_000;

const video = /** @type {HTMLVideoElement} */ (byId("video"));
const screen = byId("screen");
const sound = byId("sound");
const full = byId("full");
const picture = new Picture(video, /** @type {HTMLCanvasElement} */ (byId("still")));

const stream = decodeURIComponent(location.pathname.split("/")[2] ?? "");

const session = watch({ stream, video, token: tokenOfAddress() });

/** @param {string} state @param {string} text @param {string} [note] */
function showState(state, text, note = "") {
  const shown = byId("state");
  shown.dataset.state = document.body.dataset.state = state;
  // What has not changed is not to be read out again.
  for (const [id, words] of Object.entries({ "state-text": text, "veil-text": state === "live" ? "" : text, "veil-note": note })) {
    if (byId(id).textContent !== words) byId(id).textContent = words;
  }
}

/** @param {string} message */
function showNotice(message) {
  byId("notice-text").textContent = message;
  byId("notice").hidden = !message;
}

/** @param {import("./doppel.js").StateDetail} detail */
function follow({ state, reason, retryIn, absent }) {
  if (state !== "live") showFigures(null);
  if (absent) {
    picture.forget();
    showNotice("");
    return showState("absent", "Waiting for the stream to begin", "It will play here by itself.");
  }
  switch (state) {
    case "connecting":
      return showState("connecting", byId("notice").hidden ? "Connecting" : "Reconnecting");
    case "live":
      showNotice("");
      return showState("live", "Live");
    case "waiting":
      showNotice(`${reason} Trying again in ${retryIn} s.`);
      return showState("waiting", "Reconnecting");
    case "failed":
      showNotice(reason);
      return showState("failed", "Not connected");
  }
}

/** @param {import("./doppel.js").Figures | null} figures */
function showFigures(figures) {
  const { local, server, latency } = figures ?? { local: null, server: null, latency: null };
  const back = local?.back;
  const total = server?.latency_ms?.total?.p50;
  set("latency", latency === null ? NONE : ms(latency));
  set("server", total === undefined ? NONE : ms(total));
  set("rtt", typeof local?.rtt === "number" ? ms(local.rtt) : NONE);
  set("buffer", typeof local?.buffer === "number" ? ms(local.buffer) : NONE);
  set("fps", back ? Math.round(back.fps) : NONE);
  set("picture", back?.width ? pixels(back) : NONE);
  set("picture-note", back?.codec ? `${codecName(back.codec)}, ${rate(back.kbps)}` : "size and codec");
  set("lost", back ? back.lost : NONE);
  set("freezes", back ? back.freezes : NONE);
  const parts = [latency === null ? null : `${ms(latency)} behind`, back?.width ? pixels(back) : null, back?.width ? `${Math.round(back.fps)} fps` : null];
  set("summary", parts.filter(Boolean).join(" · ") || "Figures");
}

/** @param {string} id @param {string | number} value */
function set(id, value) {
  byId(id).textContent = String(value);
}

/** @param {import("./doppel.js").Figures} figures */
function look(figures) {
  picture.keep();
  showFigures(figures);
  const { local, server } = figures;
  if (local.sound > 0) sound.hidden = false;
  // Sound alone need not wait for a picture.
  if (picture.there || (local.sound > 0 && !local.back.width)) document.body.dataset.playing = "";
  if (server?.state === "waiting") showState("away", "The publisher is away");
  else showState("live", "Live");
}

function showSound() {
  sound.textContent = video.muted ? "Unmute" : "Mute";
  sound.classList.toggle("primary", video.muted);
}

function toggleSound() {
  video.muted = !video.muted;
  video.play().catch(() => {}); // it may be interrupted by the next one
}

async function toggleFull() {
  if (document.fullscreenElement) await document.exitFullscreen();
  else if (screen.requestFullscreen) await screen.requestFullscreen();
  else /** @type {any} */ (video).webkitEnterFullscreen(); // an iPhone has it for videos alone
}

let quiet = 0;
/** The buttons are there when somebody stirs. */
function stir() {
  screen.classList.remove("quiet");
  clearTimeout(quiet);
  quiet = window.setTimeout(() => screen.classList.add("quiet"), QUIET);
}

session.addEventListener("state", (event) => follow(/** @type {CustomEvent} */ (event).detail));
session.addEventListener("figures", (event) => look(/** @type {CustomEvent} */ (event).detail));
session.addEventListener("video", () => delete document.body.dataset.playing);
video.addEventListener("resize", () => {
  if (picture.there) document.body.dataset.playing = "";
});
video.addEventListener("volumechange", showSound);
sound.addEventListener("click", toggleSound);
full.addEventListener("click", () => void toggleFull());
full.hidden = !("requestFullscreen" in screen || "webkitEnterFullscreen" in video);
document.addEventListener("fullscreenchange", () => set("full", document.fullscreenElement ? "Leave full screen" : "Full screen"));
for (const type of ["pointermove", "pointerdown", "keydown"]) document.addEventListener(type, stir);
byId("again").addEventListener("click", () => session.reconnect());
window.addEventListener("hashchange", () => location.reload());

document.title = `${stream} · doppel`;
set("name", stream);
showState("connecting", "Connecting");
showFigures(null);
showSound();
stir();
