/** The window in the overview: drag it, drag its edges to zoom, press beside it to go there, double-click for all. */
import { clampView, fitScale } from "../coords.ts";
import type { UiState } from "../ui_state.ts";

const GRIP_PX = 7;
const TOUCH_GRIP_PX = 16;

type Grip = "left" | "right" | "middle" | "beside";

export function dragWindow(strip: HTMLElement, ui: UiState, signal: AbortSignal): void {
  /** Tick under the pointer. */
  const tickAt = (event: PointerEvent | MouseEvent): number => {
    const box = strip.getBoundingClientRect();
    return ((event.clientX - box.left) / Math.max(1, box.width)) * ui.limits.endTick;
  };
  const gripAt = (event: PointerEvent): Grip => {
    const { left, width, scale } = ui.viewport;
    const span = width / scale;
    const perPx = ui.limits.endTick / Math.max(1, strip.clientWidth);
    const reach = Math.min((event.pointerType === "touch" ? TOUCH_GRIP_PX : GRIP_PX) * perPx, span / 3);
    const tick = tickAt(event);
    if (Math.abs(tick - left) <= reach) {
      return "left";
    }
    if (Math.abs(tick - left - span) <= reach) {
      return "right";
    }
    return tick > left && tick < left + span ? "middle" : "beside";
  };
  const apply = (grip: Grip, tick: number, held: number, right: number): void => {
    const { viewport: view, limits } = ui;
    ui.follow = false;
    if (grip === "left" || grip === "right") {
      const span = Math.max(1, grip === "left" ? right - tick : tick - view.left);
      const next = clampView({ ...view, scale: view.width / span }, limits);
      ui.setViewport({ ...next, left: grip === "left" ? right - next.width / next.scale : view.left });
    } else {
      ui.setViewport({ ...view, left: tick - held });
    }
  };

  strip.addEventListener(
    "pointerdown",
    (down) => {
      if (down.button !== 0) {
        return;
      }
      const { left, width, scale } = ui.viewport;
      const grip = gripAt(down);
      // Beside the window: its middle comes under the pointer, and goes with it.
      const held = grip === "beside" ? width / scale / 2 : tickAt(down) - left;
      const right = left + width / scale;
      const drag = new AbortController();
      const options = { signal: AbortSignal.any([drag.signal, signal]) };
      const go = (event: PointerEvent): void => apply(grip, tickAt(event), held, right);
      strip.setPointerCapture?.(down.pointerId);
      strip.dataset["grip"] = grip;
      if (grip === "beside") {
        go(down);
      }
      strip.addEventListener("pointermove", go, options);
      for (const name of ["pointerup", "pointercancel", "lostpointercapture"] as const) {
        strip.addEventListener(name, () => drag.abort(), options);
      }
      down.preventDefault();
    },
    { signal },
  );
  strip.addEventListener(
    "pointermove",
    (event) => {
      if (event.buttons === 0) {
        strip.dataset["grip"] = gripAt(event);
      }
    },
    { signal },
  );
  strip.addEventListener(
    "dblclick",
    () => ui.setViewport({ ...ui.viewport, left: 0, scale: fitScale(ui.viewport, ui.limits) }),
    { signal },
  );
}
