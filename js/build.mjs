// Bundles the page into the files the Python package ships: widget.js (one ES module) and widget.css, and the
// code of the audio thread, which the page fetches only when it plays.
import { statSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build, context } from "esbuild";
import { shortNames } from "./short_names.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const OUT = at("../midigpt_nb/widgets/static/");
const SOUND = at("../midigpt_nb/data/sound/");
const BUDGET = {
  [`${OUT}widget.js`]: 160_000,
  [`${OUT}widget.css`]: 20_000,
  [`${OUT}export.js`]: 20_000,
  [`${SOUND}worklet.js`]: 450_000,
};

const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "inline",
  logLevel: "info",
};
const ctx = await context({
  ...shared,
  entryPoints: { widget: at("src/widget.ts"), "widget.style": at("src/widget.css") },
  entryNames: "[name]",
  outdir: OUT,
  mangleProps: shortNames(at("src"), at("node_modules")),
});

if (process.argv.includes("--watch")) {
  await ctx.watch();
} else {
  await ctx.rebuild();
  await ctx.dispose();
  for (const [source, outfile] of [
    ["export/main", `${OUT}export.js`],
    ["playback/worklet/processor", `${SOUND}worklet.js`],
    ["playback/simple", `${SOUND}simple.js`],
  ]) {
    await build({ ...shared, entryPoints: [at(`src/${source}.ts`)], outfile });
  }
  const { renameSync } = await import("node:fs");
  renameSync(`${OUT}widget.style.css`, `${OUT}widget.css`);
  for (const [path, limit] of Object.entries(BUDGET)) {
    const { size } = statSync(path);
    if (size > limit) {
      throw new Error(`${path} has ${size} bytes; the budget is ${limit}`);
    }
  }
}
