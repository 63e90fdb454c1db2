/** The chain as a list of cards: transforms added, moved, removed and set. */
import { objectControls } from "./controls.js";
import { byId, element } from "./element.js";

/** Transforms in one chain, as the server has it. */
const MAX_STEPS = 16;

/** Quiet time before a changed chain is told, ms: a slider fires faster than anybody sees. */
const SETTLE = 80;

/**
 * @typedef {import("./doppel.js").TransformInfo} TransformInfo
 * @typedef {{transform: string, settings: Record<string, any>, card: HTMLLIElement}} Entry
 */

/** Fires "change" when there is another chain. */
export class ChainPanel extends EventTarget {
  #list = byId("chain");
  #choice = /** @type {HTMLSelectElement} */ (byId("add-choice"));
  #add = /** @type {HTMLButtonElement} */ (byId("add-button"));
  #spoken = byId("chain-spoken");
  /** @type {Map<string, TransformInfo>} */
  #known = new Map();
  /** @type {Entry[]} */
  #entries = [];
  #timer = 0;

  constructor() {
    super();
    byId("add").addEventListener("submit", (event) => {
      event.preventDefault();
      const entry = this.#append(this.#choice.value);
      if (!entry) return;
      this.#say(`${this.#title(entry)} added.`);
      this.#changed();
    });
  }

  /** @returns {import("./doppel.js").Step[]} */
  get chain() {
    return this.#entries.map(({ transform, settings }) => ({ transform, settings: structuredClone(settings) }));
  }

  /**
   * @param {TransformInfo[]} transforms
   * @param {string[]} begin  transforms to begin with
   */
  load(transforms, begin) {
    this.#known = new Map(transforms.map((info) => [info.transform, info]));
    this.#choice.replaceChildren(
      ...transforms.map((info) =>
        element("option", { value: info.transform, disabled: Boolean(info.error), title: info.error ?? info.summary }, info.title + (info.error ? " (broken)" : "")),
      ),
    );
    this.#choice.value = transforms.find((info) => !info.error)?.transform ?? "";
    for (const transform of begin) this.#append(transform);
    this.#arrange();
  }

  /** Shows what each transform takes. @param {{transform: string, latency_ms: {p50: number}, errors: number}[]} reports */
  report(reports) {
    this.#entries.forEach(({ transform, card }, index) => {
      // Of a chain that is on its way in or out, what is in its place already.
      const report = reports[index]?.transform === transform ? reports[index] : null;
      const cost = /** @type {HTMLElement} */ (card.querySelector(".cost"));
      cost.textContent = !report ? "" : report.errors ? `${report.errors} failed` : `${report.latency_ms.p50.toFixed(1)} ms`;
      cost.classList.toggle("bad", Boolean(report?.errors));
    });
  }

  /** @param {string} transform */
  #append(transform) {
    const info = this.#known.get(transform);
    if (!info?.settings || this.#entries.length >= MAX_STEPS) return null;
    const schema = /** @type {import("./controls.js").Schema} */ (info.settings);
    /** @type {Entry} */
    const entry = { transform, settings: {}, card: element("li", { className: "card", data: { testid: "chain-item", transform } }) };
    const controls = objectControls(schema, entry.settings, () => this.#changed());
    const act = (/** @type {string} */ name, /** @type {string} */ icon, /** @type {() => void} */ onclick) =>
      element("button", { type: "button", className: "icon", title: name, onclick, data: { testid: name.split(" ")[0].toLowerCase(), act: icon }, aria: { label: `${name}: ${info.title}` } });
    entry.card.append(
      element(
        "header",
        {},
        element("h3", { title: info.summary }, info.title),
        element("span", { className: "cost", data: { testid: "cost" } }),
        act("Up", "up", () => this.#move(entry, -1)),
        act("Down", "down", () => this.#move(entry, 1)),
        act("Remove", "remove", () => this.#remove(entry)),
      ),
      controls,
    );
    entry.card.addEventListener("keydown", (event) => {
      const by = { ArrowUp: -1, ArrowDown: 1 }[event.key];
      if (!by || !event.altKey) return;
      event.preventDefault();
      this.#move(entry, by);
    });
    this.#entries.push(entry);
    this.#arrange();
    return entry;
  }

  /** @param {Entry} entry @param {number} by */
  #move(entry, by) {
    const from = this.#entries.indexOf(entry);
    const to = from + by;
    if (to < 0 || to >= this.#entries.length) return;
    const focused = /** @type {HTMLElement | null} */ (document.activeElement);
    this.#entries.splice(from, 1);
    this.#entries.splice(to, 0, entry);
    this.#arrange();
    // Moving an element takes the focus from it; a button that has just gone out of use cannot have it.
    const button = /** @type {HTMLButtonElement | null} */ (focused?.closest("button"));
    const other = entry.card.querySelector(`[data-act=${by < 0 ? "down" : "up"}]`);
    if (button?.disabled) /** @type {HTMLElement | null} */ (other)?.focus();
    else focused?.focus();
    this.#say(`${this.#title(entry)} is now number ${to + 1} of ${this.#entries.length}.`);
    this.#changed();
  }

  /** @param {Entry} entry */
  #remove(entry) {
    const index = this.#entries.indexOf(entry);
    this.#entries.splice(index, 1);
    this.#arrange();
    const near = this.#entries[Math.min(index, this.#entries.length - 1)];
    /** @type {HTMLElement} */ (near?.card.querySelector("[data-act=remove]") ?? this.#choice).focus();
    this.#say(`${this.#title(entry)} removed.`);
    this.#changed();
  }

  #arrange() {
    this.#list.replaceChildren(...this.#entries.map(({ card }) => card));
    this.#entries.forEach(({ card }, index) => {
      /** @type {HTMLButtonElement} */ (card.querySelector("[data-act=up]")).disabled = index === 0;
      /** @type {HTMLButtonElement} */ (card.querySelector("[data-act=down]")).disabled = index === this.#entries.length - 1;
    });
    byId("chain-empty").hidden = this.#entries.length > 0;
    this.#add.disabled = !this.#choice.value || this.#entries.length >= MAX_STEPS;
  }

  #changed() {
    clearTimeout(this.#timer);
    this.#timer = window.setTimeout(() => this.dispatchEvent(new Event("change")), SETTLE);
  }

  /** @param {Entry} entry */
  #title(entry) {
    return this.#known.get(entry.transform)?.title ?? entry.transform;
  }

  /** For those who cannot see it happen. @param {string} sentence */
  #say(sentence) {
    this.#spoken.textContent = sentence;
  }
}
