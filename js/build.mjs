// Bundles the page into the files the Python package ships: widget.js (an ES module that every widget carries),
// desk.js (what the page fetches once, after the first picture), widget.css, and the code of the audio thread, which
// the page fetches only when it plays.
import { statSync, watch, writeFileSync } from "node:fs";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";
import { shortNames } from "./short_names.mjs";
import { widgetAndDesk } from "./split.mjs";

const at = (path) => fileURLToPath(new URL(path, import.meta.url));
const SRC = at("src");
const OUT = at("../midigpt_nb/widgets/static/");
const SOUND = at("../midigpt_nb/data/sound/");
const BUDGET = {
  [`${OUT}widget.js`]: 140_000,
  [`${OUT}desk.js`]: 160_000,
  [`${OUT}widget.css`]: 20_000,
  [`${OUT}export.js`]: 30_000,
  [`${SOUND}worklet.js`]: 450_000,
};

const shared = {
  bundle: true,
  format: "esm",
  target: "es2022",
  minify: true,
  charset: "utf8",
  legalComments: "inline",
  logLevel: "warning",
};

const say = (text) => process.stdout.write(`${text}\n`);

async function page() {
  const { widget, desk, modules } = await widgetAndDesk(SRC, shared, shortNames(SRC, at("node_modules")));
  writeFileSync(`${OUT}widget.js`, widget);
  writeFileSync(`${OUT}desk.js`, desk);
  await build({ ...shared, entryPoints: [at("src/widget.css")], outfile: `${OUT}widget.css` });
  return modules;
}

if (process.argv.includes("--modules")) {
  say(JSON.stringify(await page(), null, 1));
} else if (process.argv.includes("--watch")) {
  await page();
  let soon;
  watch(SRC, { recursive: true }, () => {
    clearTimeout(soon);
    soon = setTimeout(() => page().catch((error) => say(error.message)), 100);
  });
} else {
  await page();
  for (const [source, outfile] of [
    ["export/main", `${OUT}export.js`],
    ["playback/worklet/processor", `${SOUND}worklet.js`],
    ["playback/simple", `${SOUND}simple.js`],
  ]) {
    await build({ ...shared, entryPoints: [at(`src/${source}.ts`)], outfile });
  }
  for (const [path, limit] of Object.entries(BUDGET)) {
    const { size } = statSync(path);
    say(`${String(size).padStart(7)} of ${limit}  ${path.slice(at("..").length)}`);
    if (size > limit) {
      throw new Error(`${path} has ${size} bytes; the budget is ${limit}`);
    }
  }
}
