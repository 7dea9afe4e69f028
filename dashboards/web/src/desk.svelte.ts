/*
 * What every part of the page shares: the client, the live province, a clock that ticks once a second, the short
 * messages at the bottom, and the acts a person can do on an incident.
 */
import { untrack } from "svelte";
import { Asked } from "./api/asked.svelte";
import { ApiError, Client } from "./api/client";
import type { Configuration } from "./api/contract";
import { Live } from "./api/live.svelte";
import type { Maintenance, Subject } from "./api/site";
import { t } from "./words/words.svelte";

export const client = new Client();
export const live = new Live(client);

class Clock {
  browser = $state(Date.now());

  /** The collector's time; what reads it follows each second. */
  get now(): Date {
    return new Date(this.browser + live.skew);
  }

  /** The collector's time in ms, for questions: what reads it is not run again each second. */
  exact(): number {
    return Date.now() + untrack(() => live.skew);
  }
}

export const clock = new Clock();

export function startClock(ticked: (now: number) => void): () => void {
  const timer = setInterval(() => {
    clock.browser = Date.now();
    ticked(clock.browser);
  }, 1000);
  return () => clearInterval(timer);
}

const TOAST_MS = 6_000;

class Toast {
  text = $state("");
  failed = $state(false);
  private timer: ReturnType<typeof setTimeout> | undefined;

  say(text: string, failed = false): void {
    clearTimeout(this.timer);
    this.text = text;
    this.failed = failed;
    this.timer = setTimeout(() => (this.text = ""), TOAST_MS);
  }
}

export const toast = new Toast();

export function reasonWords(fault: unknown): string {
  if (!(fault instanceof ApiError)) return String(fault);
  if (fault.status === 0) return t("load.unreachable");
  if (fault.status === 403) return t("done.forbidden");
  return fault.message || t("load.status", { status: String(fault.status) });
}

/** Does `act`, says how it went, and tells whether it went well. */
export async function attempt(act: () => Promise<void>, done: string): Promise<boolean> {
  try {
    await act();
    toast.say(done);
    return true;
  } catch (fault) {
    toast.say(t("done.failed", { reason: reasonWords(fault) }), true);
    return false;
  }
}

/** Whether the signed-in person may act on incidents; the collector decides, this only hides what it would refuse. */
export function mayAct(): boolean {
  return live.me !== null && live.me.role !== "viewer";
}

/** Whether the signed-in person may change the record, or read where its files are wrong. */
export function mayConfigure(): boolean {
  return live.me?.role === "admin";
}

/** Whether the files in place are in use. */
export const configuration = new Asked<Configuration>();

export function refreshConfiguration(): Promise<void> {
  return configuration.ask(client.configuration);
}

/** The maintenance windows, for every part that shows them. */
export const windows = new Asked<Maintenance[]>();

export function refreshWindows(): Promise<void> {
  return windows.ask(client.maintenance);
}

export async function maintain(items: Subject[], from: Date, to: Date, reason: string): Promise<boolean> {
  const done = await attempt(() => client.maintain(items, from, to, reason), t("done.maintain"));
  if (done) await refreshWindows();
  return done;
}

export async function endMaintenance(id: string): Promise<boolean> {
  const done = await attempt(() => client.endMaintenance(id), t("done.maintenance_ended"));
  if (done) await refreshWindows();
  return done;
}

export function acknowledge(id: string): Promise<boolean> {
  return attempt(() => client.acknowledge(id), t("done.ack", { id }));
}
