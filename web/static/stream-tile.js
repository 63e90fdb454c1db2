/** One stream on the dashboard: its picture, where its time goes, what it loses, and what an operator may do. */
import { humanize } from "./controls.js";
import { element } from "./element.js";
import { call } from "./http.js";
import { StageStrip } from "./stage-strip.js";
import { ms, rate } from "./units.js";

/** Until a second press counts as meant, ms. */
const SURE = 4000;

/** Looks over which losses are told, one a second. */
const MINUTE = 60;

export class StreamTile {
  /** @type {import("./http.js").Door} */
  #door;
  #name;
  #state = element("span", {});
  #badge = element("p", { className: "state" }, element("span", { className: "dot" }), this.#state);
  #image = element("img", { alt: "", hidden: true });
  #nothing = element("span", {}, "Nobody watches");
  #strip;
  #facts = element("dl", { className: "facts" });
  #chain = element("p", { className: "words" });
  #drops = element("p", { className: "words", hidden: true, data: { level: "warn" } });
  #problem = element("p", { className: "problem", role: "alert", hidden: true });
  #record = element("button", { type: "button" }, "Record");
  #stop = element("button", { type: "button", className: "plain" }, "End");
  #form = element("form", { hidden: true });
  #text = element("textarea", { spellcheck: false, aria: { label: "Chain, as JSON" } });
  #shot = "";
  /** @type {string | null} */
  #recording = null;
  #sure = 0;
  /** Frames lost since it began, by reason, at each look of the last minute. @type {Record<string, number>[]} */
  #looks = [];
  #shown = false;
  /** Frames lost in the last minute, by reason, most first. @type {[string, number][]} */
  losses = [];

  /** @param {string} name @param {import("./http.js").Door} door */
  constructor(name, door) {
    this.#name = name;
    this.#door = door;
    const canvas = element("canvas", { aria: { hidden: "true" } });
    this.#strip = new StageStrip(canvas);
    const change = element("button", { type: "button" }, "Chain…");
    change.onclick = () => void this.#try(() => this.#open());
    this.#record.onclick = () => void this.#try(() => this.#toggle());
    this.#stop.onclick = () => void this.#try(() => this.#end());
    this.#form.append(
      this.#text,
      element("div", { className: "actions" }, element("button", { type: "submit" }, "Apply"), element("button", { type: "button", className: "plain", onclick: () => (this.#form.hidden = true) }, "Cancel")),
    );
    this.#form.onsubmit = (event) => {
      event.preventDefault();
      void this.#try(() => this.#apply());
    };
    const link = element("a", { href: `/watch/${encodeURIComponent(name)}${location.hash}`, target: "_blank", rel: "noopener" }, name);
    this.element = element(
      "li",
      { className: "tile", data: { stream: name, testid: "tile" } },
      element("div", { className: "head" }, element("h3", {}, link), this.#badge),
      element("div", { className: "look" }, element("div", { className: "shot" }, this.#nothing, this.#image), element("div", { className: "strip" }, canvas)),
      this.#facts,
      this.#chain,
      this.#drops,
      this.#problem,
      element("div", { className: "actions" }, change, this.#record, this.#stop),
      this.#form,
    );
  }

  /** @param {any} report  as GET /api/streams has it */
  show(report) {
    this.#badge.dataset.state = report.state;
    this.#state.textContent = humanize(report.state);
    const total = report.latency_ms.total;
    this.#shown = report.fps_out > 0;
    this.#nothing.textContent = report.viewers || report.outputs.length ? "Nothing comes" : "Nobody watches";
    this.#strip.add(report.state === "live" && this.#shown ? report.latency_ms : null);
    this.#fact({
      In: `${Math.round(report.fps_in)} fps`,
      Out: `${Math.round(report.fps_out)} fps`,
      p95: this.#shown ? ms(total.p95) : "–",
      Viewers: String(report.viewers),
      Publisher: report.publisher ? report.publisher.protocol.toUpperCase() : "Away",
      Picture: report.width_out ? `${report.width_out}×${report.height_out}` : "–",
      Received: rate(report.kbps_in),
      Sent: rate(report.kbps_out),
    });
    const steps = report.chain.map((/** @type {any} */ step) => `${step.transform} ${ms(step.latency_ms.p50)}${step.errors ? `, ${step.errors} failed` : ""}`);
    this.#chain.textContent = steps.length ? steps.join(" → ") : "No transforms";
    this.#chain.title = this.#chain.textContent;
    this.#count(report.drops);
    const recording = report.outputs.find((/** @type {any} */ output) => output.kind === "recording" && output.state !== "failed");
    this.#recording = recording?.id ?? null;
    this.element.classList.toggle("recorded", Boolean(recording));
    this.#record.textContent = recording ? "Stop recording" : "Record";
    this.#record.classList.toggle("recording", Boolean(recording));
  }

  /** Fetches the picture anew. */
  async look() {
    // Not asked for where there is none: a browser writes each refusal into its console.
    if (!this.#shown) {
      this.#image.hidden = true;
      return;
    }
    try {
      const response = await call(this.#door, `/api/streams/${encodeURIComponent(this.#name)}/thumbnail`);
      const url = URL.createObjectURL(await response.blob());
      this.#image.src = url;
      this.#image.hidden = false;
      URL.revokeObjectURL(this.#shot);
      this.#shot = url;
    } catch {
      this.#image.hidden = true; // nobody watches, or it has just ended
    }
  }

  remove() {
    URL.revokeObjectURL(this.#shot);
    this.element.remove();
  }

  /** @param {Record<string, string>} facts */
  #fact(facts) {
    this.#facts.replaceChildren(...Object.entries(facts).map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, value))));
  }

  /** @param {Record<string, number>} drops */
  #count(drops) {
    this.#looks.push(drops);
    const [before] = this.#looks.length > MINUTE ? this.#looks.splice(0, 1) : this.#looks;
    this.losses = Object.entries(drops)
      .map(([reason, count]) => /** @type {[string, number]} */ ([reason, count - (before[reason] ?? 0)]))
      .filter(([reason, count]) => count > 0 && reason !== "unwatched")
      .sort(([, one], [, other]) => other - one);
    this.#drops.textContent = this.losses.length ? `Lost in the last minute: ${this.losses.map(([reason, count]) => `${count} ${humanize(reason).toLowerCase()}`).join(", ")}` : "";
    this.#drops.hidden = !this.losses.length;
  }

  /** @param {() => Promise<void>} action */
  async #try(action) {
    this.#problem.hidden = true;
    try {
      await action();
    } catch (error) {
      this.#problem.textContent = error instanceof Error ? error.message : String(error);
      this.#problem.hidden = false;
    }
  }

  get #path() {
    return `/api/streams/${encodeURIComponent(this.#name)}`;
  }

  async #open() {
    const { chain } = await (await call(this.#door, `${this.#path}/chain`)).json();
    this.#text.value = JSON.stringify(chain, null, 1);
    this.#form.hidden = false;
    this.#text.focus();
  }

  async #apply() {
    let chain;
    try {
      chain = JSON.parse(this.#text.value);
    } catch (error) {
      throw new Error(`That is no JSON: ${error instanceof Error ? error.message : error}`);
    }
    await call(this.#door, `${this.#path}/chain`, { method: "PUT", body: JSON.stringify({ chain }), type: "application/json", timeout: 60_000 });
    this.#form.hidden = true;
  }

  async #toggle() {
    if (this.#recording) await call(this.#door, `${this.#path}/outputs/${this.#recording}`, { method: "DELETE" });
    else await call(this.#door, `${this.#path}/outputs`, { method: "POST", body: JSON.stringify({ kind: "recording" }), type: "application/json" });
  }

  async #end() {
    // A stream that many watch is not ended by a slip.
    if (!this.#sure) {
      this.#stop.textContent = "End for everybody?";
      this.#sure = window.setTimeout(() => {
        this.#sure = 0;
        this.#stop.textContent = "End";
      }, SURE);
      return;
    }
    await call(this.#door, this.#path, { method: "DELETE" });
  }
}
