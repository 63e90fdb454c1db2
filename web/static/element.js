/**
 * Makes an element with properties and children; null children are left out.
 * @template {keyof HTMLElementTagNameMap} K
 * @param {K} name
 * @param {Partial<Record<string, any>>} properties  `data` and `aria` are objects of attributes
 * @param {...(Node | string | null | undefined)} children
 * @returns {HTMLElementTagNameMap[K]}
 */
export function element(name, { data = {}, aria = {}, ...properties }, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    // An output's htmlFor can only be set as an attribute.
    if (key === "htmlFor") made.setAttribute("for", value);
    else /** @type {any} */ (made)[key] = value;
  }
  Object.assign(made.dataset, data);
  for (const [key, value] of Object.entries(aria)) made.setAttribute(`aria-${key}`, String(value));
  made.append(.../** @type {(Node | string)[]} */ (children.filter((child) => child !== null && child !== undefined)));
  return made;
}

/**
 * The element of the page with that id.
 * @template {HTMLElement} [T=HTMLElement]
 * @param {string} id
 * @returns {T}
 */
export function byId(id) {
  const found = document.getElementById(id);
  if (!found) throw new Error(`the page has no #${id}`);
  return /** @type {T} */ (found);
}
