/** The stack of canvases: paints what is dirty, once per animation frame, and nothing while out of sight. */
import { RULER } from "./hit_test.ts";
import { drawArriving, POP_MS } from "./layers/arriving.ts";
import { drawBars } from "./layers/bars.ts";
import { drawCursor } from "./layers/cursor.ts";
import { drawDiff } from "./layers/diff.ts";
import { drawEditing, drawSelected, drawStems } from "./layers/editing.ts";
import { drawLanes, drawTimeLines } from "./layers/grid.ts";
import { drawHeld } from "./layers/held.ts";
import { drawKeys, KEYS_WIDTH } from "./layers/keys.ts";
import { countVisible, DETAIL_LIMIT, drawNotes } from "./layers/notes.ts";
import { drawOverviewNotes, drawOverviewWindow } from "./layers/overview.ts";
import { drawPlayhead } from "./layers/playhead.ts";
import { drawRoles } from "./layers/roles.ts";
import { drawRuler } from "./layers/ruler.ts";
import { type Layer, type Scene, visibleLanes } from "./layers/scene.ts";
import type { Dirty, MoreLayers } from "./ui_state.ts";

export const OVERVIEW_HEIGHT = 30;

type Surface = "keys" | "grid" | "notes" | "overlay" | "overview" | "overviewTop";

export type StageElements = Readonly<Record<Surface, HTMLCanvasElement>>;

export interface StageSource {
  scene(now: number): Scene;
  /** Layers that the desk adds. */
  more(): MoreLayers;
  drumNames(): Readonly<Record<string, string>>;
  /** Before a frame: let the view follow the playhead and update its text. */
  tick(now: number): void;
  /** True while something moves by itself. */
  moving(now: number): boolean;
  layout(): void;
}

/** Layers of each canvas, bottom to top. */
const grid = (more: MoreLayers): Layer[] => [drawLanes, ...more.rows, drawTimeLines, drawBars];
const notes = (more: MoreLayers): Layer[] => [
  ...more.under,
  drawDiff,
  drawNotes,
  drawStems,
  drawSelected,
  ...more.over,
  drawRoles,
];
const overlay = (more: MoreLayers): Layer[] => [drawArriving, ...more.top, drawEditing, drawHeld, drawCursor];

/** Bitmaps of a view stay below this: beyond it, a screen with small pixels is drawn less finely. */
const MOST_BYTES = 40_000_000;
/** What moved further than this share of the width is painted anew. */
const FAR = 0.7;

/**
 * With more notes than this in sight, a scrolled window is the painted one shifted, and a strip of new notes: copying the
 * bitmap takes about as long as painting so many.
 */
const SHIFT_FROM = 2500;

export class Stage {
  /** Milliseconds spent in the last frame, for measurements. */
  lastFrameMs = 0;
  frames = 0;

  private readonly dirtySet = new Set<Dirty>();
  /** What the notes' canvas shows. */
  private shown: Scene | null = null;
  /** Bitmaps have the screen's pixels. */
  private exactly = true;
  private readonly looks = new Map<Surface, string>();
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
      this.shown = null;
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
    const { dirtySet } = this;
    if (dirtySet.has("layout")) {
      this.source.layout();
    }
    const scene = this.exact(this.source.scene(now));
    const more = this.source.more();
    const side = dirtySet.has("grid") || dirtySet.has("layout");
    if (side || dirtySet.has("pan")) {
      this.lanes("grid", scene, grid(more));
      this.full("grid", scene, drawRuler);
    }
    if (side) {
      this.drawSide(scene);
    }
    if (dirtySet.has("notes") || dirtySet.has("pan")) {
      this.drawNotes(scene, notes(more), dirtySet.has("notes"));
    }
    this.lanes("overlay", scene, overlay(more));
    this.full("overlay", scene, drawPlayhead);
    this.drawOverview(scene);
    dirtySet.clear();
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

  /** The scene on whole device pixels, so that what was painted can be shifted; and how finely notes are drawn. */
  private exact(scene: Scene): Scene {
    const { width, height } = this;
    const area = 3 * width * height + KEYS_WIDTH * height + 2 * OVERVIEW_HEIGHT * width;
    const finest = Math.max(1, Math.sqrt(MOST_BYTES / 4 / Math.max(1, area)));
    const dpr = Math.min(scene.dpr, finest);
    this.exactly = dpr === scene.dpr;
    const unit = scene.view.scale * dpr;
    const view = { ...scene.view, left: Math.round(scene.view.left * unit) / unit };
    const next = { ...scene, dpr, view, part: [0, width] as const };
    const inSight = countVisible(next, visibleLanes(next));
    return { ...next, inSight, detailed: inSight <= DETAIL_LIMIT };
  }

  /** All notes, or those of the strip that scrolling has brought into sight. */
  private drawNotes(scene: Scene, layers: readonly Layer[], anew: boolean): void {
    const { canvas, ctx } = this.begin("notes", scene.dpr, this.width, this.height);
    const was = this.shown;
    this.shown = scene;
    if (!ctx) {
      return;
    }
    const { height } = this;
    const width = canvas.width / scene.dpr;
    const dx = anew || !was || scene.inSight < SHIFT_FROM ? Number.NaN : shiftOf(was, scene);
    let part: readonly [number, number] = [0, width];
    if (Math.abs(dx) < FAR * canvas.width) {
      ctx.setTransform(1, 0, 0, 1, 0, 0);
      ctx.globalCompositeOperation = "copy";
      ctx.drawImage(canvas, dx, 0);
      ctx.globalCompositeOperation = "source-over";
      ctx.setTransform(scene.dpr, 0, 0, scene.dpr, 0, 0);
      part = dx > 0 ? [0, dx / scene.dpr] : [width + dx / scene.dpr, width];
    }
    ctx.save();
    ctx.beginPath();
    ctx.rect(part[0], 0, part[1] - part[0], height);
    ctx.clip();
    ctx.clearRect(part[0], 0, part[1] - part[0], height);
    this.inLanes(ctx, { ...scene, part }, layers);
    ctx.restore();
  }

  /** Draws layers into the lane area: below the ruler, clipped to it. */
  private inLanes(ctx: CanvasRenderingContext2D, scene: Scene, layers: readonly Layer[]): void {
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

  private lanes(name: Surface, scene: Scene, layers: readonly Layer[]): void {
    const { ctx } = this.begin(name, scene.dpr, this.width, this.height);
    if (ctx) {
      ctx.clearRect(0, 0, this.width, this.height);
      this.inLanes(ctx, scene, layers);
    }
  }

  /** Draws one layer in canvas coordinates. */
  private full(name: Surface, scene: Scene, layer: Layer): void {
    const { ctx } = this.begin(name, scene.dpr, this.width, this.height);
    if (ctx) {
      layer(ctx, scene);
    }
  }

  private drawSide(scene: Scene): void {
    const { ctx } = this.begin("keys", scene.dpr, KEYS_WIDTH, this.height - RULER);
    if (ctx) {
      ctx.clearRect(0, 0, KEYS_WIDTH, this.height);
      drawKeys(this.source.drumNames())(ctx, scene);
    }
  }

  private drawOverview(scene: Scene): void {
    const size = { width: this.width, height: OVERVIEW_HEIGHT };
    if (this.overviewStale) {
      this.overviewStale = false;
      const { ctx } = this.begin("overview", scene.dpr, size.width, size.height);
      if (ctx) {
        drawOverviewNotes(ctx, scene, size);
      }
    }
    const { ctx: top } = this.begin("overviewTop", scene.dpr, size.width, size.height);
    if (top) {
      top.clearRect(0, 0, size.width, size.height);
      drawOverviewWindow(size)(top, scene);
    }
  }

  /** A canvas of the right size, ready to be drawn on in CSS pixels. Its bitmap has whole device pixels. */
  private begin(
    name: Surface,
    dpr: number,
    width: number,
    height: number,
  ): { canvas: HTMLCanvasElement; ctx: CanvasRenderingContext2D | null } {
    const canvas = this.canvases[name];
    const w = Math.round(width * dpr);
    const h = Math.round(height * dpr);
    if (canvas.width !== w || canvas.height !== h) {
      canvas.width = w;
      canvas.height = h;
      this.shown = name === "notes" ? null : this.shown;
    }
    const look = `${w} ${h} ${dpr} ${this.exactly}`;
    if (this.looks.get(name) !== look) {
      this.looks.set(name, look);
      const { style } = canvas;
      // One pixel of the bitmap on one of the screen, also where the roll begins or ends between two of them.
      style.width = `${w / dpr}px`;
      style.height = `${h / dpr}px`;
      style.imageRendering = this.exactly ? "pixelated" : "auto";
    }
    const ctx = canvas.getContext("2d");
    ctx?.setTransform(dpr, 0, 0, dpr, 0, 0);
    return { canvas, ctx };
  }
}

/** Device pixels by which a painted scene has to be shifted to show another; NaN when that does not do. */
function shiftOf(was: Scene, is: Scene): number {
  const [a, b] = [was.view, is.view];
  const alike =
    a.scale === b.scale &&
    a.top === b.top &&
    a.width === b.width &&
    a.height === b.height &&
    was.dpr === is.dpr &&
    was.detailed === is.detailed;
  return alike ? Math.round((a.left - b.left) * b.scale * is.dpr) : Number.NaN;
}

export const popping = (batches: readonly { at: number }[], now: number): boolean =>
  batches.some(({ at }) => now - at < POP_MS + 20);
