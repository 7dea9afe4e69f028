import { describe, expect, it } from "vitest";
import { incidentPath, parse, sitePath } from "./route.svelte";

describe("an address", () => {
  it.each([
    ["/", { page: "overview", wall: false }],
    ["/wall", { page: "overview", wall: true }],
    ["/incidents", { page: "incidents" }],
    ["/incidents/", { page: "incidents" }],
    ["/incidents/SC-20261122-01", { page: "incident", id: "SC-20261122-01" }],
    ["/incidents/a/b", { page: "missing" }],
    ["/sites/28249-tt", { page: "site", id: "28249-tt" }],
    ["/sites", { page: "missing" }],
    ["/maintenance", { page: "maintenance" }],
    ["/setup", { page: "setup" }],
    ["/import", { page: "import" }],
    ["/import/now", { page: "missing" }],
    ["/incidents/%E0%A4%A", { page: "incident", id: "%E0%A4%A" }],
    ["/sign-in", { page: "missing" }],
  ])("%s is %j", (path, route) => {
    expect(parse(path)).toEqual(route);
  });

  it("survives an id with a slash", () => {
    expect(parse(incidentPath("a/b"))).toEqual({ page: "incident", id: "a/b" });
    expect(parse(sitePath("a/b"))).toEqual({ page: "site", id: "a/b" });
  });
});
