/**
 * Colours of the roll, derived from the host's own (JupyterLab, VS Code) with a light and a dark fallback, and
 * followed when the host changes them. DOM and canvas read the same palette.
 */

export type Rgb = readonly [number, number, number];

export interface TrackColours {
  /** Header stripe, loudest notes. */
  solid: string;
  /** Note fills from soft to loud. */
  levels: readonly string[];
  /** Notes about to be replaced, and muted ones. */
  dim: string;
  /** Outline of a removed note. */
  ghost: string;
}

export interface Palette {
  dark: boolean;
  background: string;
  surface: string;
  raised: string;
  lane: string;
  laneAlt: string;
  blackKey: string;
  rowLine: string;
  beatLine: string;
  barLine: string;
  border: string;
  /** Edges of fields to type in or choose from: they must be found. */
  field: string;
  text: string;
  muted: string;
  accent: string;
  onAccent: string;
  accentSoft: string;
  danger: string;
  selectFill: string;
  selectLine: string;
  hatch: string;
  edge: string;
  playhead: string;
  tracks: readonly TrackColours[];
}

/**
 * Track hues for light and dark lanes: neighbours differ in lightness as well as in hue, so that they stay apart
 * for readers with a colour-vision deficiency; each has at least 3:1 against the lane.
 */
const TRACK_HUES: readonly { light: Rgb; dark: Rgb }[] = [
  { light: [32, 104, 196], dark: [108, 174, 255] }, // blue
  { light: [190, 84, 0], dark: [255, 166, 77] }, // orange
  { light: [0, 128, 100], dark: [90, 230, 190] }, // green
  { light: [132, 14, 92], dark: [240, 110, 190] }, // magenta
  { light: [138, 112, 0], dark: [236, 214, 92] }, // yellow
  { light: [96, 62, 190], dark: [178, 156, 255] }, // violet
  { light: [0, 126, 160], dark: [120, 220, 244] }, // sky
  { light: [196, 46, 34], dark: [255, 128, 110] }, // vermilion
];

const LIGHT = { background: [255, 255, 255] as Rgb, text: [28, 31, 38] as Rgb };
const DARK = { background: [20, 22, 27] as Rgb, text: [233, 236, 242] as Rgb };
const ACCENT = { light: [56, 84, 214] as Rgb, dark: [140, 163, 255] as Rgb };
const DANGER = { light: [180, 35, 24] as Rgb, dark: [255, 138, 122] as Rgb };
const VELOCITY_LEVELS = 4;
const GRAPHIC_CONTRAST = 3.1;

const css = ([r, g, b]: Rgb, alpha = 1): string =>
  alpha >= 1
    ? `rgb(${Math.round(r)},${Math.round(g)},${Math.round(b)})`
    : `rgba(${Math.round(r)},${Math.round(g)},${Math.round(b)},${alpha})`;

export const mix = (a: Rgb, b: Rgb, share: number): Rgb => [
  a[0] + (b[0] - a[0]) * share,
  a[1] + (b[1] - a[1]) * share,
  a[2] + (b[2] - a[2]) * share,
];

/** Relative luminance, 0..1. */
export function luminance([r, g, b]: Rgb): number {
  const linear = (value: number): number => {
    const c = value / 255;
    return c <= 0.04045 ? c / 12.92 : ((c + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * linear(r) + 0.7152 * linear(g) + 0.0722 * linear(b);
}

/** Contrast ratio of two colours, 1..21. */
export function contrast(a: Rgb, b: Rgb): number {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y) as [number, number];
  return (high + 0.05) / (low + 0.05);
}

/** Reads "rgb(1, 2, 3)" or "rgba(…)"; null for anything else and for transparent colours. */
export function parseRgb(text: string): Rgb | null {
  const parts =
    /^rgba?\(([^)]+)\)$/
      .exec(text.trim())?.[1]
      ?.split(/[\s,/]+/)
      .map(Number) ?? [];
  const [r, g, b, alpha = 1] = parts;
  return r === undefined || g === undefined || b === undefined || parts.some(Number.isNaN) || alpha < 0.5
    ? null
    : [r, g, b];
}

export interface HostColours {
  background: Rgb | null;
  text: Rgb | null;
  prefersDark: boolean;
  /** The person's own few colours are to be used: text and lines at full strength. */
  forced?: boolean;
}

/** The palette for a host and a `theme` setting ("auto", "light", "dark"). */
export function makePalette(host: HostColours, theme: string): Palette {
  // a page may say nothing but its colour scheme, and that is what the system's text colour follows (marimo)
  const bright = host.text !== null && luminance(host.text) > 0.5;
  const hostDark = host.background ? luminance(host.background) < 0.25 : host.prefersDark || bright;
  const dark = theme === "dark" || (theme !== "light" && hostDark);
  const base = dark ? DARK : LIGHT;
  const useHost = host.background !== null && hostDark === dark;
  const background = useHost && host.background ? host.background : base.background;
  const { forced = false } = host;
  const own = useHost && host.text && (forced || contrast(host.text, background) >= 7) ? host.text : null;
  const text = own ? mix(own, base.text, forced ? 0 : 0.5) : base.text;
  const tone = (share: number): Rgb => mix(background, text, share);
  // Lines that divide the roll; at least 3:1 where colours are forced.
  const line = (share: number): string => css(tone(forced ? 0.3 + 2 * share : share));
  const accent = dark ? ACCENT.dark : ACCENT.light;
  const lane = tone(dark ? 0.045 : 0.018);
  const laneAlt = tone(dark ? 0.07 : 0.04);
  return {
    dark,
    background: css(background),
    surface: css(tone(dark ? 0.055 : 0.03)),
    raised: css(tone(dark ? 0.11 : 0.065)),
    lane: css(lane),
    laneAlt: css(laneAlt),
    blackKey: css(tone(dark ? 0.02 : 0.055)),
    rowLine: css(tone(dark ? 0.095 : 0.075)),
    beatLine: css(tone(dark ? 0.12 : 0.09)),
    barLine: line(dark ? 0.23 : 0.2),
    border: line(dark ? 0.19 : 0.16),
    field: css(visibleTone(tone, tone(dark ? 0.11 : 0.065))),
    text: css(text),
    muted: css(forced ? text : tone(dark ? 0.66 : 0.68)),
    accent: css(accent),
    onAccent: dark ? "rgb(13,17,38)" : "rgb(255,255,255)",
    accentSoft: css(accent, dark ? 0.2 : 0.12),
    danger: css(dark ? DANGER.dark : DANGER.light),
    selectFill: css(accent, dark ? 0.17 : 0.12),
    selectLine: css(accent, 0.95),
    hatch: css(accent, dark ? 0.4 : 0.3),
    edge: css(dark ? [255, 255, 255] : [0, 0, 0], dark ? 0.9 : 0.82),
    playhead: css(dark ? [255, 255, 255] : [16, 18, 24]),
    tracks: TRACK_HUES.map((hue) => trackColours(dark ? hue.dark : hue.light, lane)),
  };
}

/** The softest tone that is told from `ground` by everybody. */
function visibleTone(tone: (share: number) => Rgb, ground: Rgb): Rgb {
  let share = 0.3;
  while (share < 1 && contrast(tone(share), ground) < GRAPHIC_CONTRAST) {
    share += 0.02;
  }
  return tone(share);
}

function trackColours(hue: Rgb, lane: Rgb): TrackColours {
  const levels = Array.from({ length: VELOCITY_LEVELS }, (_, i) =>
    css(mix(lane, hue, 0.66 + (0.34 * i) / (VELOCITY_LEVELS - 1))),
  );
  return { solid: css(hue), levels, dim: css(mix(lane, hue, 0.24)), ghost: css(mix(lane, hue, 0.75)) };
}

/** Plain colour values, for the contrast tests. */
export const trackHues = (dark: boolean): Rgb[] => TRACK_HUES.map((hue) => (dark ? hue.dark : hue.light));

/** Names of the CSS variables that the style sheet reads. */
const VARIABLES: readonly [string, Exclude<keyof Palette, "dark" | "tracks">][] = [
  ["bg", "background"],
  ["surface", "surface"],
  ["raised", "raised"],
  ["lane", "lane"],
  ["border", "border"],
  ["field", "field"],
  ["text", "text"],
  ["muted", "muted"],
  ["accent", "accent"],
  ["on-accent", "onAccent"],
  ["accent-soft", "accentSoft"],
  ["danger", "danger"],
];

/** Writes the palette to the root element for the style sheet. */
export function applyPalette(root: HTMLElement, palette: Palette): void {
  for (const [name, key] of VARIABLES) {
    root.style.setProperty(`--mgnb-${name}`, palette[key]);
  }
  root.dataset["mgnbTheme"] = palette.dark ? "dark" : "light";
}

/** Reads the host's colours through `probe`, an element styled with the host's variables. */
export function readHost(probe: HTMLElement): HostColours {
  const style = getComputedStyle(probe);
  const asks = (query: string): boolean => typeof matchMedia === "function" && matchMedia(query).matches;
  return {
    background: parseRgb(style.backgroundColor),
    text: parseRgb(style.color),
    prefersDark: asks("(prefers-color-scheme: dark)"),
    forced: asks("(forced-colors: active)"),
  };
}

/** Attributes by which hosts say which theme is on: JupyterLab, VS Code, and pages that use a class. */
const HOST_MARKS = ["class", "data-jp-theme-light", "data-jp-theme-name", "data-vscode-theme-kind"];

/**
 * Calls `changed` whenever the host's colours may have changed. The probe has a tiny CSS transition on its colours:
 * whatever changes a variable above it (a theme switch, a swapped style sheet) starts that transition. A browser
 * that paints late may skip the transition, so the marks that hosts put on the page are watched as well.
 */
export function watchHost(probe: HTMLElement, changed: () => void, signal: AbortSignal): void {
  probe.addEventListener("transitionend", changed, { signal });
  if (typeof MutationObserver === "function") {
    const marks = new MutationObserver(changed);
    const { body, documentElement } = probe.ownerDocument;
    for (const node of [documentElement, body]) {
      marks.observe(node, { attributeFilter: HOST_MARKS });
    }
    signal.addEventListener("abort", () => marks.disconnect(), { once: true });
  }
  if (typeof matchMedia === "function") {
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", changed, { signal });
    matchMedia("(forced-colors: active)").addEventListener("change", changed, { signal });
  }
}
