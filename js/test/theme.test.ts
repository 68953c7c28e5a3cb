import { describe, expect, it } from "vitest";
import { contrast, makePalette, mix, parseRgb, type Rgb, trackHues } from "../src/theme.ts";

const hosts: [string, Rgb | null, Rgb | null][] = [
  ["no host", null, null],
  ["JupyterLab light", [255, 255, 255], [33, 33, 33]],
  ["JupyterLab dark", [17, 17, 17], [222, 222, 222]],
  ["VS Code dark", [30, 30, 30], [204, 204, 204]],
  ["Solarized", [253, 246, 227], [101, 123, 131]],
];
const rgb = (text: string): Rgb => parseRgb(text) as Rgb;

describe.each(["light", "dark", "auto"])("theme %s", (theme) => {
  it.each(hosts)("is readable in %s", (_, background, text) => {
    const palette = makePalette({ background, text, prefersDark: false }, theme);
    for (const surface of [palette.background, palette.surface, palette.raised, palette.lane]) {
      expect(contrast(rgb(palette.text), rgb(surface))).toBeGreaterThanOrEqual(4.5);
      expect(contrast(rgb(palette.muted), rgb(surface))).toBeGreaterThanOrEqual(4.5);
    }
    expect(contrast(rgb(palette.onAccent), rgb(palette.accent))).toBeGreaterThanOrEqual(4.5);
    expect(contrast(rgb(palette.danger), rgb(palette.surface))).toBeGreaterThanOrEqual(4.5);
    for (const { solid } of palette.tracks) {
      expect(contrast(rgb(solid), rgb(palette.laneAlt))).toBeGreaterThanOrEqual(3);
    }
  });
});

it("follows the host unless told otherwise", () => {
  const dark = { background: [17, 17, 17] as Rgb, text: null, prefersDark: false };
  expect(makePalette(dark, "auto").dark).toBe(true);
  expect(makePalette(dark, "light").dark).toBe(false);
  expect(makePalette({ background: null, text: null, prefersDark: true }, "auto").dark).toBe(true);
  // a page without a background of its own: the system's text colour tells its colour scheme
  const bare = { background: null, prefersDark: false };
  expect(makePalette({ ...bare, text: parseRgb("rgb(255, 255, 255)") }, "auto").dark).toBe(true);
  expect(makePalette({ ...bare, text: parseRgb("rgb(0, 0, 0)") }, "auto").dark).toBe(false);
});

/** Machado, Oliveira, Fernandes 2009, severity 1.0, on linear light. */
const DEFICIENCIES: Record<string, number[][]> = {
  protan: [
    [0.152286, 1.052583, -0.204868],
    [0.114503, 0.786281, 0.099216],
    [-0.003882, -0.048116, 1.051998],
  ],
  deutan: [
    [0.367322, 0.860646, -0.227968],
    [0.280085, 0.672501, 0.047413],
    [-0.01182, 0.04294, 0.968881],
  ],
  tritan: [
    [1.255528, -0.076749, -0.178779],
    [-0.078411, 0.930809, 0.147602],
    [0.004733, 0.691367, 0.3039],
  ],
};

const linear = (c: number): number => (c <= 10.31475 ? c / 255 / 12.92 : ((c / 255 + 0.055) / 1.055) ** 2.4);

/** CIE Lab of linear light. */
function lab([r, g, b]: number[]): number[] {
  const [R, G, B] = [r ?? 0, g ?? 0, b ?? 0].map((c) => Math.max(0, Math.min(1, c))) as [
    number,
    number,
    number,
  ];
  const f = (t: number): number => (t > 0.008856 ? Math.cbrt(t) : 7.787 * t + 16 / 116);
  const x = f((0.4124 * R + 0.3576 * G + 0.1805 * B) / 0.95047);
  const y = f(0.2126 * R + 0.7152 * G + 0.0722 * B);
  const z = f((0.0193 * R + 0.1192 * G + 0.9505 * B) / 1.08883);
  return [116 * y - 16, 500 * (x - y), 200 * (y - z)];
}

const seen = (colour: Rgb, matrix: number[][]): number[] => {
  const light = colour.map(linear);
  return lab(matrix.map((row) => row.reduce((sum, m, i) => sum + m * (light[i] as number), 0)));
};

describe.each(Object.entries(DEFICIENCIES))("with %s vision", (_, matrix) => {
  it.each([false, true])("neighbouring tracks differ (dark: %s)", (dark) => {
    const hues = trackHues(dark);
    hues.forEach((hue, i) => {
      const next = hues[(i + 1) % hues.length] as Rgb;
      const [a, b] = [seen(hue, matrix), seen(next, matrix)];
      const distance = Math.hypot(...a.map((value, k) => value - (b[k] as number)));
      expect(distance, `tracks ${i + 1} and ${i + 2}`).toBeGreaterThan(15);
    });
  });
});

it("reads only opaque colours", () => {
  expect(parseRgb("rgb(1, 2, 3)")).toEqual([1, 2, 3]);
  expect(parseRgb("rgba(1, 2, 3, 0.87)")).toEqual([1, 2, 3]);
  expect(parseRgb("rgba(0, 0, 0, 0)")).toBeNull();
  expect(parseRgb("red")).toBeNull();
  expect(mix([0, 0, 0], [100, 200, 50], 0.5)).toEqual([50, 100, 25]);
});
