/** A stream's latency by stage over the last minutes, one bar a second: a filmstrip of where time goes. */

/** In the order in which a picture passes them. */
export const STAGES = ["decode", "wait", "chain", "encode", "send"];

/** Bars kept, one a second. */
const LENGTH = 90;

/** Height of the top at least, ms: small differences are not to look big. */
const LEAST = 10;

export class StageStrip {
  #canvas;
  /** @type {(number[] | null)[]} */
  #samples = [];

  /** @param {HTMLCanvasElement} canvas */
  constructor(canvas) {
    this.#canvas = canvas;
    new ResizeObserver(() => this.draw()).observe(canvas);
  }

  /** @param {Record<string, {p95: number}> | null} latency  ms by stage; null leaves a gap */
  add(latency) {
    this.#samples.push(latency && STAGES.map((stage) => latency[stage]?.p95 ?? 0));
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
    const sums = this.#samples.map((sample) => (sample ?? []).reduce((sum, part) => sum + part, 0));
    const top = ceiling(Math.max(LEAST, ...sums));
    const room = height - 20;
    const bar = width / LENGTH;
    this.#samples.forEach((sample, index) => {
      let base = height;
      sample?.forEach((ms, which) => {
        const tall = (ms / top) * room;
        context.fillStyle = style.getPropertyValue(`--stage-${STAGES[which]}`);
        context.fillRect((LENGTH - this.#samples.length + index) * bar, base - tall, Math.max(1, bar - 1), tall);
        base -= tall;
      });
    });
    context.font = `11px ${style.fontFamily}`;
    context.fillStyle = style.getPropertyValue("--muted");
    context.fillText(`${top} ms`, 8, 14);
    context.strokeStyle = style.getPropertyValue("--line");
    context.beginPath();
    context.moveTo(0, 19.5);
    context.lineTo(width, 19.5);
    context.stroke();
  }
}

/** The next round number: 1, 2 or 5 times a power of ten. @param {number} value */
function ceiling(value) {
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((times) => times * power).find((round) => round >= value) ?? value;
}
