/** The strip of keys and drum names: a press is heard, and its row lights up; a drag glides. */
import { laneAt, laneOf, rowAt, rowTop } from "../coords.ts";
import type { DeskHost } from "../desk/entry.ts";
import { pitchName } from "../layers/keys.ts";
import type { Layer } from "../layers/scene.ts";

const VELOCITY = 100;

/** Returns the layer that shows the row of the pressed key. */
export function joinKeyStrip({ store, ui, root, announce, signal }: DeskHost): Layer {
  const strip = root.querySelector<HTMLElement>(".mgnb-canvas-keys");
  let pressed: { track: number; pitch: number } | null = null;
  const press = (event: PointerEvent): void => {
    const y = event.clientY - (strip?.getBoundingClientRect().top ?? 0) + ui.viewport.top;
    const lane = laneAt(ui.lanes, y);
    const pitch = lane?.pitches[lane ? rowAt(lane, y) : -1];
    if (!lane || pitch === undefined || (pressed?.pitch === pitch && pressed.track === lane.track)) {
      return;
    }
    pressed = { track: lane.track, pitch };
    store.player.audition(lane.track, pitch, VELOCITY);
    const name = lane.drum ? store.document?.header.drums?.[String(pitch)] : undefined;
    announce(name ?? pitchName(pitch));
    ui.dirty("overlay");
  };
  const release = (): void => {
    pressed = null;
    ui.dirty("overlay");
  };
  const on = (name: string, handler: (event: PointerEvent) => void): void =>
    strip?.addEventListener(name, handler as EventListener, { signal });
  on("pointerdown", (event) => {
    if (event.button === 0) {
      strip?.setPointerCapture?.(event.pointerId);
      press(event);
      event.preventDefault();
    }
  });
  on("pointermove", (event) => pressed && press(event));
  for (const name of ["pointerup", "pointercancel", "lostpointercapture"]) {
    on(name, release);
  }
  return (ctx, scene) => {
    const lane = pressed && laneOf(scene.lanes, pressed.track);
    if (pressed && lane) {
      const y = rowTop(lane, lane.rowOf[pressed.pitch] as number) - scene.view.top;
      ctx.fillStyle = scene.palette.accentSoft;
      ctx.fillRect(0, y, scene.view.width, Math.max(2, lane.rowHeight));
    }
  };
}
