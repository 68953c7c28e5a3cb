/** The stack of canvases: paints what is dirty, once per animation frame, and nothing while out of sight. */
import { RULER } from "./hit_test.ts";
import { drawArriving, POP_MS } from "./layers/arriving.ts";
import { drawBars } from "./layers/bars.ts";
import { drawCursor } from "./layers/cursor.ts";
import { drawDiff } from "./layers/diff.ts";
import { drawEditing } from "./layers/editing.ts";
import { drawGrid } from "./layers/grid.ts";
import { drawHeld } from "./layers/held.ts";
import { drawKeys, KEYS_WIDTH } from "./layers/keys.ts";
import { drawNotes } from "./layers/notes.ts";
import { drawOverviewNotes, drawOverviewWindow } from "./layers/overview.ts";
import { drawPlayhead } from "./layers/playhead.ts";
import { drawRoles } from "./layers/roles.ts";
import { drawRuler } from "./layers/ruler.ts";
import type { Layer, Scene } from "./layers/scene.ts";
import type { Dirty } from "./ui_state.ts";

export const OVERVIEW_HEIGHT = 30;

type Surface = "keys" | "grid" | "notes" | "overlay" | "overview" | "overviewTop";

export type StageElements = Readonly<Record<Surface, HTMLCanvasElement>>;

export interface StageSource {
  scene(now: number): Scene;
  drumNames(): Readonly<Record<string, string>>;
  /** Before a frame: let the view follow the playhead and update its text. */
  tick(now: number): void;
  /** True while something moves by itself. */
  moving(now: number): boolean;
  layout(): void;
}

/** Layers of each canvas, bottom to top. */
const GRID: readonly Layer[] = [drawGrid, drawBars];
const NOTES: readonly Layer[] = [drawDiff, drawNotes, drawRoles];
const OVERLAY: readonly Layer[] = [drawArriving, drawEditing, drawHeld, drawCursor];

export class Stage {
  /** Milliseconds spent in the last frame, for measurements. */
  lastFrameMs = 0;
  frames = 0;

  private readonly dirtySet = new Set<Dirty>();
  private frame = 0;
  private visible = true;
  private overviewStale = true;
  private width = 0;
  private height = 0;

  constructor(
    private readonly canvases: StageElements,
    private readonly source: StageSource,
  ) {}

  mark(what: readonly Dirty[]): void {
    for (const item of what) {
      this.dirtySet.add(item);
    }
    this.request();
  }

  markOverview(): void {
    this.overviewStale = true;
    this.request();
  }

  resize(width: number, height: number): void {
    this.width = width;
    this.height = height;
    this.overviewStale = true;
    this.mark(["grid", "notes", "overlay"]);
  }

  /** Out of sight: stop and give the bitmaps back. */
  setVisible(visible: boolean): void {
    this.visible = visible;
    if (visible) {
      this.overviewStale = true;
      this.mark(["grid", "notes", "overlay", "layout"]);
    } else {
      cancelAnimationFrame(this.frame);
      this.frame = 0;
      for (const canvas of Object.values(this.canvases)) {
        canvas.width = 0;
        canvas.height = 0;
      }
    }
  }

  dispose(): void {
    cancelAnimationFrame(this.frame);
    this.frame = 0;
    this.visible = false;
  }

  /** Paints now; returns the milliseconds it took. */
  paint(now = performance.now()): number {
    const began = performance.now();
    this.source.tick(now);
    if (this.dirtySet.has("layout")) {
      this.source.layout();
    }
    const scene = this.source.scene(now);
    if (this.dirtySet.has("grid") || this.dirtySet.has("layout")) {
      this.lanes("grid", scene, GRID);
      this.full("grid", scene, drawRuler, false);
      this.drawSide(scene);
    }
    if (this.dirtySet.has("notes")) {
      this.lanes("notes", scene, NOTES, true);
    }
    this.lanes("overlay", scene, OVERLAY, true);
    this.full("overlay", scene, drawPlayhead, false);
    this.drawOverview(scene);
    this.dirtySet.clear();
    this.lastFrameMs = performance.now() - began;
    this.frames += 1;
    return this.lastFrameMs;
  }

  private request(): void {
    if (this.frame === 0 && this.visible && this.width > 0) {
      this.frame = requestAnimationFrame((now) => {
        this.frame = 0;
        this.paint(now);
        if (this.source.moving(now)) {
          this.mark(["overlay"]);
        }
      });
    }
  }

  /** Draws layers into the lane area: below the ruler, clipped to it. */
  private lanes(name: Surface, scene: Scene, layers: readonly Layer[], clear = false): void {
    const ctx = this.begin(name, scene.dpr, this.width, this.height, clear);
    if (!ctx) {
      return;
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(0, RULER, this.width, this.height - RULER);
    ctx.clip();
    ctx.translate(0, RULER);
    for (const layer of layers) {
      layer(ctx, scene);
    }
    ctx.restore();
  }

  /** Draws one layer in canvas coordinates. */
  private full(name: Surface, scene: Scene, layer: Layer, clear: boolean): void {
    const ctx = this.begin(name, scene.dpr, this.width, this.height, clear);
    if (ctx) {
      layer(ctx, scene);
    }
  }

  private drawSide(scene: Scene): void {
    const ctx = this.begin("keys", scene.dpr, KEYS_WIDTH, this.height - RULER, true);
    if (ctx) {
      drawKeys(this.source.drumNames())(ctx, scene);
    }
  }

  private drawOverview(scene: Scene): void {
    const size = { width: this.width, height: OVERVIEW_HEIGHT };
    if (this.overviewStale) {
      this.overviewStale = false;
      const ctx = this.begin("overview", scene.dpr, size.width, size.height, false);
      if (ctx) {
        drawOverviewNotes(ctx, scene, size);
      }
    }
    const top = this.begin("overviewTop", scene.dpr, size.width, size.height, true);
    if (top) {
      drawOverviewWindow(size)(top, scene);
    }
  }

  private begin(
    name: Surface,
    dpr: number,
    width: number,
    height: number,
    clear: boolean,
  ): CanvasRenderingContext2D | null {
    const canvas = this.canvases[name];
    const w = Math.round(width * dpr);
    const h = Math.round(height * dpr);
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      canvas.style.width = `${width}px`;
      canvas.style.height = `${height}px`;
    }
    const ctx = canvas.getContext("2d");
    if (ctx) {
      ctx.setTransform(dpr, 0, 0, dpr, 0, 0);
      if (clear) {
        ctx.clearRect(0, 0, width, height);
      }
    }
    return ctx;
  }
}

export const popping = (batches: readonly { at: number }[], now: number): boolean =>
  batches.some(({ at }) => now - at < POP_MS + 20);
