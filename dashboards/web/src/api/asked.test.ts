import { describe, expect, it } from "vitest";
import { Asked } from "./asked.svelte";

function later<T>() {
  let resolve = (_: T) => {};
  let reject = (_: unknown) => {};
  const promise = new Promise<T>((yes, no) => ((resolve = yes), (reject = no)));
  return { promise, resolve, reject };
}

describe("an answer", () => {
  it("that is older never overwrites a newer one", async () => {
    const asked = new Asked<string>();
    const [slow, fast] = [later<string>(), later<string>()];
    const both = [asked.ask(() => slow.promise), asked.ask(() => fast.promise)];
    fast.resolve("new");
    slow.resolve("old");
    await Promise.all(both);
    expect(asked.value).toBe("new");
    expect(asked.busy).toBe(false);
  });

  it("that failed leaves the last good one, and is told", async () => {
    const asked = new Asked<string>();
    await asked.ask(async () => "good");
    await asked.ask(() => Promise.reject(new Error("503")));
    expect([asked.value, String(asked.fault)]).toEqual(["good", "Error: 503"]);
    await asked.ask(async () => "better");
    expect([asked.value, asked.fault]).toEqual(["better", null]);
  });

  it("about another subject is forgotten, also while it is on its way", async () => {
    const asked = new Asked<string>();
    const slow = later<string>();
    const coming = asked.ask(() => slow.promise);
    asked.forget();
    slow.resolve("of the page before");
    await coming;
    expect(asked.value).toBeNull();
  });
});
