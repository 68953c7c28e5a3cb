/** Drag along a strip beside the roll (overview, scroll bar): calls `to` with the share 0..1 under the pointer. */
export function dragStrip(
  strip: HTMLElement,
  axis: "x" | "y",
  to: (share: number) => void,
  signal: AbortSignal,
): void {
  strip.addEventListener(
    "pointerdown",
    (down) => {
      if (down.button !== 0) {
        return;
      }
      const box = strip.getBoundingClientRect();
      const share = (event: PointerEvent): number =>
        axis === "x"
          ? (event.clientX - box.left) / Math.max(1, box.width)
          : (event.clientY - box.top) / Math.max(1, box.height);
      const drag = new AbortController();
      const options = { signal: AbortSignal.any([drag.signal, signal]) };
      strip.setPointerCapture(down.pointerId);
      to(share(down));
      strip.addEventListener("pointermove", (move) => to(share(move)), options);
      for (const name of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
        strip.addEventListener(name, () => drag.abort(), options);
      }
      down.preventDefault();
    },
    { signal },
  );
}
