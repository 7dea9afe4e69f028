/*
 * The province as this browser knows it: one snapshot, then changes from the event stream.
 *
 *   connect ──open stream──> loading ──snapshot──> live <──heartbeat, state, incident…
 *      ^                        ^  (events wait)     │
 *      ├── refused: 5 s         └────── reset ───────┤
 *      └── silent: 40 s ─────────────────────────────┘
 *
 * Promises: an event that arrives while the snapshot loads is kept and applied after it; the screen is touched at
 * most four times a second; silence longer than STALE_MS is said (`stale`), because an old green tile is a lie.
 */
import { ApiError, type Client } from "./client";
import type { Finding, Incident, Me, ProvinceState, SiteState, StateChange, Topology } from "./contract";

/** Without a heartbeat (sent each 15 s) for this long, what is shown may be out of date. */
export const STALE_MS = 20_000;
/** Silence after which the stream is given up and opened anew: a proxy may hold a dead connection open for hours. */
export const RECONNECT_MS = 40_000;
const RETRY_MS = 5_000;
const COALESCE_MS = 250;
const RECENT_DAYS = 7;

/** The part of `EventSource` used here. */
export interface Stream {
  addEventListener(name: string, heard: (event: MessageEvent<string>) => void): void;
  close(): void;
  readonly readyState: number;
}

export interface Trouble {
  status: number;
  retryAt: number;
}

type Change =
  | { kind: "state"; change: StateChange }
  | { kind: "incident"; incident: Incident }
  | { kind: "findings" };

const CLOSED = 2;

export class Live {
  me = $state.raw<Me | null>(null);
  topology = $state.raw<Topology | null>(null);
  sites = $state.raw<ReadonlyMap<string, SiteState>>(new Map());
  incidents = $state.raw<ReadonlyMap<string, Incident>>(new Map());
  findings = $state.raw<readonly Finding[]>([]);
  trouble = $state.raw<Trouble | null>(null);
  /** Browser time of the last sign of life of the stream; 0 before the first. */
  heardAt = $state(0);
  /** Collector's clock minus this browser's, ms: durations must not depend on a wrong PC clock. */
  skew = $state(0);
  loaded = $state(false);

  private seq = -1;
  private loading = false;
  private queue: Change[] = [];
  private stream: Stream | null = null;
  private flushTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;

  constructor(
    private readonly client: Client,
    private readonly openStream: () => Stream = () => new EventSource("/api/v1/events"),
    private readonly now: () => number = () => Date.now(),
  ) {}

  /** Opens the stream first and loads the snapshot second, so that no change can fall between the two. */
  async connect(): Promise<void> {
    this.stop();
    this.queue = [];
    const stream = this.openStream();
    this.stream = stream;
    stream.addEventListener("heartbeat", () => this.heard());
    stream.addEventListener("open", () => this.heard());
    stream.addEventListener("state", (e) => this.push({ kind: "state", change: JSON.parse(e.data) as StateChange }));
    stream.addEventListener("incident", (e) => this.push({ kind: "incident", incident: JSON.parse(e.data) as Incident }));
    stream.addEventListener("findings", () => this.push({ kind: "findings" }));
    stream.addEventListener("reset", () => {
      this.heard();
      void this.load();
    });
    // The browser reconnects by itself after a network fault; only a refusal ends the stream for good.
    stream.addEventListener("error", () => {
      if (stream.readyState === CLOSED && this.stream === stream) this.retryLater(0);
    });
    await this.load();
  }

  stop(): void {
    clearTimeout(this.retryTimer);
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    this.stream?.close();
    this.stream = null;
  }

  /** How long the stream has been silent, ms, or 0 while that is normal. */
  staleFor(now: number): number {
    if (this.heardAt === 0) return 0;
    const silent = now - this.heardAt;
    return silent > STALE_MS ? silent : 0;
  }

  /** To be called once a second: gives up a stream that only seems open. */
  tend(now: number): void {
    const dead = this.stream !== null && !this.loading && this.heardAt > 0 && now - this.heardAt > RECONNECT_MS;
    if (dead) void this.connect();
  }

  private async load(): Promise<void> {
    if (this.loading) return;
    this.loading = true;
    try {
      await this.snapshot();
      this.trouble = null;
      this.loading = false;
      this.flush();
    } catch (fault) {
      this.loading = false;
      if (!(fault instanceof ApiError)) throw fault;
      if (fault.status !== 401) this.retryLater(fault.status);
    }
  }

  private async snapshot(): Promise<void> {
    this.me ??= await this.client.me();
    const weekAgo = new Date(this.now() - RECENT_DAYS * 86_400_000);
    const [topology, state, open, recent, findings] = await Promise.all([
      this.client.topology(),
      this.client.state(),
      this.client.openIncidents(),
      this.client.incidentsSince(weekAgo),
      this.client.findings(),
    ]);
    this.topology = topology;
    this.take(state);
    this.incidents = new Map([...recent, ...open].map((incident) => [incident.id, incident]));
    this.findings = findings;
    this.loaded = true;
    this.heard();
  }

  private take(state: ProvinceState): void {
    this.seq = state.seq;
    this.skew = Date.parse(state.at) - this.now();
    this.sites = new Map(state.sites.map((site) => [site.id, site]));
  }

  /** Findings change rarely and are not urgent: a failure leaves the old ones until the next change. */
  private async refreshFindings(): Promise<void> {
    try {
      this.findings = await this.client.findings();
    } catch (fault) {
      if (!(fault instanceof ApiError)) throw fault;
    }
  }

  private retryLater(status: number): void {
    this.stop();
    this.trouble = { status, retryAt: this.now() + RETRY_MS };
    this.retryTimer = setTimeout(() => void this.connect(), RETRY_MS);
  }

  private heard(): void {
    this.heardAt = this.now();
  }

  private push(change: Change): void {
    this.heard();
    this.queue.push(change);
    this.flushTimer ??= setTimeout(() => this.flush(), COALESCE_MS);
  }

  /** Applies what waited; does nothing while a snapshot is on its way, which calls this again. */
  private flush(): void {
    clearTimeout(this.flushTimer);
    this.flushTimer = undefined;
    if (this.loading) return;
    const changes = this.queue;
    this.queue = [];
    if (changes.length > 0) this.apply(changes);
  }

  private apply(changes: Change[]): void {
    const sites = new Map(this.sites);
    const incidents = new Map(this.incidents);
    let highest = this.seq;
    let findings = false;
    for (const one of changes) {
      if (one.kind === "incident") incidents.set(one.incident.id, one.incident);
      else if (one.kind === "findings") findings = true;
      // A change no newer than the snapshot is in it already: the collector gathers changes before it sends them.
      else if (one.change.seq > this.seq) {
        for (const site of one.change.sites) sites.set(site.id, site);
        highest = Math.max(highest, one.change.seq);
      }
    }
    this.seq = highest;
    this.sites = sites;
    this.incidents = incidents;
    if (findings) void this.refreshFindings();
  }
}
