/*
 * What every part of the page shares: the client, the live province, a clock that ticks once a second, the short
 * messages at the bottom, and the acts a person can do on an incident.
 */
import { ApiError, Client } from "./api/client";
import { Live } from "./api/live.svelte";
import { t } from "./words/words.svelte";

export const client = new Client();
export const live = new Live(client);

class Clock {
  browser = $state(Date.now());

  /** The collector's time. */
  get now(): Date {
    return new Date(this.browser + live.skew);
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

export function acknowledge(id: string): Promise<boolean> {
  return attempt(() => client.acknowledge(id), t("done.ack", { id }));
}
