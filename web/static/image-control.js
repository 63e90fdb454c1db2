/** A setting that is a picture: the user's file, made small enough here, and sent as a PNG data URL. */
import { humanize, row } from "./controls.js";
import { element } from "./element.js";
import { MAX_LENGTH } from "./file-control.js";

/** Largest picture sent, px. */
const LARGEST = { width: 1280, height: 720 };

/** @param {import("./controls.js").Field} field */
export function imageControl({ id, label, schema, value, change }) {
  const own = element("option", { value: "", hidden: true }, "Own picture");
  const names = (schema.examples ?? []).map((name) => element("option", { value: name }, humanize(name)));
  const builtIn = element("select", { hidden: !names.length, onchange: () => set(builtIn.value), aria: { label } }, ...names, own);
  const preview = element("img", { className: "thumbnail", alt: "", hidden: true });
  const problem = element("p", { className: "problem", role: "alert", hidden: true });
  const remove = element("button", { type: "button", className: "plain" }, "Remove");
  const input = element("input", { id, type: "file", accept: "image/*" });

  /** @param {unknown} image */
  const show = (image) => {
    const shown = typeof image === "string" && image.startsWith("data:image/");
    preview.hidden = !shown;
    // Where there are built-in ones, choosing one of them takes the own one away.
    remove.hidden = !shown || names.length > 0;
    if (shown) preview.src = image;
    builtIn.value = shown ? "" : String(image ?? "");
  };
  /** @param {unknown} image */
  const set = (image) => {
    problem.hidden = true;
    show(image);
    change(image);
  };
  input.onchange = async () => {
    const [file] = input.files ?? [];
    input.value = "";
    if (!file) return;
    try {
      set(await asDataUrl(file, Math.min(schema.maxLength ?? MAX_LENGTH, MAX_LENGTH)));
    } catch (error) {
      problem.textContent = error instanceof Error ? error.message : String(error);
      problem.hidden = false;
    }
  };
  remove.onclick = () => {
    set(schema.default ?? null);
    input.focus();
  };
  show(value);
  const buttons = element("div", { className: "image" }, builtIn, preview, element("label", { htmlFor: id, className: "button" }, "Choose…"), remove, problem);
  const made = row(id, label, schema, input);
  input.classList.add("unseen");
  input.after(buttons);
  return made;
}

/**
 * @param {File} file
 * @param {number} most  characters
 */
async function asDataUrl(file, most) {
  const url = URL.createObjectURL(file);
  try {
    const image = new Image();
    image.src = url;
    await image.decode().catch(() => {
      throw new Error("This browser cannot read that picture. Try a PNG or a JPEG.");
    });
    let scale = Math.min(1, LARGEST.width / image.naturalWidth, LARGEST.height / image.naturalHeight);
    // A PNG's size is only known once it is made; noise, which packs worst, is halved until it fits.
    for (;;) {
      const canvas = element("canvas", { width: size(image.naturalWidth * scale), height: size(image.naturalHeight * scale) });
      canvas.getContext("2d")?.drawImage(image, 0, 0, canvas.width, canvas.height);
      const made = canvas.toDataURL("image/png");
      if (made.length <= most) return made;
      scale *= 0.7;
    }
  } finally {
    URL.revokeObjectURL(url);
  }
}

/** @param {number} length */
function size(length) {
  return Math.max(1, Math.round(length));
}
