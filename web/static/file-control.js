/** A setting that is a file other than a picture: text as it is, anything else as a data URL. */
import { row } from "./controls.js";
import { element } from "./element.js";

/** Longest value sent, characters: the server takes a chain of 4 MB in all. */
export const MAX_LENGTH = 3_500_000;

/** @param {import("./controls.js").Field} field */
export function fileControl({ id, label, schema, value, change }) {
  const most = Math.min(schema.maxLength ?? MAX_LENGTH, MAX_LENGTH);
  const isText = schema.contentMediaType?.startsWith("text/") ?? false;
  const name = element("span", { className: "file-name" });
  const problem = element("p", { className: "problem", role: "alert", hidden: true });
  const remove = element("button", { type: "button", className: "plain" }, "Remove");
  const input = element("input", { id, type: "file", accept: schema.accept ?? schema.contentMediaType ?? "" });

  /** @param {string} told */
  const show = (told) => {
    name.textContent = told || "No file";
    remove.hidden = !told;
    problem.hidden = true;
  };
  /** @param {string} told */
  const refuse = (told) => {
    problem.textContent = told;
    problem.hidden = false;
  };
  input.onchange = async () => {
    const [file] = input.files ?? [];
    input.value = "";
    if (!file) return;
    // A data URL has four characters for three bytes.
    if (file.size > (isText ? most : most * 0.74)) return refuse(`${file.name} is too large: ${Math.floor((isText ? most : most * 0.74) / 1e3)} kB is the most.`);
    try {
      change(isText ? await file.text() : await asDataUrl(file, schema.contentMediaType));
      show(file.name);
    } catch {
      refuse(`${file.name} cannot be read.`);
    }
  };
  remove.onclick = () => {
    change(schema.default ?? "");
    show("");
    input.focus();
  };
  show(value ? "Set" : "");
  const parts = element("div", { className: "image" }, name, element("label", { htmlFor: id, className: "button" }, "Choose…"), remove, problem);
  const made = row(id, label, schema, input);
  input.classList.add("unseen");
  input.after(parts);
  return made;
}

/**
 * @param {File} file
 * @param {string} [type]  what the setting wants it called, whatever the system says it is
 * @returns {Promise<string>}
 */
function asDataUrl(file, type) {
  return new Promise((resolve, reject) => {
    const reader = new FileReader();
    reader.onload = () => resolve(String(reader.result));
    reader.onerror = () => reject(reader.error);
    reader.readAsDataURL(new Blob([file], { type: type ?? file.type }));
  });
}
