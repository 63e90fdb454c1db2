/** Latency by stage over the last minute, stacked. */
import { humanize } from "./controls.js";
import { byId, element } from "./element.js";

/** Stages in the order in which a picture passes them; what each is the server's report says. */
const STAGES = ["decode", "wait", "chain", "encode", "send"];

/** Samples kept, one a second. */
const LENGTH = 60;

/** Height of the top line at least, ms: small differences are not to look big. */
const LEAST = 5;

/** Height of the top line is one of these times a power of ten, ms. */
const ROUND = [1, 2, 5, 10];

export class LatencyPlot {
  #canvas = /** @type {HTMLCanvasElement} */ (byId("plot"));
  #context = /** @type {CanvasRenderingContext2D} */ (this.#canvas.getContext("2d"));
  /** @type {(number[] | null)[]} */
  #samples = [];
  /** @type {Map<string, HTMLElement>} */
  #values = new Map();

  constructor() {
    const items = STAGES.map((stage) => {
      const value = element("span", { className: "value", data: { testid: `stage-${stage}` } }, "–");
      this.#values.set(stage, value);
      return element("li", { className: `stage-${stage}` }, element("span", { className: "swatch" }), humanize(stage), value);
    });
    byId("plot-legend").replaceChildren(...items);
    new ResizeObserver(() => this.#draw()).observe(this.#canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#draw());
  }

  /** @param {Record<string, {p50: number}> | null} latency  ms by stage; null where it is not known, which leaves a gap */
  add(latency) {
    const sample = latency && STAGES.map((stage) => latency[stage]?.p50 ?? 0);
    this.#samples.push(sample);
    if (this.#samples.length > LENGTH) this.#samples.shift();
    STAGES.forEach((stage, index) => {
      /** @type {HTMLElement} */ (this.#values.get(stage)).textContent = sample ? `${sample[index].toFixed(1)} ms` : "–";
    });
    this.#draw();
  }

  #draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = this.#context;
    context.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const top = ceiling(Math.max(LEAST, ...this.#samples.map((sample) => (sample ?? []).reduce((sum, part) => sum + part, 0))));
    const x = (/** @type {number} */ index) => ((LENGTH - this.#samples.length + index) / (LENGTH - 1)) * width;
    const y = (/** @type {number} */ ms) => height - 1 - (ms / top) * (height - 18);

    for (const run of runs(this.#samples)) {
      let below = run.samples.map(() => 0);
      STAGES.forEach((stage, which) => {
        const above = below.map((base, index) => base + run.samples[index][which]);
        context.beginPath();
        above.forEach((ms, index) => context.lineTo(x(run.start + index), y(ms)));
        for (let index = below.length - 1; index >= 0; index--) context.lineTo(x(run.start + index), y(below[index]));
        context.fillStyle = style.getPropertyValue(`--stage-${stage}`);
        context.fill();
        below = above;
      });
    }
    context.font = `11px ${style.fontFamily}`;
    context.fillStyle = style.getPropertyValue("--muted");
    context.strokeStyle = style.getPropertyValue("--line");
    for (const ms of [top / 2, top]) {
      context.beginPath();
      context.moveTo(0, Math.round(y(ms)) + 0.5);
      context.lineTo(width, Math.round(y(ms)) + 0.5);
      context.stroke();
      context.fillText(`${ms} ms`, 0, y(ms) - 4);
    }
  }
}

/** Parts without gaps. @param {(number[] | null)[]} samples */
function runs(samples) {
  /** @type {{start: number, samples: number[][]}[]} */
  const found = [];
  samples.forEach((sample, index) => {
    if (!sample) return;
    if (index === 0 || !samples[index - 1]) found.push({ start: index, samples: [] });
    found[found.length - 1].samples.push(sample);
  });
  return found;
}

/** @param {number} ms */
function ceiling(ms) {
  const power = 10 ** Math.floor(Math.log10(ms));
  return power * /** @type {number} */ (ROUND.find((factor) => factor * power >= ms));
}
