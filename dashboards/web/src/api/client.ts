/*
 * One way to ask the collector. A refusal is an `ApiError` with its status and the reason the collector gave
 * (RFC 9457); a lost session leads to the sign-in page and never to an error on screen.
 */
import type { Bucket, Configuration, Finding, Incident, IncidentStory, Line, Me, Page, ProvinceState, Topology } from "./contract";
import type { Preview } from "./sheet";
import type { Availability, Maintenance, SiteDetail, Subject } from "./site";
import { upload } from "./upload";

/** No answer in this time counts as "server not reachable". */
const TIMEOUT_MS = 15_000;
/** Pages of one list that are followed at most. */
const PAGES = 10;

export class ApiError extends Error {
  /** `status` is the HTTP status, or 0 when nothing answered. */
  constructor(
    readonly status: number,
    reason: string,
  ) {
    super(reason);
  }
}

export type Fetch = typeof fetch;

export class Client {
  constructor(
    private readonly fetch: Fetch = (input, init) => globalThis.fetch(input, init),
    private readonly signIn: () => void = () => location.assign("/sign-in"),
  ) {}

  me = () => this.get<Me>("/api/v1/me");
  topology = () => this.get<Topology>("/api/v1/topology");
  state = () => this.get<ProvinceState>("/api/v1/state");
  openIncidents = () => this.all<Incident>("/api/v1/incidents", { open: "true" });
  findings = () => this.all<Finding>("/api/v1/findings", {});
  incident = (id: string) => this.get<IncidentStory>(`/api/v1/incidents/${encodeURIComponent(id)}`);

  incidentsSince = (since: Date) => this.all<Incident>("/api/v1/incidents", { since: since.toISOString() });

  site = (id: string) => this.get<SiteDetail>(`/api/v1/sites/${encodeURIComponent(id)}`);
  configuration = () => this.get<Configuration>("/api/v1/configuration");
  maintenance = () => this.all<Maintenance>("/api/v1/maintenance", {});

  /** One series of a site; empty where nothing was measured. */
  series(site: string, metric: string, check: string, from: Date, to: Date, stepSeconds: number): Promise<Bucket[]> {
    const span = { from: from.toISOString(), to: to.toISOString(), step: String(stepSeconds) };
    return this.get<Bucket[]>(`/api/v1/series?${new URLSearchParams({ site, metric, check, ...span })}`);
  }

  /** Series of a line's own packets. */
  liveness(line: Line, metric: string, from: Date, to: Date, stepSeconds: number): Promise<Bucket[]> {
    return this.series(line.site, metric, `liveness/${line.id}`, from, to, stepSeconds);
  }

  /** How long a site was what, one item a step. */
  availability(site: string, from: Date, to: Date, stepSeconds: number): Promise<Availability[]> {
    const span = { from: from.toISOString(), to: to.toISOString(), step: String(stepSeconds) };
    return this.all<Availability>("/api/v1/availability", { site, ...span });
  }

  acknowledge = (id: string) => this.act(id, "ack", {});
  note = (id: string, text: string) => this.act(id, "note", { text });
  close = (id: string, reason: string) => this.act(id, "close", { reason });

  async maintain(items: Subject[], from: Date, to: Date, reason: string): Promise<void> {
    await this.post("/api/v1/maintenance", { items, from: from.toISOString(), to: to.toISOString(), reason });
  }

  async endMaintenance(id: string): Promise<void> {
    await this.ask(`/api/v1/maintenance/${encodeURIComponent(id)}`, { method: "DELETE", headers: { accept: "application/json" } });
  }

  /** Sends a sheet to be looked at; nothing is written yet. With `remove`, what it no longer names would go.
   * `sent` is told how far it is, 0 to 1. */
  async preview(file: File, remove: boolean, sent: (share: number) => void): Promise<Preview> {
    const query = new URLSearchParams({ file: file.name, ...(remove ? { remove: "true" } : {}) });
    const answer = await upload(`/api/v1/import?${query}`, file, sent);
    if (answer.status === 401) this.signIn();
    if (!answer.ok) throw new ApiError(answer.status, await reasonOf(answer));
    return (await answer.json()) as Preview;
  }

  async accept(digest: string): Promise<void> {
    await this.post("/api/v1/import/accept", { digest });
  }

  private async act(id: string, act: string, body: object): Promise<void> {
    await this.post(`/api/v1/incidents/${encodeURIComponent(id)}/${act}`, body);
  }

  private async post(path: string, body: object): Promise<void> {
    await this.ask(path, {
      method: "POST",
      headers: { "content-type": "application/json", accept: "application/json" },
      body: JSON.stringify(body),
    });
  }

  /** Follows `next` to the last page, or to PAGES: nobody reads more on one screen. */
  private async all<T>(path: string, query: Record<string, string>): Promise<T[]> {
    const items: T[] = [];
    let next: string | null = null;
    for (let page = 0; page < PAGES; page += 1) {
      const asked = new URLSearchParams(next === null ? query : { ...query, next });
      const answer: Page<T> = await this.get<Page<T>>(asked.size === 0 ? path : `${path}?${asked}`);
      items.push(...answer.items);
      next = answer.next;
      if (next === null) break;
    }
    return items;
  }

  private async get<T>(path: string): Promise<T> {
    const answer = await this.ask(path, { headers: { accept: "application/json" } });
    return (await answer.json()) as T;
  }

  private async ask(path: string, init: RequestInit): Promise<Response> {
    let answer: Response;
    try {
      answer = await this.fetch(path, { ...init, credentials: "same-origin", signal: AbortSignal.timeout(TIMEOUT_MS) });
    } catch {
      throw new ApiError(0, "");
    }
    if (answer.ok) return answer;
    if (answer.status === 401) this.signIn();
    throw new ApiError(answer.status, await reasonOf(answer));
  }
}

async function reasonOf(answer: Response): Promise<string> {
  try {
    const problem = (await answer.json()) as { detail?: string; title?: string };
    return problem.detail ?? problem.title ?? "";
  } catch {
    return "";
  }
}
