/*
 * The words of the console in two languages. Vietnamese is the source: its keys are the type, so a word that is
 * missing in code or in the other language fails the type check or `words.test.ts`. A value may be
 * `{one, other}` where a language has a plural.
 */
import en from "./en.json";
import vi from "./vi.json";

export type Lang = "vi" | "en";
export type Key = keyof typeof vi;
type Phrase = string | { one: string; other: string };
export type Values = Record<string, string | number>;

const books: Record<Lang, Record<Key, Phrase>> = { vi, en };
const tags: Record<Lang, string> = { vi: "vi-VN", en: "en-GB" };

class Language {
  lang = $state<Lang>("vi");

  get tag(): string {
    return tags[this.lang];
  }
}

export const language = new Language();

/** The phrase for `key`; numbers are written the language's way, and `n` chooses the plural. */
export function t(key: Key, values: Values = {}): string {
  const phrase = books[language.lang][key];
  return fill(typeof phrase === "string" ? phrase : phrase[plural(values.n)], values);
}

/** For words the collector chooses (kinds, causes, roles): the phrase, or the word itself when we have none. */
export function tWord(group: string, word: string): string {
  return isWord(group, word) ? t(`${group}.${word}` as Key) : word;
}

/** Whether we have a phrase for a word of the collector's. */
export function isWord(group: string, word: string): boolean {
  return `${group}.${word}` in vi;
}

export function number(value: number, digits = 0): string {
  return new Intl.NumberFormat(language.tag, { maximumFractionDigits: digits }).format(value);
}

function plural(n: string | number | undefined): "one" | "other" {
  const rule = new Intl.PluralRules(language.tag).select(Number(n ?? 0));
  return rule === "one" ? "one" : "other";
}

function fill(phrase: string, values: Values): string {
  return phrase.replace(/\{(\w+)\}/g, (whole, name: string) => {
    const value = values[name];
    if (value === undefined) return whole;
    return typeof value === "number" ? number(value) : value;
  });
}
