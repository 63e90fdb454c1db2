/** The API's reference, made from the document that the server gives of itself. */
import { byId, element } from "./element.js";

/** How deep a schema is written out. */
const DEPTH = 4;

/** @type {any} */
const api = await (await fetch("/openapi.json")).json();
byId("version").textContent = api.info.version;

/** @type {Map<string, {method: string, path: string, call: any}[]>} */
const groups = new Map();
for (const [path, methods] of Object.entries(api.paths)) {
  for (const [method, call] of Object.entries(/** @type {any} */ (methods))) {
    if (method === "options") continue;
    const [tag] = call.tags;
    groups.set(tag, [...(groups.get(tag) ?? []), { method, path, call }]);
  }
}
for (const [tag, calls] of groups) {
  byId("contents").append(element("h2", {}, tag), ...calls.map(({ method, path, call }) => element("a", { href: `#${call.operationId}`, title: call.summary }, `${method.toUpperCase()} ${path}`)));
  byId("calls").append(element("h2", {}, tag), ...calls.map(show));
}
if (location.hash) document.getElementById(location.hash.slice(1))?.scrollIntoView();

/** @param {{method: string, path: string, call: any}} what */
function show({ method, path, call }) {
  const parts = [
    element("h3", {}, element("span", { className: "method" }, method.toUpperCase()), path),
    element("p", {}, call.summary + "."),
    element("p", { className: "note" }, call.description ?? "Takes no token."),
  ];
  if (call.parameters) {
    const rows = call.parameters.map((/** @type {any} */ one) => row(`${one.name}${one.required ? "" : " (optional)"}`, `${one.in}: ${one.description}`));
    parts.push(table("Parameters", rows));
  }
  if (call.requestBody) parts.push(table("Body", Object.entries(call.requestBody.content).map(([media, { schema }]) => row(media, "", schema))));
  const answers = Object.entries(call.responses).map(([status, answer]) => {
    const [[media, content] = []] = Object.entries(answer.content ?? {});
    return row(status, answer.description + (media && Number(status) < 400 ? ` ${media}` : ""), Number(status) < 400 && media === "application/json" ? content.schema : null);
  });
  parts.push(table("Answers", answers));
  return element("section", { className: "call", id: call.operationId }, ...parts);
}

/** @param {string} title @param {HTMLElement[]} rows */
function table(title, rows) {
  return element("table", {}, element("caption", {}, title), element("tbody", {}, ...rows));
}

/** @param {string} name @param {string} told @param {any} [schema] */
function row(name, told, schema) {
  const shape = schema && (schema.$ref || schema.properties || schema.items || schema.oneOf) ? element("details", {}, element("summary", {}, "Shape"), element("pre", {}, written(schema, 0))) : null;
  return element("tr", {}, element("th", {}, name), element("td", {}, told, shape));
}

/** A schema as an outline of the JSON that it takes. @param {any} schema @param {number} depth @returns {string} */
function written(schema, depth) {
  if (schema.$ref) return written(api.components.schemas[schema.$ref.split("/").pop()], depth);
  const choices = schema.oneOf ?? schema.anyOf;
  if (choices) return choices.map((/** @type {any} */ one) => written(one, depth)).join(" | ");
  if (schema.const !== undefined) return JSON.stringify(schema.const);
  if (schema.enum) return schema.enum.map((/** @type {any} */ one) => JSON.stringify(one)).join(" | ");
  if (schema.type === "array") return `[${schema.items ? written(schema.items, depth) : "..."}]`;
  if (schema.properties) {
    if (depth >= DEPTH) return "{...}";
    const room = "  ".repeat(depth + 1);
    const lines = Object.entries(schema.properties).map(([name, part]) => `${room}"${name}": ${written(part, depth + 1)}`);
    return `{\n${lines.join(",\n")}\n${"  ".repeat(depth)}}`;
  }
  if (schema.additionalProperties && typeof schema.additionalProperties === "object") return `{"...": ${written(schema.additionalProperties, depth)}}`;
  return schema.type ?? "any";
}
