import { defineConfig } from "vitest/config";

export default defineConfig({
  define: { DESK_ID: '"source"' },
  test: { include: ["test/**/*.test.ts"], environment: "node" },
});
