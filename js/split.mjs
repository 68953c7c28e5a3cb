// Makes two bundles that share their modules: widget.js holds what the first picture needs, desk.js the rest. A module
// of widget.js that desk.js uses as well is not bundled twice: desk.js is handed what it imports from there, as a list.
// The words of strings.ts go to the bundle that says them.
import { createHash } from "node:crypto";
import { readFileSync } from "node:fs";
import { dirname, relative, resolve } from "node:path";
import { build } from "esbuild";

const ID = "desk-id-placeholder";

/** Paths of the source modules that a bundle holds, relative to `src`. */
const modulesOf = (result, src) =>
  Object.keys(result.metafile.inputs)
    .map((path) => relative(src, resolve(path)))
    .filter((path) => path.endsWith(".ts") && !path.startsWith(".."));

/** Style sheets imported by scripts are texts, with the sheets they import, without their white space. */
const styleAsText = {
  name: "style",
  setup(run) {
    run.onLoad({ filter: /\.css$/ }, async ({ path }) => {
      const made = await build({ entryPoints: [path], bundle: true, minify: true, write: false });
      return { contents: made.outputFiles[0].text.trim(), loader: "text" };
    });
  },
};

/** Sends imports of `shared` modules away from the desk's bundle. */
function awayFrom(src, shared, contents) {
  return {
    name: "shared",
    setup(run) {
      run.onResolve({ filter: /^\./ }, ({ path, resolveDir, kind }) => {
        const name = relative(src, resolve(resolveDir, path));
        if (kind === "entry-point" || !shared.has(name)) {
          return null;
        }
        return contents ? { path: name, namespace: "shared" } : { path: `shared:${name}`, external: true };
      });
      if (contents) {
        run.onLoad({ filter: /.*/, namespace: "shared" }, ({ path }) => ({
          contents: contents(path),
          loader: "ts",
          resolveDir: src,
        }));
      }
    },
  };
}

/** What the desk imports from shared modules: [module, name] pairs, in a stable order. */
async function importsOf(options, src, shared) {
  const { outputFiles } = await build({
    ...options,
    minify: false,
    write: false,
    plugins: [styleAsText, awayFrom(src, shared, null)],
  });
  const found = new Set();
  for (const [whole, names, from] of outputFiles[0].text.matchAll(
    /^import\s+([\s\S]*?)\s+from\s+"shared:([^"]+)";/gm,
  )) {
    if (!names.startsWith("{")) {
      throw new Error(`the desk can import names only, not: ${whole}`);
    }
    for (const part of names.slice(1, -1).split(",")) {
      const [name] = part.trim().split(" as ");
      if (name) {
        found.add(`${from}\n${name}`);
      }
    }
  }
  return [...found].sort().map((pair) => pair.split("\n"));
}

/** The table of words in its parts: what stands above it, the entries, what stands below. */
function wordTable(text) {
  const open = "export const strings = {\n";
  const from = text.indexOf(open) + open.length;
  const to =
    text.indexOf("\n} as const;", from) >= 0
      ? text.indexOf("\n} as const;", from)
      : text.indexOf("\n};", from);
  if (from < open.length || to < 0) {
    throw new Error("strings.ts: the table of words was not found");
  }
  const entries = new Map();
  let name = "";
  for (const line of text.slice(from, to + 1).split("\n")) {
    const begins = /^ {2}([A-Za-z]\w*)\b/.exec(line);
    if (begins) {
      name = begins[1];
      entries.set(name, line);
    } else if (name && !/^ {2}\/\//.test(line)) {
      entries.set(name, `${entries.get(name)}\n${line}`);
    }
  }
  return { above: text.slice(0, from - open.length), entries, below: text.slice(text.indexOf(";", to) + 1) };
}

/** Names of the words that some modules say. */
function wordsIn(src, modules) {
  const words = new Set();
  for (const path of modules) {
    for (const [, name] of readFileSync(`${src}/${path}`, "utf8").matchAll(/\bstrings\.([A-Za-z]\w*)/g)) {
      words.add(name);
    }
  }
  return words;
}

/** Replaces the contents of some modules of `src`. */
const replaced = (src, contents) => ({
  name: "replaced",
  setup(run) {
    run.onLoad({ filter: /\.ts$/ }, ({ path }) => {
      const made = contents[relative(src, path)];
      return made === undefined ? null : { contents: made, loader: "ts", resolveDir: dirname(path) };
    });
  },
});

/**
 * The two bundles as texts. `shared`: esbuild's options; `mangleProps`: names that may be shortened, in both alike.
 * Both carry the same id: a desk.js of another build is not run.
 */
export async function widgetAndDesk(src, options, mangleProps) {
  const widget = { ...options, entryPoints: [`${src}/widget.ts`], define: { DESK_ID: JSON.stringify(ID) } };
  const desk = { ...options, entryPoints: [`${src}/desk/entry.ts`] };
  const probe = { write: false, metafile: true, plugins: [styleAsText] };
  const inWidget = new Set(modulesOf(await build({ ...widget, ...probe }), src));
  const inDesk = modulesOf(await build({ ...desk, ...probe }), src).filter((path) => !inWidget.has(path));
  const imports = await importsOf(desk, src, inWidget);

  const table = wordTable(readFileSync(`${src}/strings.ts`, "utf8"));
  const [said, saidByDesk] = [wordsIn(src, inWidget), wordsIn(src, inDesk)];
  const known = (names) => [...names].filter((name) => table.entries.has(name));
  const idle = [...table.entries.keys()].filter((name) => !said.has(name) && !saidByDesk.has(name));
  const rows = (names) =>
    known(names)
      .map((name) => table.entries.get(name))
      .join("\n");
  const deskRows = rows([...saidByDesk].filter((name) => !said.has(name)).sort());

  // Short names are chosen over both bundles at once, so that neither takes one that the other uses as it is.
  const { mangleCache } = await build({
    ...widget,
    entryPoints: [`${src}/widget.ts`, `${src}/desk/entry.ts`],
    outdir: "unused",
    write: false,
    mangleProps,
    mangleCache: {},
    plugins: [styleAsText],
  });

  const place = (from, name) => imports.findIndex(([path, own]) => path === from && own === name);
  const handedOver = (path) => {
    const names = imports.filter(([from]) => from === path).map(([, name]) => name);
    const words = (name) =>
      name === "strings" && path === "strings.ts"
        ? `{...mgnbCore[${place(path, name)}],\n${deskRows}\n}`
        : `mgnbCore[${place(path, name)}]`;
    const above = path === "strings.ts" ? table.above : "";
    return `declare const mgnbCore: any;\n${above}${names.map((name) => `export const ${name} = ${words(name)};`).join("\n")}`;
  };
  const deskText = await one({
    ...desk,
    format: "iife",
    globalName: "mgnbDesk",
    mangleProps,
    mangleCache: { ...mangleCache },
    plugins: [styleAsText, awayFrom(src, inWidget, handedOver)],
  });
  const list = imports.map(([from, name], i) => `import { ${name} as x${i} } from "../${from}";`);
  const widgetText = await one({
    ...widget,
    mangleProps,
    mangleCache: { ...mangleCache },
    plugins: [
      styleAsText,
      replaced(src, {
        "desk/core.ts": `${list.join("\n")}\nexport const core = [${imports.map((_, i) => `x${i}`).join(",")}];`,
        "strings.ts": `${table.above}export const strings = {\n${rows([...said].sort())}\n};${table.below}`,
      }),
    ],
  });
  const id = createHash("sha256").update(widgetText).update(deskText).digest("hex").slice(0, 16);
  return {
    widget: widgetText.replaceAll(ID, id),
    desk: `/*${id}*/export default (mgnbCore) => {${deskText}return mgnbDesk;};\n`,
    modules: { widget: [...inWidget].sort(), desk: inDesk.sort(), "words nobody says": idle },
  };
}

async function one(options) {
  const { outputFiles } = await build({ ...options, write: false });
  return outputFiles[0].text;
}
