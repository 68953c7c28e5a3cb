// Which property names the bundle may shorten: members of classes and the names of the string table. They
// never leave the page's own code. A name that the browser, the kernel or a quoted text also uses is left alone.
import { readdirSync, readFileSync, statSync } from "node:fs";
import { join } from "node:path";

function* filesBelow(folder, ending) {
  for (const name of readdirSync(folder).sort()) {
    const path = join(folder, name);
    if (statSync(path).isDirectory()) {
      yield* filesBelow(path, ending);
    } else if (name.endsWith(ending)) {
      yield path;
    }
  }
}

const wordsOf = (text) => text.match(/[A-Za-z_$][\w$]*/g) ?? [];

/** A method, field or constructor field of a class. */
const MEMBER = /^ {2,4}(?:(?:private|readonly|static|async|get|set) )*([A-Za-z]\w*)(?:\(|: | = |!: )/gm;

/** The browser's own names, from the compiler's declarations. */
function browserNames(modules) {
  const compiler = join(modules, "@typescript");
  const names = new Set();
  for (const path of filesBelow(compiler, ".d.ts")) {
    if (/[\\/]lib\.[^\\/]*\.d\.ts$/.test(path)) {
      for (const word of wordsOf(readFileSync(path, "utf8"))) {
        names.add(word);
      }
    }
  }
  if (!names.has("addEventListener")) {
    throw new Error("the compiler's declarations of the browser were not found");
  }
  return names;
}

/** Names under `src` that may be shortened, as a pattern for esbuild's mangleProps. */
export function shortNames(src, modules) {
  const texts = [...filesBelow(src, ".ts")].map((path) => readFileSync(path, "utf8"));
  const read = (name) => readFileSync(join(src, name), "utf8");
  const candidates = new Set();
  for (const text of texts.filter((own) => /^export (?:abstract )?class /m.test(own))) {
    for (const [, name] of text.matchAll(MEMBER)) {
      candidates.add(name);
    }
  }
  for (const [, name] of read("strings.ts").matchAll(/^ {2}([a-zA-Z]\w*):/gm)) {
    candidates.add(name);
  }
  const taken = browserNames(modules);
  // Files whose names other bundles, the kernel or tests use as well.
  const shared = ["protocol.gen.ts", "model.ts", "handle.ts", "coords.ts", "widget.ts"].map(read);
  const others = [
    ...shared,
    ...["offline", "synth", "instrument", "scheduler"].map((n) => read(`playback/${n}.ts`)),
  ];
  const quoted = texts.flatMap((text) =>
    [...text.matchAll(/["'`]([A-Za-z_]\w*)["'`]/g)].map(([, name]) => name),
  );
  for (const word of [...others.flatMap(wordsOf), ...quoted]) {
    taken.add(word);
  }
  const names = [...candidates].filter((name) => name.length > 2 && !taken.has(name)).sort();
  return new RegExp(`^(?:${names.join("|")})$`);
}
