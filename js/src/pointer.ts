/** What the pointer does on the roll: where it is, and which gesture begins there. */
import type { Actions } from "./actions.ts";
import { xToTick } from "./coords.ts";
import type { Door } from "./desk/door.ts";
import { HOME_TOOL } from "./edit/tools.ts";
import type { Gesture, PointerAt } from "./gestures/gesture.ts";
import { seek } from "./gestures/seek.ts";
import { selectBars, selectColumns } from "./gestures/select_bars.ts";
import { joinTouch } from "./gestures/touch.ts";
import { hitTest, RULER, RULER_BARS } from "./hit_test.ts";
import { nearestBeat } from "./places.ts";
import type { Selection } from "./selection.ts";
import type { Store } from "./store.ts";
import type { UiState } from "./ui_state.ts";

/** The view that the pointer is on. */
export interface PointerView {
  store: Store;
  ui: UiState;
  actions: Actions;
  door: Door;
  surface: HTMLElement;
  root: HTMLElement;
  /** There are no rows to choose tracks by. */
  asPanel: boolean;
}

export class Pointer {
  constructor(private readonly view: PointerView) {}

  /** A double click with a note tool makes or removes a note. `cancel` ends a gesture that is under way. */
  listen(cancel: () => void, signal: AbortSignal): void {
    const { store, ui, door, surface } = this.view;
    const onDouble = (event: MouseEvent): void => {
      const at = this.locate(event as PointerEvent);
      const edits = ui.tool === "select" || ui.tool === "draw";
      if (edits && store.editable && at.hit.area === "cell") {
        door.desk?.toggleNote(at);
      }
    };
    surface.addEventListener("dblclick", onDouble, { signal });
    const tap = (event: PointerEvent): void => {
      const at = this.locate(event);
      const gesture = this.begin(at);
      gesture?.down(at);
      gesture?.up(at);
    };
    const { root } = this.view;
    joinTouch({ root, surface, ui, cancel, tap, doubleTap: onDouble }, signal);
  }

  locate(event: PointerEvent): PointerAt {
    const { store, ui, surface } = this.view;
    const box = surface.getBoundingClientRect();
    const x = event.clientX - box.left;
    const y = event.clientY - box.top;
    const hit = hitTest({ view: ui.viewport, bars: store.bars, lanes: ui.lanes, notes: store.notes }, x, y);
    return { x, y, hit, shift: event.shiftKey, toggle: event.ctrlKey || event.metaKey, alt: event.altKey };
  }

  /** The gesture that begins at a point. */
  begin(at: PointerAt): Gesture | null {
    const { store, ui, surface, actions, door } = this.view;
    surface.focus({ preventScroll: true });
    ui.keyboard = false;
    ui.setHover(null);
    const target = {
      selection: store.selection,
      nTracks: store.tracks.length,
      select: (selection: Selection) => actions.select(selection),
    };
    const barAt = (point: PointerAt): number =>
      store.bars.at(Math.max(0, Math.min(store.bars.end - 1, xToTick(ui.viewport, point.x))));
    const loop = at.y >= RULER_BARS && at.y < RULER ? door.desk?.loopGesture(at) : null;
    if (loop) {
      return loop;
    }
    const only = this.view.asPanel ? door.desk?.lanes.track : undefined;
    switch (at.hit.area) {
      case "bars":
        if (only !== undefined) {
          return selectBars(ui, target, (point) => [only, barAt(point)]); // of the track whose curves are shown
        }
        return selectColumns(ui, target, barAt);
      case "time":
        return seek(
          (tick) => store.player.seek(tick),
          (point) => nearestBeat(store.bars, xToTick(ui.viewport, point.x), point.alt),
        );
      case "cell":
        if (at.alt && store.takes.toggleHeld([at.hit.track, at.hit.bar])) {
          return null;
        }
        if (ui.tool !== HOME_TOOL && store.editable) {
          ui.cursor = [at.hit.track, at.hit.bar];
          return this.noteGesture();
        }
        return selectBars(ui, target, (point) => [this.trackAt(point.y), barAt(point)]);
      case "none":
        return null;
    }
  }

  /** The gesture of the tool in hand; before the desk is there, a word that it comes. */
  private noteGesture(): Gesture | null {
    const { door } = this.view;
    if (!door.desk) {
      door.ask(() => {});
    }
    return door.desk?.noteGesture() ?? null;
  }

  trackAt(y: number): number {
    const { lanes, viewport } = this.view.ui;
    const content = y - RULER + viewport.top;
    const index = lanes.findIndex((lane) => content < lane.y + lane.height);
    return index < 0 ? lanes.length - 1 : index;
  }
}
