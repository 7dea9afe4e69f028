import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { incident, siteState, states, topology } from "../model/sample";
import { ApiError, Client } from "./client";
import { Live, RECONNECT_MS, STALE_MS, type Stream } from "./live.svelte";

class FakeStream implements Stream {
  readyState = 1;
  private readonly heard = new Map<string, (event: MessageEvent<string>) => void>();

  addEventListener(name: string, heard: (event: MessageEvent<string>) => void) {
    this.heard.set(name, heard);
  }

  close() {
    this.readyState = 2;
  }

  send(name: string, body: unknown = {}) {
    this.heard.get(name)?.({ data: JSON.stringify(body) } as MessageEvent<string>);
  }
}

/** A collector that answers from what the test says; `hold` keeps the next snapshot waiting. */
function desk() {
  const collector = { seq: 10, fault: 0, asked: [] as string[], hold: null as Promise<void> | null, sites: states() };
  const streams: FakeStream[] = [];
  const answers: Record<string, () => unknown> = {
    "/api/v1/me": () => ({ user: "u", role: "operator", lang: "vi" }),
    "/api/v1/topology": () => topology,
    "/api/v1/state": () => ({ at: "2026-11-22T00:00:00.000Z", seq: collector.seq, sites: [...collector.sites.values()] }),
    "/api/v1/incidents": () => ({ items: [incident()], next: null }),
    "/api/v1/findings": () => ({ items: [], next: null }),
  };
  const signIn = vi.fn();
  const ask = async (input: RequestInfo | URL) => {
    const path = String(input).split("?")[0] ?? "";
    collector.asked.push(path);
    await collector.hold;
    if (collector.fault === -1) throw new TypeError("network");
    if (collector.fault > 0) return new Response(JSON.stringify({ title: "no" }), { status: collector.fault });
    return Response.json(answers[path]?.());
  };
  const live = new Live(new Client(ask, signIn), () => {
    const stream = new FakeStream();
    streams.push(stream);
    return stream;
  });
  const stream = () => streams.at(-1) as FakeStream;
  return { collector, live, stream, streams, signIn };
}

beforeEach(() => void vi.useFakeTimers({ now: Date.parse("2026-11-22T00:00:07.000Z") }));
afterEach(() => void vi.useRealTimers());

const down = (id: string, seq: number) => ({ seq, sites: [siteState(id, { state: "down" })] });

describe("the live province", () => {
  it("starts from a snapshot and knows how wrong this PC's clock is", async () => {
    const { live } = desk();
    await live.connect();
    expect(live.sites.size).toBe(4);
    expect(live.incidents.has("SC-20261122-01")).toBe(true);
    expect(live.skew).toBe(-7000);
  });

  it("applies changes together, at most four times a second", async () => {
    const { live, stream } = desk();
    await live.connect();
    stream().send("state", down("s1", 11));
    stream().send("state", down("s2", 12));
    expect(live.sites.get("s1")?.state).toBe("up");
    vi.advanceTimersByTime(250);
    expect([live.sites.get("s1")?.state, live.sites.get("s2")?.state]).toEqual(["down", "down"]);
  });

  it("keeps what arrives while the snapshot loads, and applies only what is newer", async () => {
    const { collector, live, stream } = desk();
    let release = () => {};
    collector.hold = new Promise((resolve) => (release = resolve));
    const connected = live.connect();
    stream().send("state", down("s1", 9));
    stream().send("state", down("s2", 11));
    vi.advanceTimersByTime(1000);
    expect(live.sites.size).toBe(0);
    release();
    await connected;
    expect(live.sites.get("s1")?.state).toBe("up");
    expect(live.sites.get("s2")?.state).toBe("down");
  });

  it("takes an incident from the stream and knows when it is over", async () => {
    const { live, stream } = desk();
    await live.connect();
    stream().send("incident", incident({ state: "closed", closed: "2026-11-22T00:00:00.000Z" }));
    vi.advanceTimersByTime(250);
    expect(live.incidents.get("SC-20261122-01")?.state).toBe("closed");
  });

  it("loads anew on reset", async () => {
    const { collector, live, stream } = desk();
    await live.connect();
    collector.sites = states({ s4: { state: "maintenance" } });
    stream().send("reset");
    await vi.advanceTimersByTimeAsync(0);
    expect(live.sites.get("s4")?.state).toBe("maintenance");
  });

  it("drops a change that the snapshot already held, without asking again", async () => {
    const { collector, live, stream } = desk();
    await live.connect();
    const asked = collector.asked.length;
    stream().send("state", down("s1", 10));
    await vi.advanceTimersByTimeAsync(1000);
    expect(live.sites.get("s1")?.state).toBe("up");
    expect(collector.asked).toHaveLength(asked);
  });

  it("asks for the findings again when they changed, and only for them", async () => {
    const { collector, stream, live } = desk();
    await live.connect();
    collector.asked.length = 0;
    stream().send("findings", { seq: 11 });
    await vi.advanceTimersByTimeAsync(1000);
    expect(collector.asked).toEqual(["/api/v1/findings"]);
  });
});

describe("silence", () => {
  it("is said after 20 s and ends with the next heartbeat", async () => {
    const { live, stream } = desk();
    await live.connect();
    vi.advanceTimersByTime(STALE_MS);
    expect(live.staleFor(Date.now())).toBe(0);
    vi.advanceTimersByTime(25_000);
    expect(live.staleFor(Date.now())).toBe(45_000);
    stream().send("heartbeat");
    expect(live.staleFor(Date.now())).toBe(0);
  });

  it("of 40 s gives up a stream that only seems open", async () => {
    const { live, streams } = desk();
    await live.connect();
    vi.advanceTimersByTime(RECONNECT_MS + 1);
    live.tend(Date.now());
    await vi.advanceTimersByTimeAsync(0);
    expect(streams).toHaveLength(2);
    expect(streams[0]?.readyState).toBe(2);
    live.tend(Date.now());
    expect(streams).toHaveLength(2);
  });
});

describe("trouble", () => {
  it("is told with its status, keeps what was known, and is tried again after 5 s", async () => {
    const { collector, live, stream } = desk();
    await live.connect();
    collector.fault = 503;
    stream().send("reset");
    await vi.advanceTimersByTimeAsync(0);
    expect(live.trouble?.status).toBe(503);
    expect(live.sites.size).toBe(4);
    collector.fault = 0;
    await vi.advanceTimersByTimeAsync(5000);
    expect(live.trouble).toBeNull();
  });

  it("of a server that does not answer has status 0", async () => {
    const { collector, live } = desk();
    collector.fault = -1;
    await live.connect();
    expect(live.trouble?.status).toBe(0);
    expect(live.loaded).toBe(false);
  });

  it("is a refused stream too", async () => {
    const { live, stream, streams } = desk();
    await live.connect();
    stream().readyState = 2;
    stream().send("error");
    expect(live.trouble).not.toBeNull();
    await vi.advanceTimersByTimeAsync(5000);
    expect(streams).toHaveLength(2);
  });

  it("of a lost session leads to the sign-in page and retries nothing", async () => {
    const { collector, live, signIn, streams } = desk();
    collector.fault = 401;
    await live.connect();
    expect(signIn).toHaveBeenCalledOnce();
    await vi.advanceTimersByTimeAsync(60_000);
    expect(streams).toHaveLength(1);
  });
});

describe("the client", () => {
  it("gives the collector's reason with a refusal", async () => {
    const ask = async () => new Response(JSON.stringify({ detail: "role viewer may not acknowledge" }), { status: 403 });
    await expect(new Client(ask).acknowledge("x")).rejects.toEqual(new ApiError(403, "role viewer may not acknowledge"));
  });

  it("follows a list to its last page", async () => {
    const pages: Record<string, unknown> = {
      "/api/v1/incidents?open=true": { items: [incident({ id: "1" })], next: "n2" },
      "/api/v1/incidents?open=true&next=n2": { items: [incident({ id: "2" })], next: null },
    };
    const found = await new Client(async (input) => Response.json(pages[String(input)])).openIncidents();
    expect(found.map((one) => one.id)).toEqual(["1", "2"]);
  });
});
