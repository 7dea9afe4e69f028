/* Makes sure that the console has an incident to show: cuts commune 28249 once its site is up and waits until it is told. */
import { execFileSync } from "node:child_process";
import { setTimeout as sleep } from "node:timers/promises";

const { BASE_URL, TOKEN, BIN, RUN } = process.env;
const PATIENCE_MS = 60_000;

async function api(path) {
  const answer = await fetch(`${BASE_URL}/api/v1/${path}`, { headers: { authorization: `Bearer ${TOKEN}` } });
  if (!answer.ok) throw new Error(`${path}: ${answer.status} ${await answer.text()}`);
  return answer.json();
}

async function until(what, holds) {
  const end = Date.now() + PATIENCE_MS;
  while (!(await holds())) {
    if (Date.now() > end) throw new Error(`${what}: not within ${PATIENCE_MS / 1000} s`);
    await sleep(200);
  }
}

await until("28249-tt up", async () => {
  const { sites } = await api("state");
  return sites.some(({ id, state }) => id === "28249-tt" && state === "up");
});
// A site cut before anything was measured has no curve to show.
await until("a round trip of 28249-tt", async () => {
  const [from, to] = [Date.now() - 600_000, Date.now()].map((ms) => new Date(ms).toISOString());
  return (await api(`series?site=28249-tt&metric=liveness_rtt_seconds&from=${from}&to=${to}&step=60`)).length > 0;
});
console.log(execFileSync(`${BIN}/haidang-world`, ["fault", "cut 28249", "--run", RUN], { encoding: "utf8" }).trim());
await until("an incident of 28249-tt", async () => {
  const { items } = await api("incidents?open=true");
  return items.some(({ root, state }) => root.id === "28249-tt" && state === "open");
});
