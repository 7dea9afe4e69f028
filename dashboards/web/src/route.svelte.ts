/*
 * Four addresses, one page: `/`, `/wall`, `/incidents`, `/incidents/:id`. Links stay plain <a href>, so that
 * opening one in a new tab works; a plain click on one changes the address without a reload.
 */
export type Route =
  | { page: "overview"; wall: boolean }
  | { page: "incidents" }
  | { page: "incident"; id: string }
  | { page: "missing" };

export function parse(path: string): Route {
  const parts = path.split("/").filter((part) => part !== "");
  if (parts.length === 0) return { page: "overview", wall: false };
  if (parts.length === 1 && parts[0] === "wall") return { page: "overview", wall: true };
  if (parts[0] === "incidents" && parts.length === 1) return { page: "incidents" };
  if (parts[0] === "incidents" && parts.length === 2) return { page: "incident", id: unescape(parts[1] ?? "") };
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
}

export const address = new Address();

export function go(path: string): void {
  if (path !== location.pathname) history.pushState(null, "", path);
  address.route = parse(path);
  scrollTo(0, 0);
}

export function incidentPath(id: string): string {
  return `/incidents/${encodeURIComponent(id)}`;
}

/** Follows the address bar and plain clicks on our own links; returns how to stop. */
export function followLinks(): () => void {
  const read = () => (address.route = parse(location.pathname));
  const click = (event: MouseEvent) => {
    const plain = event.button === 0 && !(event.metaKey || event.ctrlKey || event.shiftKey || event.altKey);
    const link = event.target instanceof Element ? event.target.closest("a") : null;
    const path = link?.getAttribute("href");
    if (!plain || event.defaultPrevented || !link || link.target || !path?.startsWith("/")) return;
    if (parse(path).page === "missing") return;
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
