/** A stream's latency by stage over the last minute, one bar a second: a filmstrip of where time goes. */

/** In the order in which a picture passes them. */
export const STAGES = ["decode", "wait", "chain", "encode", "send"];

/** Bars kept, one a second. */
const LENGTH = 60;

/** Height of the top at least, ms: small differences are not to look big. */
const LEAST = 10;

/** CSS px above the bars, for the label of the top. */
const HEAD = 20;

/**
 * One second.
 * @typedef {{medians: number[], p95: number}} Sample  ms: of each stage, and of all together
 */

export class StageStrip {
  #canvas;
  /** @type {(Sample | null)[]} */
  #samples = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** @param {Record<string, {p50: number, p95: number}> | null} latency  ms by stage; null leaves a gap */
  add(latency) {
    this.#samples.push(latency && { medians: STAGES.map((stage) => latency[stage].p50), p95: latency.total.p95 });
    if (this.#samples.length > LENGTH) this.#samples.shift();
    this.draw();
  }

  draw() {
    const { clientWidth: width, clientHeight: height } = this.#canvas;
    if (!width || !height) return;
    const scale = window.devicePixelRatio || 1;
    Object.assign(this.#canvas, { width: Math.round(width * scale), height: Math.round(height * scale) });
    const context = this.#canvas.getContext("2d");
    if (!context) return;
    context.scale(scale, scale);
    const style = getComputedStyle(this.#canvas);
    const color = (/** @type {string} */ name) => style.getPropertyValue(`--${name}`);
    // A peak of p95 that is over may leave the picture; what is usual has to be readable.
    const top = ceiling(Math.max(LEAST, this.#samples.at(-1)?.p95 ?? 0, ...this.#samples.map((sample) => sum(sample?.medians ?? []))));
    const room = height - HEAD;
    context.fillStyle = color("line");
    for (const share of [0, 0.5]) context.fillRect(0, HEAD + Math.round(room * share) - 1, width, 1);
    context.font = `11px ${style.fontFamily}`;
    context.fillStyle = color("muted");
    context.fillText(`${top} ms`, 8, HEAD - 6);
    context.textAlign = "right";
    context.fillText("last minute", width - 8, HEAD - 6);
    this.#samples.forEach((sample, index) => {
      if (!sample) return;
      const edge = (/** @type {number} */ count) => Math.round((count / LENGTH) * width * scale) / scale;
      const left = edge(LENGTH - this.#samples.length + index);
      const wide = Math.max(1, edge(LENGTH - this.#samples.length + index + 1) - left - 1);
      let base = height;
      sample.medians.forEach((median, stage) => {
        const tall = (median / top) * room;
        context.fillStyle = color(`stage-${STAGES[stage]}`);
        context.fillRect(left, base - tall, wide, tall);
        base -= tall;
      });
      if (sample.p95 > top) return;
      context.fillStyle = color("muted");
      context.fillRect(left, height - (sample.p95 / top) * room - 1, wide, 2);
    });
  }
}

/** @param {number[]} parts */
function sum(parts) {
  return parts.reduce((whole, part) => whole + part, 0);
}

/** The next round number. @param {number} value */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 1.5, 2, 3, 4, 5, 6, 8, 10].map((times) => times * power).find((round) => round >= value) ?? value;
}
