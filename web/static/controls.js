/**
 * Form controls made from a JSON Schema, as pydantic writes it.
 * @typedef {object} Schema  the parts of JSON Schema that are understood here
 * @property {string} [type]
 * @property {string} [format]  "color", or "image" for a PNG as data URL
 * @property {string} [contentMediaType]  "image/png" means the same; of any other type it is a file
 * @property {string} [accept]  ours: the suffixes of such a file
 * @property {string[]} [examples]  of a picture: names of built-in ones; of a text: what is offered
 * @property {string} [models]  ours: the task of the model packages of which it names one
 * @property {string} [title]
 * @property {string} [description]
 * @property {any} [default]
 * @property {any} [const]
 * @property {any[]} [enum]
 * @property {number} [minimum]
 * @property {number} [maximum]
 * @property {number} [exclusiveMinimum]
 * @property {number} [exclusiveMaximum]
 * @property {number} [multipleOf]
 * @property {number} [maxLength]
 * @property {string} [unit]  ours: shown after a number
 * @property {Record<string, any>} [when]  ours: only of interest while these other settings have these values
 * @property {Record<string, Schema>} [properties]
 * @property {Schema[]} [anyOf]
 * @property {Schema[]} [allOf]
 * @property {string} [$ref]
 * @property {Record<string, Schema>} [$defs]
 *
 * @typedef {object} Field  a schema, its value now, and whom to tell of another
 * @property {string} id
 * @property {string} label
 * @property {Schema} schema
 * @property {Schema} root  where `$ref` leads to
 * @property {any} value
 * @property {(value: any) => void} change
 */
import { element } from "./element.js";
import { fileControl } from "./file-control.js";
import { imageControl } from "./image-control.js";

/** Choices up to which all are shown at once. */
const SEGMENTS = 4;

let count = 0;

/**
 * Controls for every property of an object.
 * @param {Schema} root
 * @param {Record<string, any>} values  changed in place
 * @param {() => void} changed
 * @param {Schema} [schema]  a part of the root; all of it by default
 */
export function objectControls(root, values, changed, schema = root) {
  /** @type {{row: HTMLElement, when: Record<string, any>}[]} */
  const conditional = [];
  const show = () => {
    for (const { row, when } of conditional) {
      row.hidden = !Object.entries(when).every(([name, wanted]) => [wanted].flat().includes(values[name]));
    }
  };
  const rows = Object.entries(schema.properties ?? {}).map(([name, property]) => {
    const resolved = resolve(property, root);
    values[name] ??= initial(resolved, root);
    const row = control({
      id: `setting-${++count}`,
      label: resolved.title ?? humanize(name),
      schema: resolved,
      root,
      value: values[name],
      change: (value) => {
        values[name] = value;
        show();
        changed();
      },
    });
    row.dataset.setting = name;
    if (resolved.when) conditional.push({ row, when: resolved.when });
    return row;
  });
  show();
  return element("div", { className: "settings" }, ...rows);
}

/**
 * What a property has to begin with.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {any}
 */
function initial(schema, root) {
  if (schema.default !== undefined) return structuredClone(schema.default);
  if (schema.const !== undefined) return schema.const;
  if (schema.properties) {
    return Object.fromEntries(Object.entries(schema.properties).map(([name, part]) => [name, initial(resolve(part, root), root)]));
  }
  return schema.enum?.[0] ?? schema.minimum ?? { boolean: false, string: "", array: [] }[schema.type ?? ""] ?? 0;
}

/**
 * Follows references; of a choice between something and null, takes the something.
 * @param {Schema} schema
 * @param {Schema} root
 * @returns {Schema}
 */
function resolve(schema, root) {
  const { $ref, anyOf, allOf, ...own } = schema;
  const target = $ref ? root.$defs?.[$ref.replace("#/$defs/", "")] : (allOf ?? anyOf)?.find((part) => part.type !== "null");
  return target ? { ...resolve(target, root), ...own } : schema;
}

/** @param {Field} field @returns {HTMLElement} */
function control(field) {
  const { schema } = field;
  if (schema.properties) return group(field);
  if (schema.enum) return schema.enum.length <= SEGMENTS ? segments(field) : select(field);
  if (schema.format === "image" || schema.contentMediaType?.startsWith("image/")) return imageControl(field);
  if (schema.contentMediaType) return fileControl(field);
  if (schema.format === "color") return color(field);
  if (schema.type === "boolean") return toggle(field);
  if (schema.type === "number" || schema.type === "integer") return number(field);
  if (schema.type === "string") return text(field);
  return element("p", { className: "hint" }, `${field.label} can be set through the API.`);
}

/** @param {Field} field */
function group({ label, schema, root, value, change }) {
  const values = value ?? {};
  return element("fieldset", { className: "group" }, element("legend", {}, label), objectControls(root, values, () => change(values), schema));
}

/** @param {Field} field */
function segments({ id, label, schema, value, change }) {
  const options = (schema.enum ?? []).map((option, index) => {
    const input = element("input", { type: "radio", name: id, id: `${id}-${index}`, checked: option === value, onchange: () => change(option) });
    return [input, element("label", { htmlFor: input.id }, humanize(String(option)))];
  });
  return element("fieldset", { className: "row" }, element("legend", {}, label), element("div", { className: "segments" }, ...options.flat()), hint(schema));
}

/** @param {Field} field */
function select({ id, label, schema, value, change }) {
  const options = (schema.enum ?? []).map((option) => element("option", { value: String(option) }, humanize(String(option))));
  const input = element("select", { id }, ...options);
  input.selectedIndex = Math.max(0, (schema.enum ?? []).indexOf(value));
  input.onchange = () => change(schema.enum?.[input.selectedIndex]);
  return row(id, label, schema, input);
}

/** @param {Field} field */
function number({ id, label, schema, value, change }) {
  const min = schema.minimum ?? schema.exclusiveMinimum;
  const max = schema.maximum ?? schema.exclusiveMaximum;
  const whole = schema.type === "integer";
  const bounded = min !== undefined && max !== undefined;
  const step = schema.multipleOf ?? (whole ? 1 : bounded ? fine(max - min) : "any");
  const unit = schema.unit ? `\u202f${schema.unit}` : "";
  const output = element("output", { htmlFor: id });
  const show = (/** @type {number} */ now) => {
    output.textContent = (whole ? now : Number(now.toPrecision(3))) + unit;
    input.style.setProperty("--filled", bounded ? `${((now - min) / (max - min)) * 100}%` : "");
  };
  const input = element("input", { id, type: bounded ? "range" : "number" });
  Object.assign(input, { min: String(min ?? ""), max: String(max ?? ""), step: String(step), value: String(value) });
  input.oninput = () => {
    // Half a number is none, and an exclusive bound is not to be sent.
    if (!input.checkValidity() || input.value === "") return;
    const now = input.valueAsNumber;
    if (now === schema.exclusiveMinimum || now === schema.exclusiveMaximum) return;
    show(now);
    change(now);
  };
  show(Number(value));
  return row(id, label, schema, input, output);
}

/** @param {Field} field */
function toggle({ id, label, schema, value, change }) {
  const input = element("input", { id, type: "checkbox", className: "switch", checked: Boolean(value) });
  input.onchange = () => change(input.checked);
  const element_ = row(id, label, schema, input);
  element_.classList.add("inline");
  return element_;
}

/** @param {Field} field */
function color({ id, label, schema, value, change }) {
  const output = element("output", { htmlFor: id }, String(value));
  const input = element("input", { id, type: "color", value: String(value) });
  input.oninput = () => change((output.textContent = input.value));
  const element_ = row(id, label, schema, input, output);
  element_.classList.add("inline");
  return element_;
}

/** @param {Field} field */
function text({ id, label, schema, value, change }) {
  const input = element("input", { id, type: "text", value: String(value ?? ""), maxLength: schema.maxLength ?? 1000 });
  input.oninput = () => change(input.value);
  const made = row(id, label, schema, input);
  if (schema.examples?.length) {
    made.append(element("datalist", { id: `${id}-offered` }, ...schema.examples.map((offered) => element("option", { value: offered }))));
    input.setAttribute("list", `${id}-offered`);
  }
  return made;
}

/**
 * @param {string} id
 * @param {string} label
 * @param {Schema} schema
 * @param {HTMLElement} input
 * @param {HTMLElement} [output]
 */
export function row(id, label, schema, input, output) {
  return element("div", { className: "row" }, element("label", { htmlFor: id }, label), output, input, hint(schema));
}

/** @param {Schema} schema */
function hint(schema) {
  return schema.description ? element("p", { className: "hint" }, schema.description) : null;
}

/** About a hundred steps, at a round distance. @param {number} range */
function fine(range) {
  return 10 ** Math.floor(Math.log10(range / 50));
}

/** @param {string} name */
export function humanize(name) {
  const words = name.replaceAll("_", " ").trim();
  return words.charAt(0).toUpperCase() + words.slice(1);
}
