/** Notes when each encoded picture passes, and passes it on. */
"use strict";

self.addEventListener("rtctransform", (event) => {
  const { readable, writable } = /** @type {any} */ (event).transformer;
  const note = new TransformStream({
    transform(frame, controller) {
      controller.enqueue(frame);
      const rtp = frame.getMetadata().rtpTimestamp ?? frame.timestamp;
      self.postMessage({ rtp, at: performance.timeOrigin + performance.now() });
    },
  });
  // It ends with an error when the connection does; there is nobody to tell.
  readable.pipeThrough(note).pipeTo(writable).catch(() => {});
});

self.postMessage("started");
