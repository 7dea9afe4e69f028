import { vitePreprocess } from "@sveltejs/vite-plugin-svelte";

/** Runes everywhere: what changes is said where it is declared. */
export default { preprocess: vitePreprocess(), compilerOptions: { runes: true } };
