/** Wheel: Ctrl zooms at the pointer, Shift scrolls time; plain wheel scrolls tracks only when the roll has focus. */
import { zoomAt } from "../coords.ts";
import type { UiState } from "../ui_state.ts";

const LINE_PX = 16;
const PAGE_PX = 400;
const ZOOM_PER_PX = 0.0022;

export interface WheelLike {
  deltaX: number;
  deltaY: number;
  deltaMode: number;
  ctrlKey: boolean;
  metaKey: boolean;
  shiftKey: boolean;
}

/** Applies a wheel turn at x; true when it was used (and the page must not scroll). */
export function wheel(ui: UiState, event: WheelLike, x: number): boolean {
  const unit = event.deltaMode === 1 ? LINE_PX : event.deltaMode === 2 ? PAGE_PX : 1;
  const dx = event.deltaX * unit;
  const dy = event.deltaY * unit;
  const { viewport } = ui;
  if (event.ctrlKey || event.metaKey) {
    const turn = Math.max(-120, Math.min(120, dy));
    ui.setViewport(zoomAt(viewport, Math.exp(-turn * ZOOM_PER_PX), x, ui.limits));
    return true;
  }
  const sideways = event.shiftKey ? dx || dy : dx;
  if (event.shiftKey || Math.abs(dx) > Math.abs(dy)) {
    const left = viewport.left;
    ui.setViewport({ ...viewport, left: left + sideways / viewport.scale });
    ui.follow = false;
    return event.shiftKey || ui.viewport.left !== left;
  }
  if (!ui.focused) {
    return false;
  }
  const top = viewport.top;
  ui.setViewport({ ...viewport, top: top + dy });
  return ui.viewport.top !== top;
}
