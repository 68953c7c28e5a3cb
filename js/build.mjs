// Bundles the page into the two files the Python package ships: widget.js (one ES module) and widget.css.
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { context } from "esbuild";

const OUT = fileURLToPath(new URL("../midigpt_nb/widgets/static/", import.meta.url));
const BUDGET = { "widget.js": 160_000, "widget.css": 20_000 };

const ctx = await context({
  entryPoints: {
    widget: fileURLToPath(new URL("src/widget.ts", import.meta.url)),
    "widget.style": fileURLToPath(new URL("src/widget.css", import.meta.url)),
  },
  entryNames: "[name]",
  outdir: OUT,
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "inline",
  logLevel: "info",
  write: true,
  plugins: [],
});

if (process.argv.includes("--watch")) {
  await ctx.watch();
} else {
  await ctx.rebuild();
  await ctx.dispose();
  const { renameSync } = await import("node:fs");
  renameSync(`${OUT}widget.style.css`, `${OUT}widget.css`);
  for (const [name, limit] of Object.entries(BUDGET)) {
    const { size } = statSync(OUT + name);
    if (size > limit) {
      throw new Error(`${name} has ${size} bytes; the budget is ${limit}`);
    }
  }
}
