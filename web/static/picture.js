/** px: before the first picture and after the last one browsers report a size like 2 x 2. */
const PLACEHOLDER = 16;

/** A video on a page: its place takes its shape, and its last picture can be kept beyond the connection. */
export class Picture {
  #video;
  #still;

  /**
   * @param {HTMLVideoElement} video
   * @param {HTMLCanvasElement} [still]  that the last picture is kept on
   */
  constructor(video, still) {
    this.#video = video;
    this.#still = still;
    // However the sender's phone is held.
    video.addEventListener("resize", () => {
      if (this.there) video.parentElement?.style.setProperty("--aspect", `${video.videoWidth} / ${video.videoHeight}`);
    });
  }

  /** Whether there is any. */
  get there() {
    return this.#video.videoWidth > PLACEHOLDER;
  }

  /** To be seen while the connection is made again: a browser takes the last picture away with the connection. */
  keep() {
    if (!this.#still || !this.there) return;
    Object.assign(this.#still, { width: this.#video.videoWidth, height: this.#video.videoHeight });
    this.#still.getContext("2d")?.drawImage(this.#video, 0, 0);
  }

  forget() {
    if (this.#still) this.#still.width = this.#still.height = 0;
  }
}
