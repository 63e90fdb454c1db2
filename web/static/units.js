/** Figures with their units, for people. */

/** @param {number} value */
export function ms(value) {
  return `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;
}

/** @param {number} kbps */
export function rate(kbps) {
  return `${(kbps / 1e3).toFixed(1)} Mb/s`;
}

/** @param {string} codec */
export function codecName(codec) {
  return { H264: "H.264" }[codec] ?? codec;
}

/** @param {{width: number, height: number}} size */
export function pixels({ width, height }) {
  return `${width} × ${height}`;
}
