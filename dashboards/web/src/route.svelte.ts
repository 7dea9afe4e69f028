/*
 * The console's addresses, one page each. Links stay plain <a href>, so that opening one in a new tab works; a plain
 * click on one changes the address without a reload. What a page shows of time stands in the query, so that a link
 * sent to a colleague shows the same.
 */
export type Route =
  | { page: "overview"; wall: boolean }
  | { page: "incidents" }
  | { page: "incident"; id: string }
  | { page: "site"; id: string }
  | { page: "maintenance" }
  | { page: "setup" }
  | { page: "import" }
  | { page: "missing" };

const LISTS = ["incidents", "maintenance", "setup", "import"] as const;

export function parse(path: string): Route {
  const parts = path.split("/").filter((part) => part !== "");
  const [first = "", second = ""] = parts;
  if (parts.length === 0) return { page: "overview", wall: false };
  if (parts.length === 1 && first === "wall") return { page: "overview", wall: true };
  const list = LISTS.find((page) => page === first);
  if (parts.length === 1 && list !== undefined) return { page: list };
  if (parts.length === 2 && first === "incidents") return { page: "incident", id: unescape(second) };
  if (parts.length === 2 && first === "sites") return { page: "site", id: unescape(second) };
  return { page: "missing" };
}

function unescape(part: string): string {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

class Address {
  route = $state.raw<Route>({ page: "missing" });
  query = $state.raw(new URLSearchParams());

  read(): void {
    this.route = parse(location.pathname);
    this.query = new URLSearchParams(location.search);
  }
}

export const address = new Address();

export function go(path: string): void {
  if (path !== location.pathname + location.search) history.pushState(null, "", path);
  address.read();
  scrollTo(0, 0);
}

/** Changes the query of the page that is open; the page stays where it is scrolled to. */
export function ask(query: URLSearchParams): void {
  history.pushState(null, "", query.size === 0 ? location.pathname : `${location.pathname}?${query}`);
  address.read();
}

export function incidentPath(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`;
}

export function sitePath(id: string): string {
  return `/sites/${encodeURIComponent(id)}`;
}

/** Follows the address bar and plain clicks on our own links; returns how to stop. */
export function followLinks(): () => void {
  const read = () => address.read();
  const click = (event: MouseEvent) => {
    const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const path = link?.getAttribute("href");
    if (!plain || event.defaultPrevented || !link || link.target || !path?.startsWith("/")) return;
    if (parse(path.split("?")[0] ?? "").page === "missing") return;
    event.preventDefault();
    go(path);
  };
  read();
  addEventListener("popstate", read);
  document.addEventListener("click", click);
  return () => {
    removeEventListener("popstate", read);
    document.removeEventListener("click", click);
  };
}
