/*
 * What a person chose for this browser: theme and language, remembered in localStorage. The theme starts from the
 * system's; the language from the account's until somebody presses the button.
 */
import { language, type Lang } from "./words/words.svelte";

export type Theme = "dark" | "light";

const THEME = "haidang.theme";
const LANG = "haidang.lang";

class Choices {
  theme = $state<Theme>("dark");
}

export const choices = new Choices();

export function restoreChoices(): void {
  const light = matchMedia("(prefers-color-scheme: light)").matches;
  const theme = recall(THEME);
  useTheme(theme === "light" || theme === "dark" ? theme : light ? "light" : "dark");
  const lang = recall(LANG);
  useLang(lang === "en" ? "en" : "vi");
}

/** The account's language counts only where this browser remembers no choice. */
export function offerLang(lang: string): void {
  if (recall(LANG) === null && (lang === "vi" || lang === "en")) useLang(lang);
}

export function toggleTheme(): void {
  useTheme(choices.theme === "dark" ? "light" : "dark");
  remember(THEME, choices.theme);
}

export function toggleLang(): void {
  useLang(language.lang === "vi" ? "en" : "vi");
  remember(LANG, language.lang);
}

function useTheme(theme: Theme): void {
  choices.theme = theme;
  document.documentElement.dataset.theme = theme;
}

function useLang(lang: Lang): void {
  language.lang = lang;
  document.documentElement.lang = lang;
}

/** A browser may forbid storage (private windows, policy): then a choice lasts as long as the page. */
function recall(key: string): string | null {
  try {
    return localStorage.getItem(key);
  } catch {
    return null;
  }
}

function remember(key: string, value: string): void {
  try {
    localStorage.setItem(key, value);
  } catch {
    return;
  }
}
